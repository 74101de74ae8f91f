"""One phase as a line of the list: glyph and word for its state, and its effect, predicted or measured."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from itertools import takewhile

from msgspec import Struct
from textual.content import Content

from phasewise.model import units
from phasewise.model.measurement import Measurement
from phasewise.model.status import Row, State
from phasewise.tui import text

APPLIED = frozenset({State.APPLIED, State.VERIFIED, State.FAILED})
OPEN = frozenset({State.PROPOSED, State.ASKS, State.ROLLED_BACK})


class Mark(Struct, frozen=True):
    """How a state is shown: never by colour alone."""

    glyph: str
    word: str
    style: str


_MARKS = {
    State.PROPOSED: Mark("○", "proposed", "$foreground 70%"),
    State.ASKS: Mark("?", "asks first", "$text-warning"),
    State.SKIPPED: Mark("–", "skipped", "$foreground 45%"),
    State.APPLIED: Mark("✔", "applied", "$text-success"),
    State.VERIFIED: Mark("✔", "verified", "bold $text-success"),
    State.FAILED: Mark("✖", "failed", "bold $text-error"),
    State.ROLLED_BACK: Mark("↩", "rolled back", "$text-warning"),
}
CURRENT = Mark("◎", "next", "bold $text-accent")
RUNNING = Mark("●", "running", "bold $text-primary")


def mark(row: Row, *, current: str = "", running: str = "") -> Mark:
    """The mark of a row; `current` is the id of the phase that is next, `running` of the one at work."""
    if row.id == running:
        return RUNNING
    if row.id == current and row.state is State.PROPOSED:
        return CURRENT
    return _MARKS[row.state]


def mark_of(state: State) -> Mark:
    """How a state is shown when the phase is neither next nor at work."""
    return _MARKS[state]


def current(rows: Sequence[Row]) -> str:
    """The id of the phase that comes next: the first that is proposed; empty when none is."""
    return next((row.id for row in rows if row.state is State.PROPOSED), "")


def following(rows: Sequence[Row], id: str) -> str:
    """The id of the phase to go on with after `id`: the next that is proposed and not refused, from the top
    again where none is left below; empty when there is none.
    """
    at = next((index + 1 for index, row in enumerate(rows) if row.id == id), 0)
    ready = (row for row in (*rows[at:], *rows[:at]) if row.state is State.PROPOSED and not row.refusal)
    return next((row.id for row in ready), "")


def effect(row: Row) -> Content:
    """What the phase changes: bold when measured, dim and slanted when predicted, else empty."""
    if row.variant is not None and row.state in APPLIED:
        return _beside(row, row.variant)
    if row.delta is not None and row.state in APPLIED:
        return _measured(row)
    if row.state in APPLIED and row.measurement and row.measurement.image_bytes is not None:
        return Content.assemble((units.size(row.measurement.image_bytes), "bold"), " measured")
    predicted = row.phase.predicted.image_bytes if row.phase and row.state not in APPLIED else None
    if predicted is None:
        return Content("")
    figure = units.size_change(predicted)
    return Content.assemble((f"part of {figure}" if row.left_out else f"{figure} predicted", "italic dim"))


def _measured(row: Row) -> Content:
    delta = row.delta
    assert delta is not None
    if row.changed_nothing:
        return Content.assemble(("0 B", "bold"), (" no-op ⚠", "bold $text-warning"))
    if delta.image_bytes is None:
        return Content.assemble(("no size", "dim"))
    style = "$text-success" if delta.image_bytes < 0 else "$text-warning" if delta.image_bytes > 0 else ""
    return Content.assemble(
        (units.size_change(delta.image_bytes), f"bold {style}".strip()), (" measured", style)
    )


def _beside(row: Row, variant: Measurement) -> Content:
    """`CI 157 MB −56 %`: the image that the phase added, against the one beside it."""
    label = variant_label(variant.dockerfile)
    if variant.image_bytes is None:
        return text.own((f"{label} {variant.outcome.value}", "bold $text-error"))
    whole = row.measurement.image_bytes if row.measurement else None
    change = units.percent_change(whole, variant.image_bytes) if whole else ""
    style = "$text-success" if whole and variant.image_bytes < whole else "$text-warning"
    return text.own(
        f"{label} ", (units.size(variant.image_bytes), "bold"), (f" {change}".rstrip(), f"bold {style}")
    )


def variant_label(dockerfile: str) -> str:
    """`CI` for `Dockerfile.ci` and `ci.Dockerfile`; the file's name for any other."""
    name = posixpath.basename(dockerfile)
    return "CI" if "ci" in name.lower().split(".") else text.one_line(name)


def line(row: Row, number: int, shown: Mark, cells: int) -> Content:
    """The phase on one line: glyph, number, id, word, effect."""
    left = text.own((f"{shown.glyph} ", shown.style), (f"{number} ", "dim"), (row.id, "bold"))
    if cells >= 60:
        left += text.own((f"  {text.one_line(row.title)}", "dim"))
    word = Content.styled(shown.word.ljust(11), shown.style)
    figure = effect(row)
    right = word + Content(" " * max(20 - figure.cell_length, 1)) + figure if cells >= 60 else figure
    if cells >= 60:
        return text.ends(left, right, cells)
    return text.ends(left, figure or word, cells)


def two_lines(row: Row, number: int, shown: Mark, cells: int) -> Content:
    """The phase on two lines: what it is and what it brings; its state in words and its title."""
    first = text.ends(
        text.own((f"{shown.glyph} ", shown.style), (f"{number} ", "dim"), (row.id, "bold")),
        effect(row),
        cells,
    )
    said = row.broken[0].explanation or row.broken[0].title if row.broken else row.title
    second = text.own("    ", (shown.word, shown.style), (f"  {text.one_line(said)}", "dim"))
    return first + Content("\n") + text.fit(second, cells)


def drawn_after(rows: Sequence[Row], row: Row) -> tuple[str, ...]:
    """The ids of the phases before `row` in the plan whose edits its own are drawn on, though none is applied.

    Applied before them, it is planned on the text as it is then: what is committed may differ from what is shown.
    """
    if row.commit is not None or row.phase is None:
        return ()
    adds = any(edit.before is None for edit in row.phase.edits)
    files = set(row.phase.files)
    return tuple(
        each.id
        for each in takewhile(lambda each: each.id != row.id, rows)
        if each.phase
        and each.state in (State.PROPOSED, State.ROLLED_BACK)
        # A new file is made from others: nobody can tell which.
        and (adds or not files.isdisjoint(each.phase.files))
    )


def matches(row: Row, wanted: str) -> bool:
    """Whether the filter keeps the row: every word is in its id, title, state or files."""
    files = " ".join(row.phase.files) if row.phase else ""
    haystack = f"{row.id} {row.title} {row.state} {files}".lower()
    return all(word in haystack for word in wanted.lower().split())
