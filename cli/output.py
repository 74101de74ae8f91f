"""What the command line prints: data on standard output, narration on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, field

from phasewise.migration import outlook
from phasewise.migration.events import (
    BuildFinished,
    BuildStarted,
    Committed,
    Event,
    Finished,
    Measured,
    Narration,
    StepFinished,
    Verified,
)
from phasewise.migration.records import (
    check_record,
    floor_record,
    goal_record,
    phase_record,
    status_record,
)
from phasewise.migration.sentences import variant
from phasewise.model.display import log_line, visible
from phasewise.model.hunks import hunks, is_ticked
from phasewise.model.measurement import Measurement, Outcome, Verdict
from phasewise.model.phase import Phase, Plan
from phasewise.model.status import Status
from phasewise.model.units import duration, size, size_change

if TYPE_CHECKING:
    # Names in annotations only: the terminal UI draws its first frame without git and the Dockerfile parser.
    from phasewise.migration.session import Session
    from phasewise.model.elsewhere import Elsewhere
    from phasewise.model.floor import Floor, Goal
    from phasewise.model.hunks import LeftOut
    from phasewise.model.repo import Target

_STEP_CHARACTERS = 110

__all__ = ["data", "follow", "narrate", "status_record"]


def data(record: object) -> None:
    """Prints `record` as JSON on standard output."""
    json.dump(record, sys.stdout, indent=2, ensure_ascii=True)
    sys.stdout.write("\n")


def narrate(text: str) -> None:
    """Prints one line on standard error."""
    print(visible(text), file=sys.stderr, flush=True)


def follow(events: Iterator[Event], results: list[Any] | None = None) -> bool:
    """Narrates a job; whether it went well. Measurements and verifications are added to `results`."""
    ok = True
    # Closed at once when the user stops it: what it started must be gone before the process ends.
    with closing(cast(Generator[Event, None, None], events)):
        told: set[str] = set()
        for event in events:
            if isinstance(event, BuildStarted):
                told = set()
            if isinstance(event, StepFinished) and not event.error:
                if event.name in told:
                    # The same step again: BuildKit tells it once for looking and once for doing.
                    continue
                told.add(event.name)
            if isinstance(event, (Measured, Verified)) and results is not None:
                results.append(event.measurement if isinstance(event, Measured) else event)
            if isinstance(event, Finished):
                ok = event.ok
            for line in describe(event):
                narrate(line)
    return ok


def describe(event: Event) -> list[str]:
    """An event as lines for people; none for what is too fine to tell."""
    match event:
        case Narration(text=text):
            return [text]
        case Committed(commit=commit, subject=subject):
            return [f"committed {commit[:12]} {subject}"]
        case BuildStarted(commit=commit, scenario=scenario, number=number, total=total):
            return [f"build {number}/{total} of {commit[:12]}, {scenario}"]
        case StepFinished(name=name, error="") if name.startswith("[internal] "):
            return []
        case StepFinished(name=name, seconds=seconds, cached=cached, error=error):
            # What it said stands with the build's end.
            how = "cached" if cached else f"{duration(seconds)}{'  failed' if error else ''}"
            return [f"  {_step_name(name)}  {how}"]
        case BuildFinished(outcome=outcome, seconds=seconds, error=error):
            return [f"{outcome} in {duration(seconds)}"] + [
                f"  {log_line(line)}" for line in error.splitlines()
            ]
        case Measured(measurement=measurement):
            return [describe_measurement(measurement)]
        case Verified(verification=verification, broken=broken):
            passed, total = verification.count(Verdict.PASSED), len(verification.results)
            known = [r for r in verification.results if r.verdict is Verdict.FAILED and r not in broken]
            return [
                f"{passed} of {total} checks pass",
                *(f"broken: {result.explanation or result.title}" for result in broken),
                *(f"fails on the baseline already: {result.explanation or result.title}" for result in known),
            ]
        case Finished(ok=ok, summary=summary):
            return [summary if ok else f"FAILED: {summary}"]
    return []


def describe_measurement(measurement: Measurement) -> str:
    """`measured 6bd0f4a7c1d2 rebuild: 512 MB in 41 s`."""
    head = f"measured {measurement.commit[:12]} {measurement.scenario}"
    if measurement.outcome is not Outcome.BUILT:
        return f"{head}: {measurement.outcome} {measurement.note}".rstrip()
    parts = [size(measurement.image_bytes)] if measurement.image_bytes is not None else []
    if measurement.samples:
        spread = (
            f" ± {duration(measurement.samples.spread / 2)}" if len(measurement.samples.seconds) > 1 else ""
        )
        parts.append(f"in {duration(measurement.samples.median)}{spread}")
    if measurement.peak_memory_bytes is not None:
        parts.append(f"peak memory {size(measurement.peak_memory_bytes)}")
    return f"{head}: {', '.join(parts)}"


class Planned(Struct, frozen=True):
    """One target's plan, and how small it gets."""

    target: Target
    plan: Plan
    floor: Floor | None
    goal_bytes: int | None = None
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    """What the user left out, by phase."""
    elsewhere: tuple[Elsewhere, ...] = ()
    """The phases of other targets that change files which this one reads too."""
    unreadable: str = ""
    """Where and why the Dockerfile cannot be read; '' when it can."""

    @property
    def goal(self) -> Goal | None:
        """What the wanted size takes; None where none is wanted, or nothing is known."""
        return self.floor.goal(self.goal_bytes) if self.floor and self.goal_bytes is not None else None


def plan_record(session: Session, plans: Sequence[Planned]) -> dict[str, Any]:
    """The plan as the public JSON contract has it."""
    return {
        "repo": str(session.repository.root),
        "head": session.repository.head(),
        "targets": [
            {
                "dockerfile": each.target.dockerfile,
                "stage": each.target.stage,
                "context": each.target.context,
                "phases": [
                    phase_record(phase, each.left_out.get(phase.id, {})) for phase in each.plan.phases
                ],
                "declined": [
                    {"id": declined.id, "reason": declined.reason} for declined in each.plan.declined
                ],
                "shared": [
                    {
                        "id": one.phase.id,
                        "dockerfile": one.target.dockerfile,
                        "stage": one.target.stage,
                        "files": list(one.paths),
                    }
                    for one in each.elsewhere
                ],
                "floor": floor_record(each.floor),
                "goal": goal_record(each.goal),
            }
            for each in plans
        ],
    }


def print_plans(plans: Sequence[Planned]) -> None:
    """The plan for people: each phase with its reason, its evidence and its diff; then what they leave."""
    for each in plans:
        target, plan = each.target, each.plan
        _out(f"{target.label}  (context {target.context})")
        for number, phase in enumerate(plan.phases, 1):
            predicted = phase.predicted.image_bytes
            effect = f"  {size_change(predicted)} predicted" if predicted is not None else ""
            _out(f"\n{number} {phase.id}: {phase.title}  [{phase.risk}]{effect}")
            _out(_indented(phase.why))
            for choice in phase.choices:
                options = ", ".join(f"{'*' if o.id in choice.picked else ''}{o.id}" for o in choice.options)
                _out(f"    --pick {phase.id}.{choice.id}=...  {choice.title}: {options}")
            if phase.affects:
                _out(f"    also affects {', '.join(phase.affects)}")
            for evidence in phase.evidence:
                since = evidence.provenance
                origin = f"  since {since.commit[:12]} {since.date:%Y-%m-%d} {since.subject}" if since else ""
                _out(f"    {evidence.path}:{evidence.line}{origin}")
            _out(_indented(phase.diff()))
            for line in _hunk_lines(phase, each.left_out.get(phase.id, {})):
                _out(line)
        reasons: dict[str, list[str]] = {}
        for declined in plan.declined:
            reasons.setdefault(declined.reason, []).append(declined.id)
        for reason, ids in reasons.items():
            _out(f"\n- {', '.join(ids)}: {reason}")
        for one in each.elsewhere:
            _out(
                f"\n{one.phase.id} of {one.target.label} changes files that this target shares: "
                f"{', '.join(one.paths)}"
            )
        _out("")
        for line in _outlook(each):
            _out(line)


def _hunk_lines(phase: Phase, left_out: LeftOut) -> list[str]:
    """How each file and hunk is left out, where there is more than one; what is left out already says so."""
    lines = []
    for edit in phase.edits:
        found = hunks(edit)
        if len(phase.edits) > 1:
            state = "left out" if edit.path in left_out and not left_out[edit.path] else ""
            lines.append(f"    --without {phase.id}:{edit.path}  {state}".rstrip())
        for number, hunk in enumerate(found, 1) if len(found) > 1 else ():
            state = "" if is_ticked(left_out, edit.path, hunk.id) else "left out: "
            lines.append(f"    --without {phase.id}:{edit.path}:{number}  {state}{hunk.first}")
    return lines


def _outlook(planned: Planned) -> list[str]:
    """The floor and the goal, a line each; that nothing is known where a goal is asked about too early."""
    if planned.floor is None:
        early = "Goal: whether it can be reached is known once the baseline is built (phasewise verify)."
        return [early, ""] if planned.goal_bytes is not None else []
    return [*outlook.sentences(planned.floor, planned.goal_bytes), ""]


def print_status(status: Status) -> None:
    """Where the migration stands, a line a phase."""
    _out(f"{status.repository}  {status.branch} {status.head[:12]}  {status.target.label}")
    if status.unreadable:
        _out(f"nothing is proposed: {status.unreadable}")
    start, now = status.baseline_measurement, status.current_measurement
    if start and start.image_bytes is not None:
        _out(f"baseline {status.baseline[:12]}  {size(start.image_bytes)} measured")
    for row in status.rows:
        figure = ""
        if row.delta and row.delta.image_bytes is not None:
            figure = f"{size_change(row.delta.image_bytes)} measured"
            if row.changed_nothing:
                figure += ", NOTHING CHANGED"
        elif row.phase and row.phase.predicted.image_bytes is not None and not row.commit:
            figure = f"{size_change(row.phase.predicted.image_bytes)} predicted"
        _out(f"  {row.state:<12} {row.id:<22} {figure}")
        if row.variant and row.measurement:
            _out(f"      {variant(row.variant, row.measurement)}")
        if row.start_up:
            _out(f"      {row.start_up.sentence}")
        for result in row.broken:
            _out(f"      {result.explanation or result.title}")
    for declined in status.declined:
        if declined.wrong:
            _out(f"  to be mended  {declined.id}: {declined.reason}")
    if now and now.image_bytes is not None and now is not start:
        _out(f"now {status.head[:12]}  {size(now.image_bytes)} measured")
    for line in outlook.sentences(status.floor, status.budget_bytes):
        _out(line)


def print_measurements(measurements: Sequence[Measurement]) -> None:
    """A line a measurement."""
    for measurement in measurements:
        _out(describe_measurement(measurement))


def verification_record(verified: Sequence[Verified]) -> dict[str, Any]:
    """The last verification as JSON: every check, and which are broken."""
    if not verified:
        return {"checks": [], "broken": []}
    last = verified[-1]
    return {
        "commit": last.verification.commit,
        "checks": [check_record(result) for result in last.verification.results],
        "broken": [result.id for result in last.broken],
    }


def print_verification(verified: Sequence[Verified]) -> None:
    """The checks of the last verification, failing ones with what they saw."""
    for event in verified[-1:]:
        for result in event.verification.results:
            _out(f"{result.verdict:<8} {result.title}")
            if result.verdict is Verdict.FAILED:
                _out(_indented(result.explanation or result.detail))
            elif result.verdict is Verdict.SKIPPED and result.detail:
                _out(_indented(result.detail))


def _out(text: str) -> None:
    sys.stdout.write(f"{visible(text)}\n")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))


def _step_name(name: str) -> str:
    """The step on one line of its own; an ellipsis where it is cut."""
    first, _, rest = name.replace("\\\n", " ").partition("\n")
    line = " ".join(log_line(first).split())
    return f"{line[: _STEP_CHARACTERS - 1]}…" if rest or len(line) > _STEP_CHARACTERS else line
