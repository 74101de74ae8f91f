"""The migration so far: as the text of a pull request, as a page, or as JSON."""

from __future__ import annotations

import html
import json

from phasewise.migration import outlook, sentences
from phasewise.migration.errors import Usage
from phasewise.migration.records import status_record
from phasewise.model.display import visible
from phasewise.model.measurement import Verdict
from phasewise.model.phase import Evidence
from phasewise.model.status import Row, State, Status
from phasewise.model.units import duration, percent_change, size, size_change

_COLUMNS = ("phase", "commit", "image", "change", "checks")
_PROVENANCE = "Every figure was measured by building the commit; none is an estimate."
_BUT_PREDICTED = "Every figure was measured by building the commit, but those that are called predicted."


def render(status: Status, format: str) -> str:
    """The report as `md`, `html` or `json`.

    Raises:
        Usage: another format is asked for.
    """
    match format:
        case "md":
            return markdown(status)
        case "html":
            return page(status)
        case "json":
            return json.dumps(status_record(status), indent=2)
    raise Usage(f"no report format {format}", "there are: md, html, json")


def markdown(status: Status) -> str:
    """The text of a pull request: what changed, what was measured, what was checked, how to go back."""
    done = [row for row in status.rows if row.commit]
    lines = [f"# {_cell(_title(status))}", "", _summary(status), ""]
    if done:
        lines += [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
        lines += [f"| {' | '.join(_cells(row))} |" for row in done]
        lines.append("")
    for row in done:
        lines += [f"## {row.id}: {_cell(row.title)}", ""]
        for paragraph in _paragraphs(row):
            lines += [_prose(paragraph), ""]
        points = [f"- {point}" for point in (*map(_cell, _origins(row)), *map(_prose, _findings(row)))]
        lines += [*points, ""] if points else []
    left = outlook.sentences(status.floor, status.budget_bytes)
    if left:
        lines += ["## What is left", "", *(f"- {_prose(sentence)}" for sentence in left), ""]
    lines += [
        _BUT_PREDICTED if left else _PROVENANCE,
        "",
        "To take a phase back: `phasewise rollback PHASE`, or `git revert COMMIT`.",
    ]
    return "\n".join(lines).rstrip() + "\n"


def page(status: Status) -> str:
    """The same as one self-contained HTML page."""
    done = [row for row in status.rows if row.commit]
    heads = "".join(f"<th>{column}" for column in _COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in _cells(row)) + "</tr>" for row in done
    )
    sections = "".join(
        f"<h2>{_text(f'{row.id}: {row.title}')}</h2>"
        + "".join(f"<p>{_text(paragraph)}</p>" for paragraph in _paragraphs(row))
        + "".join(f"<li>{_text(point)}</li>" for point in (*_origins(row), *_findings(row)))
        for row in done
    )
    left = outlook.sentences(status.floor, status.budget_bytes)
    if left:
        sections += "<h2>What is left</h2>" + "".join(f"<li>{_text(sentence)}</li>" for sentence in left)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>{_text(_title(status))}</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse}td,th{padding:.3rem .8rem;border-bottom:1px solid #8886;text-align:left}"
        ":root{color-scheme:light dark}</style>"
        f"<h1>{_text(_title(status))}</h1><p>{_text(_summary(status))}</p>"
        f"<table><tr>{heads}</tr>{rows}</table>{sections}"
        f"<p>{_BUT_PREDICTED if left else _PROVENANCE}</p></html>\n"
    )


def _paragraphs(row: Row) -> list[str]:
    """Why the phase was applied, and what it costs."""
    if row.phase is None:
        return []
    price = [f"Price: {row.phase.costs}"] if row.phase.costs else []
    return [part for part in row.phase.why.split("\n\n") if part.strip()] + price


def _origins(row: Row) -> list[str]:
    """The lines that the phase rests on, and the commits that brought them in."""
    return [_origin(evidence) for evidence in (row.phase.evidence if row.phase else ())]


def _findings(row: Row) -> list[str]:
    """What else was measured of the phase, and what it broke."""
    broken = [f"broken: {result.explanation or result.title}" for result in row.broken]
    return [f"measured: {sentence}" for sentence in sentences.findings(row)] + broken


def _title(status: Status) -> str:
    number = sum(bool(row.commit) for row in status.rows)
    return f"{status.target.label}: {number} migration phase{'' if number == 1 else 's'}"


def _summary(status: Status) -> str:
    """One sentence with the measured total, or that there is none yet."""
    start, now = status.baseline_measurement, status.current_measurement
    if not (start and now and start.image_bytes is not None and now.image_bytes is not None):
        return "Not measured yet."
    change = percent_change(start.image_bytes, now.image_bytes)
    return (
        f"The image went from {size(start.image_bytes)} ({start.image_bytes:,} bytes) to "
        f"{size(now.image_bytes)} ({now.image_bytes:,} bytes), {change}, unpacked, as {now.engine} reports it."
    )


def _cells(row: Row) -> list[str]:
    measured = row.measurement.image_bytes if row.measurement else None
    change = row.delta.image_bytes if row.delta else None
    timing = (
        f", built in {duration(row.measurement.samples.median)}"
        if row.measurement and row.measurement.samples
        else ""
    )
    return [
        row.id,
        (row.commit or "")[:12],
        f"{size(measured)}{timing}" if measured is not None else "not measured",
        size_change(change) + (" (nothing changed)" if row.changed_nothing else "")
        if change is not None
        else "",
        _checks(row),
    ]


def _checks(row: Row) -> str:
    if row.state is State.FAILED:
        return f"{len(row.broken)} broken" if row.broken else "does not build"
    if row.verification:
        return f"{row.verification.count(Verdict.PASSED)} pass"
    return "pass at a later commit" if row.state is State.VERIFIED else "not run"


def _origin(evidence: Evidence) -> str:
    since = evidence.provenance
    place = f"{evidence.path}:{evidence.line}"
    return f"{place}, since {since.commit[:12]} ({since.subject})" if since else place


def _text(text: str) -> str:
    """Text from the repository inside HTML."""
    return html.escape(visible(text))


def _prose(text: str) -> str:
    """Our sentences, with names from the repository in them, inside Markdown: code spans, but no other markup."""
    return _escaped(text, "\\*[]<>|#")


def _cell(text: str) -> str:
    """Text from the repository inside Markdown: one line, no markup of its own."""
    return _escaped(text, "\\`*_{}[]<>|#")


def _escaped(text: str, markup: str) -> str:
    flat = visible(" ".join(text.split()))
    return "".join(f"\\{character}" if character in markup else character for character in flat)
