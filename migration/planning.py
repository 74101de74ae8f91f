"""From a view to a plan: every rule in turn, each on the text that the earlier phases leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from phasewise.migration.ledger import Applied
from phasewise.model.committed_lines import with_committed_lines
from phasewise.model.dockerfile import DockerfileError
from phasewise.model.hunks import LeftOut, hunks, without
from phasewise.model.partial import problem
from phasewise.model.phase import Declined, FileEdit, Phase, Plan, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.base import Picks, Rule
from phasewise.rules.discovery import all_rules


class Wishes(Struct, frozen=True):
    """What the user decided about phases, by phase id."""

    picks: Mapping[str, Picks] = field(default_factory=dict)
    unticked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Files to leave out."""
    left_out: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """Hunks to leave out, by path, by their ids."""
    skipped: frozenset[str] = frozenset()

    def ticking(self, phase: str, path: str, on: bool) -> Wishes:
        """The wishes with a file of a phase taken in or left out."""
        files = self.unticked.get(phase, frozenset())
        return replace(self, unticked={**self.unticked, phase: files - {path} if on else files | {path}})

    def ticking_hunks(self, phase: str, path: str, hunks: Iterable[str], on: bool) -> Wishes:
        """The wishes with hunks of a file taken in or left out."""
        paths = self.left_out.get(phase, {})
        ids = paths.get(path, frozenset())
        changed = ids - frozenset(hunks) if on else ids | frozenset(hunks)
        return replace(self, left_out={**self.left_out, phase: {**paths, path: changed}})


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
    """What one rule says of `view`, with the committed line numbers; a Dockerfile that does not parse is a reason to
    decline."""
    try:
        return with_committed_lines(rule.propose(view, wishes.picks.get(rule.id, {})), view)
    except DockerfileError as error:
        return Declined(rule.id, f"the Dockerfile cannot be read: {error}")


def ticked(phase: Phase, wishes: Wishes) -> Phase:
    """The phase without the files and hunks that the user unticked; whole when nothing would be left."""
    if phase.id not in wishes.unticked and phase.id not in wishes.left_out:
        return phase
    edits = _kept(phase, wishes)
    return replace(phase, edits=edits) if edits else phase


def objection(phase: Phase, wishes: Wishes) -> str:
    """Why the phase cannot be applied with what is unticked, as a sentence; '' when it can."""
    parts = _kept(phase, wishes)
    if not parts:
        return "a phase needs at least one change; skip the whole phase instead"
    whole = {edit.path: edit for edit in phase.edits}
    found = (problem(whole[part.path], part) for part in parts if part != whole[part.path])
    return next((f"without that, {reason}" for reason in found if reason), "")


def left_out(phase: Phase, wishes: Wishes) -> LeftOut:
    """What is unticked of the phase as it is proposed now; what it does not have is not told."""
    files, chosen = wishes.unticked.get(phase.id, frozenset()), wishes.left_out.get(phase.id, {})
    found = {edit.path: frozenset(hunk.id for hunk in hunks(edit)) for edit in phase.edits}
    gone = {path: ids & chosen.get(path, frozenset()) for path, ids in found.items()}
    return {path: frozenset() if path in files else ids for path, ids in gone.items() if path in files or ids}


def _kept(phase: Phase, wishes: Wishes) -> tuple[FileEdit, ...]:
    """The edits that are left of the phase; none when everything is unticked."""
    files, chosen = wishes.unticked.get(phase.id, frozenset()), wishes.left_out.get(phase.id, {})
    kept = (without(edit, chosen.get(edit.path, ())) for edit in phase.edits if edit.path not in files)
    return tuple(edit for edit in kept if edit.changes)


def recorded_wishes(
    wishes: Wishes, applied: Iterable[Applied], rules: Sequence[Rule] | None = None
) -> Wishes:
    """`wishes` with what the applied phases' commits record, where the user left it open."""
    entries = list(applied)
    recorded = {
        rule.id: entry.picks for entry in entries if (rule := rule_of(entry.id, rules)) and entry.picks
    }
    files = {entry.id: frozenset(p for p, ids in entry.left_out.items() if not ids) for entry in entries}
    some = {entry.id: {p: ids for p, ids in entry.left_out.items() if ids} for entry in entries}
    return replace(
        wishes,
        picks={**recorded, **wishes.picks},
        unticked={**{id: paths for id, paths in files.items() if paths}, **wishes.unticked},
        left_out={**{id: paths for id, paths in some.items() if paths}, **wishes.left_out},
    )


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
