"""Puts plan, ledger and wishes together into the rows that a front end shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from phasewise.migration.ledger import Applied
from phasewise.migration.planning import Wishes, left_out, rule_of
from phasewise.model.measurement import Delta, Measurement, Outcome, Scenario, Verification
from phasewise.model.phase import Phase, Plan, Risk
from phasewise.model.start_up import StartUp
from phasewise.model.status import Row, State
from phasewise.rules.base import Rule


class Record(Struct, frozen=True):
    """What is known of one commit: its measurements by scenario, and its verification."""

    measurements: Mapping[Scenario, Measurement]
    verification: Verification | None

    @property
    def newest(self) -> Measurement | None:
        """The latest measurement that has a size, else the latest of all.

        The image of a code change holds a touched file: it stands for the commit only where no other does.
        """

        def rank(one: Measurement) -> tuple[bool, bool, datetime]:
            return one.image_bytes is not None, one.scenario is not Scenario.CODE_CHANGE, one.taken_at

        return max(self.measurements.values(), key=rank, default=None)


class Step(Struct, frozen=True):
    """One applied phase and what was found out about its commit."""

    entry: Applied
    phase: Phase | None
    before: Record
    """Of the measured commit before it."""
    record: Record
    variant: Measurement | None = None
    """The build of the further Dockerfile that it added or changed."""


def delta(before: Record, after: Record) -> Delta | None:
    """The change from one commit to the next, on a scenario that both have, where there is one."""
    common = [
        scenario
        for scenario in Scenario
        if scenario in before.measurements and scenario in after.measurements
    ]
    if common:
        return Delta.between(before.measurements[common[0]], after.measurements[common[0]])
    if before.newest and after.newest:
        return Delta.between(before.newest, after.newest)
    return None


def applied_rows(steps: Sequence[Step], baseline: Record) -> list[Row]:
    """One row an applied phase, in the order in which they were committed.

    A phase without checks of its own counts as verified when a later commit, which holds it too, passes.
    """
    rows, checked = [], baseline.verification
    passing = [index for index, step in enumerate(steps) if _passes(step.record, baseline)]
    for index, step in enumerate(steps):
        record = step.record
        broken = (
            record.verification.broken_since(baseline.verification)
            if record.verification and baseline.verification
            else ()
        )
        rows.append(
            Row(
                id=step.entry.id,
                title=step.entry.title,
                state=_state(
                    step,
                    broken=bool(broken),
                    passed=_passes(record, baseline) or (bool(passing) and index < passing[-1]),
                ),
                phase=step.phase,
                commit=step.entry.commit,
                nth=index + 1,
                measurement=record.newest,
                measurements=tuple(record.measurements.values()),
                before=tuple(step.before.measurements.values()),
                delta=delta(step.before, record),
                verification=record.verification,
                broken=broken,
                variant=step.variant,
                start_up=start_up(step.phase, checked, record.verification),
            )
        )
        checked = record.verification or checked
    return rows


def start_up(phase: Phase | None, before: Verification | None, after: Verification | None) -> StartUp | None:
    """The price at start-up of a phase that says it has one; None where it was not measured on both sides."""
    if phase is None or not phase.costs_start_up or before is None or after is None:
        return None
    return StartUp.between(before, after)


def proposed_rows(plan: Plan, wishes: Wishes, rolled_back: frozenset[str]) -> list[Row]:
    """One row a proposal, in the order of the plan."""
    return [
        Row(
            id=phase.id,
            title=phase.title,
            state=_proposed_state(phase, wishes, rolled_back),
            phase=phase,
            unticked=wishes.unticked.get(phase.id, frozenset()),
            left_out={path: hunks for path, hunks in left_out(phase, wishes).items() if hunks},
        )
        for phase in plan.phases
    ]


def in_plan_order(rows: Sequence[Row], rules: Sequence[Rule]) -> tuple[Row, ...]:
    """The rows by their rules' places in the plan, whether applied or not, so that none jumps."""

    def place(row: Row) -> tuple[int, str]:
        rule = rule_of(row.id, rules)
        return (rules.index(rule) if rule else -1, row.id)

    return tuple(sorted(rows, key=place))


def with_refusals(rows: Sequence[Row], refusals: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows with the reasons why some cannot be applied or rolled back now."""
    applied = frozenset(row.id for row in rows if row.commit)
    return tuple(
        replace(
            row,
            refusal=(order_refusal(row.phase, applied) if row.phase and not row.commit else "")
            or refusals.get(row.id, ""),
        )
        for row in rows
    )


def order_refusal(phase: Phase, applied: frozenset[str]) -> str:
    """Why the order forbids the phase: another is needed first, or excludes it; '' when it may come now."""
    missing = [id for id in phase.needs if id not in applied]
    if missing:
        return f"needs {', '.join(missing)} first"
    against = [id for id in phase.excludes if id in applied]
    return f"excluded by {', '.join(against)}" if against else ""


def _passes(record: Record, baseline: Record) -> bool:
    """Whether the commit was checked and breaks nothing that the baseline could."""
    if record.verification is None or baseline.verification is None:
        return False
    return not record.verification.broken_since(baseline.verification)


def _state(step: Step, broken: bool, passed: bool) -> State:
    newest = max(step.record.measurements.values(), key=lambda m: m.taken_at, default=None)
    if broken or any(built and built.outcome is Outcome.FAILED for built in (newest, step.variant)):
        return State.FAILED
    return State.VERIFIED if passed else State.APPLIED


def _proposed_state(phase: Phase, wishes: Wishes, rolled_back: frozenset[str]) -> State:
    if phase.id in wishes.skipped:
        return State.SKIPPED
    if phase.id in rolled_back:
        return State.ROLLED_BACK
    return State.ASKS if phase.risk is Risk.ASK else State.PROPOSED
