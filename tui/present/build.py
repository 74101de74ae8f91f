"""A running or finished job as lines: its steps, its log, and one line that says it all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from textual.content import Content

from phasewise.model import units
from phasewise.tui import text
from phasewise.tui.progress import Entry, Progress, StepProgress, StepState

_STEPS = {
    StepState.RUNNING: ("●", "bold $text-primary"),
    StepState.DONE: ("✔", "$text-success"),
    StepState.CACHED: ("✔", "$foreground 60%"),
    StepState.FAILED: ("✖", "bold $text-error"),
}
_ENTRIES = {
    "log": ("  ", "dim"),
    "say": ("» ", ""),
    "command": ("$ ", "bold $text-accent"),
    "good": ("✔ ", "$text-success"),
    "bad": ("✖ ", "$text-error"),
}
_BAR_CELLS = 10
_TAIL = 3
"""Lines of the log that the panel keeps free below the steps."""


def headline(progress: Progress, now: float) -> Content:
    """`measuring copy_chown  build 2 of 8  cold  00:40`: the title of the panel."""
    build, which = progress.build, _which(progress)
    scenario = f"  {build.scenario.value}" if build and progress.finished is None else ""
    return text.own(
        (text.one_line(progress.title), "bold"),
        f"{which}{scenario}",
        (f"  {units.clock(progress.seconds(now))}", "dim"),
    )


def status_line(progress: Progress | None, advice: Content, now: float, cells: int) -> Content:
    """The whole job on one line, or `advice` where none runs."""
    if progress is None:
        return text.fit(advice, cells)
    if progress.finished is not None:
        mark = ("✔ ", "bold $text-success") if progress.finished.ok else ("✖ ", "bold $text-error")
        said = text.own(
            mark,
            (text.one_line(progress.title), "bold"),
            f": {text.one_line(progress.finished.summary)}",
        )
        return text.ends(said, text.own((units.duration(progress.seconds(now)), "dim")), cells)
    then = f", then {text.one_line(progress.then)}" if progress.then else ""
    stop = "stopping …" if progress.stopping else "c to stop"
    return text.ends(
        text.own(
            ("● ", "bold $text-primary"),
            (text.one_line(progress.title), "bold"),
            f"{then}{_which(progress)}  {_doing(progress)}",
        ),
        text.own((f"{units.duration(progress.seconds(now))} so far, {stop}", "dim")),
        cells,
    )


def panel(
    progress: Progress | None,
    expected: Mapping[str, float],
    advice: Content,
    now: float,
    cells: int,
    rows: int,
) -> list[Content]:
    """The last steps and the last lines of the log, as many as fit on `rows`."""
    if progress is None:
        return text.wrapped(advice, cells)
    room = max(rows - 1, 0)
    steps = list(progress.steps.values())[-max(room - _TAIL, 0) :] if room > _TAIL else []
    left = room - len(steps)
    log = [entry for entry in progress.log if entry.step is None][-left:] if left else []
    return [
        *(step_line(step, expected, now, cells) for step in steps),
        *(entry_line(entry, cells)[0] for entry in log),
        status_line(progress, advice, now, cells),
    ]


def step_line(step: StepProgress, expected: Mapping[str, float], now: float, cells: int) -> Content:
    """One step with its time; a running one with a bar where the last build tells how long it takes."""
    glyph, style = _STEPS[step.state]
    left = text.own((f"{glyph} ", style), _name(step.name))
    if step.state is StepState.CACHED:
        return text.ends(left, Content.styled("cached", "dim"), cells)
    if step.state is not StepState.RUNNING:
        word = "failed " if step.state is StepState.FAILED else ""
        return text.ends(left, text.own((word, style), (units.duration(step.seconds), "dim")), cells)
    gone = max(now - step.started, 0.0)
    return text.ends(
        left, text.own((_bar(gone, expected.get(step.name)), "$text-primary"), units.duration(gone)), cells
    )


def log_lines(
    progress: Progress | None, expected: Mapping[str, float], advice: Content, now: float, cells: int
) -> list[Content]:
    """The whole log, long lines folded; each step stands where it began, with its present state."""
    if progress is None:
        return text.wrapped(advice, cells)
    result: list[Content] = []
    for entry in progress.log:
        if entry.step:
            result.append(step_line(entry.step, expected, now, cells))
        else:
            result += entry_line(entry, cells)
    return result


@lru_cache(maxsize=20_000)
def entry_line(entry: Entry, cells: int) -> tuple[Content, ...]:
    """One line of the log, with a mark for what the program says itself.

    Remembered: a log of thousands of lines is drawn again with every new one.
    """
    mark, style = _ENTRIES[entry.kind]
    pieces = text.folded(Content.styled(text.log_line(entry.text), style), max(cells - 2, 10))
    return tuple(
        Content.styled(mark if not index else "  ", style) + piece for index, piece in enumerate(pieces)
    )


def _which(progress: Progress) -> str:
    """`  build 2 of 8`; empty where there is but one."""
    build = progress.build
    return f"  build {build.number} of {build.total}" if build and build.total > 1 else ""


def _doing(progress: Progress) -> str:
    step = progress.running
    return _name(step.name if step else progress.what)


def _name(step: str) -> str:
    """A step's name on one line; BuildKit keeps the spaces of continuation lines."""
    return text.one_line(" ".join(step.split()))


def _bar(gone: float, expected_seconds: float | None) -> str:
    """`▓▓▓▓░░░░░░ `: never full before the step is over; empty when nothing is known."""
    if not expected_seconds or expected_seconds < 1:
        return ""
    full = min(int(_BAR_CELLS * gone / expected_seconds), _BAR_CELLS - 1)
    return "▓" * full + "░" * (_BAR_CELLS - full) + " "
