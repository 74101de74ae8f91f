"""What the files would be had some applied phases never been: the rules of the others, on the text before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from phasewise.migration import scan
from phasewise.migration.git import Repository
from phasewise.migration.ledger import Applied
from phasewise.migration.planning import Wishes, objection, propose, rule_of, ticked
from phasewise.model.census import Census
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.base import Rule


def texts_without(
    repository: Repository,
    target: Target,
    applied: Sequence[Applied],
    ids: Collection[str],
    wishes: Wishes,
    census: Census | None,
    rules: Sequence[Rule],
) -> Mapping[str, str | None] | None:
    """The text of each file that the phases from the first of `ids` on changed, had those not been applied.

    None where the rules do not make HEAD's text of the text before: then somebody else changed it too, and what it
    would be is not known.
    """
    first = min((index for index, phase in enumerate(applied) if phase.id in ids), default=len(applied))
    phases = applied[first:]
    if not phases:
        return None
    before = scan.view(repository, repository.resolve(f"{phases[0].commit}^"), target, census)
    head = repository.files(repository.head())
    paths = {path for phase in phases for path in phase.files}
    whole = _after(before, phases, wishes, rules)
    if any(whole.files.get(path) != head.get(path) for path in paths):
        return None
    rest = _after(before, [phase for phase in phases if phase.id not in ids], wishes, rules)
    return {path: rest.files.get(path) for path in paths}


def again(applied: Applied, view: RepoView, wishes: Wishes, rules: Sequence[Rule]) -> Phase | Declined:
    """The applied phase as its rule proposes it on the view's text, with the user's recorded answers and ticks."""
    rule = rule_of(applied.id, rules)
    if rule is None:
        return Declined(applied.id, "its rule is not known here")
    answer = propose(rule, view, Wishes(picks={rule.id: applied.picks}))
    if isinstance(answer, Declined):
        return answer
    whole = replace(answer, id=applied.id)
    reason = objection(whole, wishes)
    return Declined(applied.id, reason) if reason else ticked(whole, wishes)


def _after(view: RepoView, phases: Sequence[Applied], wishes: Wishes, rules: Sequence[Rule]) -> RepoView:
    for phase in phases:
        answer = again(phase, view, wishes, rules)
        if isinstance(answer, Phase):
            # Each was committed before the next one was proposed.
            view = replace(view.with_edits(answer.edits), original=None)
    return view
