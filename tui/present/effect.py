"""What a phase changed, as a table before / after; predicted figures never look like measured ones."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from phasewise.migration import outlook, sentences
from phasewise.model import units
from phasewise.model.measurement import Delta, Measurement, Scenario
from phasewise.model.status import Row, Status
from phasewise.tui import text
from phasewise.tui.present import bars
from phasewise.tui.present.phases import APPLIED

_TIMES = (
    (Scenario.COLD, "cold build"),
    (Scenario.WARM, "warm build"),
    (Scenario.CODE_CHANGE, "code change"),
    (Scenario.REBUILD, "rebuild"),
)
_COLUMNS = (14, 13, 13, 22)


def lines(status: Status, row: Row, cells: int) -> list[Content]:
    """The table of a measured phase, or what is expected of a proposed one."""
    if row.state not in APPLIED:
        return _expected(status, row, cells)
    if row.measurement is None:
        return text.wrapped(
            text.own("Committed, not measured yet. ", ("m", "bold $text-accent"), " measures it."), cells
        )
    result = [
        _cells(("", "before", "after", "change"), ("dim",) * 4, cells),
        *_table(row, cells),
        Content(""),
    ]
    result += _verdict(row, cells)
    result += _against_prediction(row, cells)
    result += _findings(row, cells)
    result += _exact(row, cells)
    result += [Content(""), Content.styled("Layers after", "bold $text-accent")]
    return [
        *result,
        *bars.layer_lines(row.measurement.layers, cells),
        Content(""),
        *_footnote(row.measurement, cells),
    ]


def _all(newest: Measurement | None, others: Sequence[Measurement]) -> tuple[Measurement, ...]:
    return tuple(others) or ((newest,) if newest else ())


def _of(measurements: Sequence[Measurement], scenario: Scenario) -> Measurement | None:
    return next((one for one in measurements if one.scenario is scenario and one.samples), None)


def _sized(measurements: Sequence[Measurement]) -> int | None:
    return next((one.image_bytes for one in measurements if one.image_bytes is not None), None)


def _table(row: Row, cells: int) -> list[Content]:
    old, new = row.before, _all(row.measurement, row.measurements)
    result = [_size_line(_sized(old), _sized(new), row.changed_nothing, cells)]
    for scenario, label in _TIMES:
        one, other = _of(old, scenario), _of(new, scenario)
        if one or other:
            result.append(_time_line(label, one, other, cells))
    peaks = [next((m.peak_memory_bytes for m in side if m.peak_memory_bytes), None) for side in (old, new)]
    if any(peaks):
        result.append(
            _cells(
                ("peak memory", *(units.size(peak) if peak else "–" for peak in peaks), ""),
                ("", "", "bold", ""),
                cells,
            )
        )
    return result


def _size_line(old: int | None, new: int | None, no_op: bool, cells: int) -> Content:
    change, style = "", ""
    if old is not None and new is not None:
        change = f"{units.size_change(new - old)}  {units.percent_change(old, new)}".strip()
        style = "bold $text-success" if new < old else "bold $text-warning" if new > old else "bold"
    if no_op:
        change, style = "0 B  no-op ⚠", "bold $text-warning"
    figures = tuple(units.size(side) if side is not None else "–" for side in (old, new))
    return _cells(("image size", *figures, change), ("", "", "bold", style), cells)


def _time_line(label: str, old: Measurement | None, new: Measurement | None, cells: int) -> Content:
    change, style = "", "dim"
    if old and new:
        delta = Delta.between(old, new)
        if new.scenario is Scenario.REBUILD:
            # Each was built with what the cache held then: the difference says nothing of the phase.
            change = "caches may differ"
        elif delta.seconds is not None and _once(old, new):
            # Without a spread nobody can tell this from chance.
            change, style = f"{units.duration_change(delta.seconds)}, built once", ""
        elif delta.time_is_measurable and delta.seconds is not None:
            change = units.duration_change(delta.seconds)
            style = "bold $text-success" if delta.seconds < 0 else "bold $text-warning"
        else:
            change = "no measurable change"
    return _cells((label, _timed(old), _timed(new), change), ("", "", "bold", style), cells)


def _once(*sides: Measurement) -> bool:
    """Whether no side was built more than once."""
    return all(side.samples is not None and len(side.samples.seconds) == 1 for side in sides)


def _timed(measurement: Measurement | None) -> str:
    """The median with half the spread, `41 s ±2`; `–` where it was not measured."""
    if measurement is None or measurement.samples is None:
        return "–"
    samples = measurement.samples
    spread = f" ±{samples.spread / 2:.1f}" if len(samples.seconds) > 1 else ""
    return units.duration(samples.median) + spread


def _cells(texts: Sequence[str], styles: Sequence[str], cells: int) -> Content:
    """One line of the table, figures set to the right."""
    label, *figures = (
        Content.styled(shown.ljust(width) if not index else f"  {shown}".rjust(width), style)
        for index, (shown, style, width) in enumerate(zip(texts, styles, _widths(cells), strict=True))
    )
    return Content("").join([label, *figures])


def _widths(cells: int) -> Sequence[int]:
    spare = cells - sum(_COLUMNS)
    return _COLUMNS if spare >= 0 else (12, 11, 11, _COLUMNS[3])


def _verdict(row: Row, cells: int) -> list[Content]:
    if not row.changed_nothing:
        return []
    said = (
        "⚠ This phase changed no byte and no build step: it does nothing here. "
        "A silent no-op often hides behind `|| true`."
    )
    return [*text.wrapped(Content.styled(said, "bold $text-warning"), cells), Content("")]


def _findings(row: Row, cells: int) -> list[Content]:
    """What else was measured: another image, the start-up."""
    said = sentences.findings(row)
    return [line for each in said for line in text.wrapped(text.plain(each, "bold"), cells)]


def _against_prediction(row: Row, cells: int) -> list[Content]:
    predicted = row.phase.predicted if row.phase else None
    if predicted is None or predicted.image_bytes is None:
        return []
    measured = row.delta.image_bytes if row.delta else None
    said = text.own(
        ("predicted ", "dim"),
        (units.size_change(predicted.image_bytes), "italic dim"),
        ("   measured ", "dim"),
        (units.size_change(measured), "bold") if measured is not None else ("–", "dim"),
    )
    return text.wrapped(said, cells)


def _exact(row: Row, cells: int) -> list[Content]:
    old, new = _sized(row.before), _sized(_all(row.measurement, row.measurements))
    if old is None or new is None:
        return []
    return text.wrapped(
        text.own((f"exactly {units.exact_bytes(old)} → {units.exact_bytes(new)}", "dim")), cells
    )


def _footnote(measurement: Measurement, cells: int) -> list[Content]:
    kind = measurement.scenario.value
    build = f"{kind if kind.endswith('build') else f'{kind} build'} of {measurement.commit[:7]}"
    said = f"{build}, {measurement.engine}; unpacked bytes"
    result = text.wrapped(text.plain(said, "dim"), cells)
    return result + (
        text.wrapped(text.plain(measurement.note, "italic dim"), cells) if measurement.note else []
    )


def _expected(status: Status, row: Row, cells: int) -> list[Content]:
    predicted = row.phase.predicted if row.phase else None
    result: list[Content] = []
    if predicted is None or predicted.image_bytes is None:
        result += text.wrapped(Content.styled("No figure yet", "bold"), cells)
        why = (
            predicted.because if predicted else ""
        ) or "Nothing is predicted before the baseline's image is looked into."
        result += text.wrapped(text.plain(why, "dim"), cells)
    else:
        result.append(
            text.own(
                (units.size_change(predicted.image_bytes), "italic"),
                (
                    " predicted for all of it; hunks are left out"
                    if row.left_out
                    else " predicted, not measured",
                    "italic dim",
                ),
            )
        )
        result += text.wrapped(text.plain(predicted.because, "dim"), cells)
    for said in outlook.sentences(status.floor, status.budget_bytes):
        result += text.wrapped(text.plain(said, "italic dim"), cells)
    start = status.current_measurement or status.baseline_measurement
    if start is not None and start.layers:
        result += [
            Content(""),
            Content.styled("Layers now", "bold $text-accent"),
            *bars.layer_lines(start.layers, cells),
        ]
    return result
