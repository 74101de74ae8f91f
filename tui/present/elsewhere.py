"""The phases of other targets that edit files which this one reads too, with what they change there."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from phasewise.model import units
from phasewise.model.elsewhere import Elsewhere
from phasewise.tui import text
from phasewise.tui.present import diff


def lines(others: Iterable[Elsewhere], cells: int) -> list[Content]:
    """Each phase with its target, its effect there, and the diff of the files that are shared."""
    said = text.own(
        "These phases belong to other targets and edit files that this one reads too: applied there, they "
        "change what this image is built from, or by. ",
        ("t", "bold $text-accent"),
        " turns to another target.",
    )
    result = [*text.wrapped(said, cells), Content("")]
    for other in others:
        result += _headline(other, cells)
        for edit in other.edits:
            result += [Content(""), text.fit(text.plain(text.one_line(edit.path), "bold"), cells)]
            result += diff.unified(edit, cells)
        result.append(Content(""))
    return result


def _headline(other: Elsewhere, cells: int) -> list[Content]:
    """`cpu_wheels of worker/Dockerfile  −4.1 GB predicted there`, and the title."""
    phase, saved = other.phase, other.phase.predicted.image_bytes
    figure = f"  {units.size_change(saved)} predicted there" if saved is not None else ""
    name = text.own(
        (phase.id, "bold"),
        " of ",
        (text.one_line(other.target.label), "$text-primary"),
        (figure, "italic dim"),
    )
    title = text.own((phase.title, "dim"), ("  asks first" if phase.risk == "ask" else "", "$text-warning"))
    return [*text.wrapped(name, cells), *text.wrapped(title, cells)]
