"""The checks of one image: what broke first, with what was seen and what it means."""

from __future__ import annotations

from textual.content import Content

from phasewise.model import units
from phasewise.model.measurement import CheckResult, Verdict, Verification
from phasewise.model.status import Row, State
from phasewise.tui import text

_MARKS = {
    Verdict.PASSED: ("✔", "passed", "$text-success"),
    Verdict.FAILED: ("✖", "failed", "bold $text-error"),
    Verdict.SKIPPED: ("–", "skipped", "$foreground 60%"),
}


def lines(row: Row | None, baseline: Verification | None, cells: int) -> list[Content]:
    """The checks of a row, or of the baseline where the row has none yet."""
    if row is not None and row.verification is not None:
        return [*_summary(row), Content(""), *_results(row.verification, row.broken, cells)]
    if row is not None and row.state is State.VERIFIED:
        said = "All checks pass at a later commit, which holds this phase too."
        check = text.own(("v", "bold $text-accent"), " runs them on the phase's own commit.")
        return [
            *text.wrapped(Content.styled(f"✔ {said}", "bold $text-success"), cells),
            *text.wrapped(check, cells),
        ]
    if baseline is None:
        return [
            *text.wrapped(Content("Nothing is checked yet."), cells),
            *text.wrapped(
                Content.styled(
                    "The checks run on the baseline first; only what passes there must pass later.", "dim"
                ),
                cells,
            ),
        ]
    head = f"{baseline.count(Verdict.PASSED)} checks pass on the baseline and must pass after every phase."
    return [*text.wrapped(Content.styled(head, "bold"), cells), Content(""), *_results(baseline, (), cells)]


def _summary(row: Row) -> list[Content]:
    assert row.verification is not None
    if not row.broken:
        return [
            text.own((f"✔ All {row.verification.count(Verdict.PASSED)} checks pass.", "bold $text-success"))
        ]
    count = "1 check fails" if len(row.broken) == 1 else f"{len(row.broken)} checks fail"
    return [
        text.own((f"✖ {count} that passed on the baseline.", "bold $text-error")),
        text.own(("u", "bold $text-accent"), " takes the phase back."),
    ]


def _results(verification: Verification, broken: tuple[CheckResult, ...], cells: int) -> list[Content]:
    """Broken first, then other failures, then what was skipped, then what passed."""
    names = {result.id for result in broken}
    rest = [result for result in verification.results if result.id not in names]
    order = (Verdict.FAILED, Verdict.SKIPPED, Verdict.PASSED)
    result: list[Content] = []
    for check in broken:
        result += [*_in_full(check, cells), Content("")]
    for check in sorted(rest, key=lambda check: order.index(check.verdict)):
        result += (
            _in_full(check, cells, " before too") if check.verdict is Verdict.FAILED else _brief(check, cells)
        )
    return result


def _in_full(check: CheckResult, cells: int, addition: str = "") -> list[Content]:
    """The check with its explanation and everything that it printed."""
    result = [_head(check, cells, addition)]
    if check.explanation:
        result += text.wrapped(text.plain(check.explanation, "bold"), cells, 2)
    for line in text.visible(check.detail).rstrip("\n").split("\n") if check.detail else []:
        result += [
            Content.styled("  │ ", "$text-error") + piece for piece in text.wrapped(Content(line), cells - 4)
        ]
    return result


def _brief(check: CheckResult, cells: int) -> list[Content]:
    detail = text.one_line(check.detail).strip()
    if check.verdict is Verdict.SKIPPED and detail:
        return [_head(check, cells), *text.wrapped(Content.styled(detail, "dim"), cells, 4)]
    return [_head(check, cells)]


def _head(check: CheckResult, cells: int, addition: str = "") -> Content:
    glyph, word, style = _MARKS[check.verdict]
    took = units.duration(check.seconds) if check.seconds >= 0.05 else ""
    return text.ends(
        text.own((f"{glyph} {word.ljust(8)}", style), text.one_line(check.title)),
        text.own((addition.strip(), "dim"), " " if addition and took else "", (took, "dim")),
        cells,
    )
