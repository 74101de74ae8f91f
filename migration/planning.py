"""From a view to a plan: every rule in turn, each on the text that the earlier phases leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from phasewise.migration.ledger import Applied
from phasewise.model.dockerfile import DockerfileError
from phasewise.model.phase import Declined, Phase, Plan, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.base import Picks, Rule
from phasewise.rules.discovery import all_rules


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user decided about phases, by phase id."""

    picks: Mapping[str, Picks] = field(default_factory=dict)
    unticked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Files to leave out."""
    skipped: frozenset[str] = frozenset()


def make_plan(
    view: RepoView, wishes: Wishes, taken: frozenset[str] = frozenset(), rules: Sequence[Rule] | None = None
) -> Plan:
    """The ordered phases for `view`, and what was declined.

    A phase is proposed on the text that the phases before it leave; those which the user skipped, or
    which wait for a yes, leave no trace in it. Ids in `taken` belong to applied phases: a rule that fires
    again gets a suffix.
    """
    phases: list[Phase] = []
    declined: list[Declined] = []
    for rule in all_rules() if rules is None else rules:
        answer = propose(rule, view, wishes)
        if isinstance(answer, Declined):
            declined.append(answer)
            continue
        phase = replace(answer, id=free_id(answer.id, taken))
        phases.append(phase)
        if phase.risk is not Risk.ASK and phase.id not in wishes.skipped:
            view = view.with_edits(ticked(phase, wishes).edits)
    return Plan(tuple(phases), tuple(declined))


def propose(rule: Rule, view: RepoView, wishes: Wishes) -> Phase | Declined:
    """What one rule says of `view`; a Dockerfile that does not parse is a reason to decline."""
    try:
        return rule.propose(view, wishes.picks.get(rule.id, {}))
    except DockerfileError as error:
        return Declined(rule.id, f"the Dockerfile cannot be read: {error}")


def ticked(phase: Phase, wishes: Wishes) -> Phase:
    """The phase without the files that the user unticked; whole when nothing would be left."""
    left_out = wishes.unticked.get(phase.id, frozenset())
    kept = frozenset(edit.path for edit in phase.edits if edit.changes and edit.path not in left_out)
    return phase.only(kept) if left_out and kept else phase


def recorded_picks(wishes: Wishes, applied: Iterable[Applied], rules: Sequence[Rule] | None = None) -> Wishes:
    """`wishes` with the picks that the applied phases' commits record, where the user left them open."""
    recorded = {
        rule.id: entry.picks for entry in applied if (rule := rule_of(entry.id, rules)) and entry.picks
    }
    return replace(wishes, picks={**recorded, **wishes.picks})


def rule_of(phase_id: str, rules: Sequence[Rule] | None = None) -> Rule | None:
    """The rule that proposes phases of that id, suffix or not."""
    by_id = {rule.id: rule for rule in (all_rules() if rules is None else rules)}
    stem, _, suffix = phase_id.rpartition("_")
    return by_id.get(phase_id) or (by_id.get(stem) if suffix.isdigit() else None)


def free_id(id: str, taken: frozenset[str]) -> str:
    """`id`, or with the first suffix that is free."""
    number, candidate = 1, id
    while candidate in taken:
        number += 1
        candidate = f"{id}_{number}"
    return candidate
