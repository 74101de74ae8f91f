"""Plans, measurements, checks and the standing of a migration as JSON: a public contract, additions only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phasewise.model.hunks import LeftOut, hunks, is_ticked
from phasewise.model.measurement import CheckResult, Measurement, Verdict, Verification
from phasewise.model.phase import Evidence, Phase
from phasewise.model.status import Row, Status

if TYPE_CHECKING:
    # Names in annotations only: the terminal UI draws its first frame without the Dockerfile parser.
    from phasewise.model.floor import Floor, Goal
    from phasewise.model.needed import Package


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
        "floor": floor_record(status.floor),
    }


def phase_record(phase: Phase, left_out: LeftOut | None = None) -> dict[str, Any]:
    """A proposal as the plan's JSON has it; its diff is the whole phase, with what is left out of it."""
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
        "affects": list(phase.affects),
        "hunks": _hunk_records(phase, left_out or {}),
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


def floor_record(floor: Floor | None) -> dict[str, Any] | None:
    """What the plan is predicted to leave, and what no phase removes; all predicted but `now_bytes`."""
    if floor is None:
        return None
    return {
        "now_bytes": floor.now_bytes,
        "planned_bytes": floor.planned_bytes,
        "image_bytes": floor.image_bytes,
        "base_bytes": floor.base_bytes,
        "application_bytes": floor.application_bytes,
        "packages": [_package_record(package) for package in floor.packages],
        "with": [{"id": asking.id, "image_bytes": asking.image_bytes} for asking in floor.asking],
    }


def goal_record(goal: Goal | None) -> dict[str, Any] | None:
    """Whether a wanted size can be reached, and what it would take."""
    if goal is None:
        return None
    return {
        "image_bytes": goal.image_bytes,
        "reachable": goal.reachable,
        "over_bytes": goal.over_bytes,
        "with": list(goal.asking),
        "packages": [_package_record(package) for package in goal.packages],
        "short_bytes": goal.short_bytes,
        "base_bytes": goal.base_bytes,
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


def _hunk_records(phase: Phase, left_out: LeftOut) -> list[dict[str, Any]]:
    """The hunks of every file, which can be left out one by one."""
    return [
        {
            "path": edit.path,
            "number": number,
            "id": hunk.id,
            "line": hunk.line,
            "removed": [line.rstrip("\r\n") for line in hunk.removed],
            "added": [line.rstrip("\r\n") for line in hunk.added],
            "ticked": is_ticked(left_out, edit.path, hunk.id),
        }
        for edit in phase.edits
        for number, hunk in enumerate(hunks(edit), 1)
    ]


def _package_record(package: Package) -> dict[str, Any]:
    return {
        "name": package.name,
        "kind": package.kind,
        "bytes": package.size_bytes,
        "needed_by": list(package.needed_by),
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
            "before_seconds": row.start_up.before.median,
            "after_seconds": row.start_up.after.median,
            "spread_seconds": row.start_up.spread,
            "imports": row.start_up.imports,
            "is_measurable": row.start_up.is_measurable,
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
