"""The migration so far: as the text of a pull request, as a page, or as JSON."""

from __future__ import annotations

import html
import json
from typing import Any

from phasewise.migration.errors import Usage
from phasewise.migration.sentences import variant
from phasewise.model.display import visible
from phasewise.model.measurement import CheckResult, Measurement, Verdict, Verification
from phasewise.model.phase import Evidence, Phase
from phasewise.model.status import Row, State, Status
from phasewise.model.units import duration, percent_change, size, size_change


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
    lines = [f"# {_title(status)}", "", _summary(status), ""]
    if done:
        lines += ["| phase | commit | image | change | checks |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(_cells(row))} |" for row in done]
        lines.append("")
    for row in done:
        lines += [f"## {row.id}: {_cell(row.title)}", ""]
        if row.phase:
            lines += [visible(row.phase.why), ""]
            lines += [f"- {_origin(evidence)}" for evidence in row.phase.evidence] + [""]
            lines += [f"Price: {visible(row.phase.costs)}", ""] if row.phase.costs else []
        lines += _paragraph([f"- measured: {_cell(sentence)}" for sentence in _measured(row)])
        broken = [_cell(result.explanation or result.title) for result in row.broken]
        lines += _paragraph([f"- **broken**: {explanation}" for explanation in broken])
    lines += [
        "Every figure above was measured by building the commit; none is an estimate.",
        "",
        "To take a phase back: `phasewise rollback PHASE`, or `git revert COMMIT`.",
    ]
    return "\n".join(lines).rstrip() + "\n"


def page(status: Status) -> str:
    """The same as one self-contained HTML page."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell.strip('`'))}</td>" for cell in _cells(row)) + "</tr>"
        for row in status.rows
        if row.commit
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>{html.escape(_title(status))}</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse}td,th{padding:.3rem .8rem;border-bottom:1px solid #8886;text-align:left}"
        ":root{color-scheme:light dark}</style>"
        f"<h1>{html.escape(_title(status))}</h1><p>{html.escape(_summary(status))}</p>"
        "<table><tr><th>phase<th>commit<th>image<th>change<th>checks</tr>"
        f"{rows}</table></html>\n"
    )


def status_record(status: Status) -> dict[str, Any]:
    """Where the migration stands, as JSON; a public contract, additions only."""
    return {
        "repo": status.path,
        "branch": status.branch,
        "head": status.head,
        "dockerfile": status.target.dockerfile,
        "stage": status.target.stage,
        "baseline": {
            "commit": status.baseline,
            "measurement": measurement_record(status.baseline_measurement),
            "verification": verification_record(status.baseline_verification),
        },
        "phases": [_row_record(row) for row in status.rows],
        "declined": [{"id": declined.id, "reason": declined.reason} for declined in status.declined],
        "refusal": status.refusal,
    }


def phase_record(phase: Phase) -> dict[str, Any]:
    """A proposal as the plan's JSON has it."""
    return {
        "id": phase.id,
        "title": phase.title,
        "why": phase.why,
        "risk": str(phase.risk),
        "files": list(phase.files),
        "diff": phase.diff(),
        "predicted": {"image_bytes": phase.predicted.image_bytes, "because": phase.predicted.because},
        "evidence": [_evidence_record(evidence) for evidence in phase.evidence],
        "needs": list(phase.needs),
        "excludes": list(phase.excludes),
        "costs": phase.costs,
        "choices": [
            {
                "id": choice.id,
                "title": choice.title,
                "multiple": choice.multiple,
                "options": [
                    {
                        "id": option.id,
                        "label": option.label,
                        "image_bytes": option.image_bytes,
                        "picked": option.id in choice.picked,
                    }
                    for option in choice.options
                ],
            }
            for choice in phase.choices
        ],
    }


def measurement_record(measurement: Measurement | None) -> dict[str, Any] | None:
    """One measurement: bytes are unpacked bytes as the engine reports them, times are seconds."""
    if measurement is None:
        return None
    return {
        "commit": measurement.commit,
        "dockerfile": measurement.dockerfile,
        "scenario": str(measurement.scenario),
        "outcome": str(measurement.outcome),
        "taken_at": measurement.taken_at.isoformat(),
        "engine": measurement.engine,
        "seconds": list(measurement.samples.seconds) if measurement.samples else [],
        "image_id": measurement.image_id,
        "image_bytes": measurement.image_bytes,
        "layers": [
            {"created_by": layer.created_by, "bytes": layer.size_bytes} for layer in measurement.layers
        ],
        "steps": [
            {"name": step.name, "seconds": step.seconds, "cached": step.cached} for step in measurement.steps
        ],
        "peak_memory_bytes": measurement.peak_memory_bytes,
        "note": measurement.note,
    }


def verification_record(verification: Verification | None) -> dict[str, Any] | None:
    """One verification, every check in it."""
    if verification is None:
        return None
    return {
        "commit": verification.commit,
        "taken_at": verification.taken_at.isoformat(),
        "passed": verification.count(Verdict.PASSED),
        "failed": verification.count(Verdict.FAILED),
        "skipped": verification.count(Verdict.SKIPPED),
        "checks": [check_record(result) for result in verification.results],
    }


def check_record(result: CheckResult) -> dict[str, Any]:
    """One check's answer."""
    return {
        "id": result.id,
        "title": result.title,
        "verdict": str(result.verdict),
        "detail": result.detail,
        "explanation": result.explanation,
    }


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "state": str(row.state),
        "commit": row.commit,
        "predicted": {"image_bytes": row.phase.predicted.image_bytes if row.phase else None},
        "delta": {
            "image_bytes": row.delta.image_bytes,
            "seconds": row.delta.seconds,
            "time_is_measurable": row.delta.time_is_measurable,
            "no_op": row.changed_nothing,
        }
        if row.delta
        else None,
        "measurement": measurement_record(row.measurement),
        "variant": measurement_record(row.variant),
        "start_up": {
            "what": row.start_up.what,
            "before_seconds": row.start_up.before_seconds,
            "after_seconds": row.start_up.after_seconds,
        }
        if row.start_up
        else None,
        "verification": verification_record(row.verification),
        "broken": [check_record(result) for result in row.broken],
        "refusal": row.refusal,
    }


def _evidence_record(evidence: Evidence) -> dict[str, Any]:
    since = evidence.provenance
    return {
        "path": evidence.path,
        "line": evidence.line,
        "text": evidence.text,
        "commit": since.commit if since else None,
        "author": since.author if since else None,
        "date": since.date.isoformat() if since else None,
        "subject": since.subject if since else None,
        "on_default_branch": since.on_default_branch if since else None,
    }


def _title(status: Status) -> str:
    return f"{status.target.label}: {sum(bool(row.commit) for row in status.rows)} migration phases"


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
        f"`{(row.commit or '')[:12]}`",
        f"{size(measured)}{timing}" if measured is not None else "not measured",
        size_change(change) + (" (nothing changed)" if row.changed_nothing else "")
        if change is not None
        else "",
        _checks(row),
    ]


def _paragraph(lines: list[str]) -> list[str]:
    """The lines and an empty one; nothing for none."""
    return [*lines, ""] if lines else []


def _measured(row: Row) -> list[str]:
    """What else was measured of the phase: the Dockerfile that it added, its price at start-up."""
    whole = row.measurement
    sentences = [variant(row.variant, whole)] if row.variant and whole else []
    return sentences + ([row.start_up.sentence] if row.start_up else [])


def _checks(row: Row) -> str:
    if row.state is State.FAILED:
        return f"{len(row.broken)} broken" if row.broken else "does not build"
    return f"{row.verification.count(Verdict.PASSED)} pass" if row.verification else "not run"


def _origin(evidence: Evidence) -> str:
    since = evidence.provenance
    place = f"{_cell(evidence.path)}:{evidence.line}"
    return f"{place}, since {since.commit[:12]} ({_cell(since.subject)})" if since else place


def _cell(text: str) -> str:
    """Text from the repository inside Markdown: one line, no markup of its own."""
    flat = visible(" ".join(text.split()))
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>|#" else character for character in flat)
