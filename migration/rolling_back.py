"""Takes phases back with revert commits, made in a linked worktree; the branch moves when all of it worked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from phasewise.migration import ledger, scan
from phasewise.migration.errors import Refused
from phasewise.migration.events import Committed, Event, Narration
from phasewise.migration.git import Repository
from phasewise.migration.ledger import Applied
from phasewise.migration.planning import Wishes
from phasewise.migration.replay import again, texts_without
from phasewise.model.census import Census
from phasewise.model.dockerfile import Dockerfile, DockerfileError
from phasewise.model.phase import Declined
from phasewise.model.repo import Target
from phasewise.model.text import decode
from phasewise.rules.base import Rule


class Reversal(Struct, frozen=True):
    """The commits that take some applied phases back, made but not on the branch yet."""

    head: str
    events: tuple[Event, ...]


def reverse(
    repository: Repository,
    target: Target,
    ids: Sequence[str],
    wishes: Wishes,
    census: Census | None,
    rules: Sequence[Rule],
) -> Iterator[Event]:
    """Takes the phases `ids` back on the current branch.

    Raises:
        Refused: a phase is not applied, a file is dirty, or a revert conflicts with the user's own commits.
    """
    applied = ledger.applied(repository, target)
    unknown = [id for id in ids if id not in {phase.id for phase in applied}]
    if unknown:
        raise Refused(f"not applied: {', '.join(unknown)}", "phasewise status lists what is")
    start = repository.head()
    _refuse_dirty(repository, applied)
    with repository.worktree(start) as worktree:
        reversal = _reverse_in(repository, worktree, target, applied, frozenset(ids), wishes, census, rules)
        changed = repository.changed_paths(start, reversal.head)
        repository.move_branch(reversal.head, start, changed)
    yield from reversal.events


def conflicting(
    repository: Repository,
    target: Target,
    id: str,
    wishes: Wishes,
    census: Census | None,
    rules: Sequence[Rule],
) -> tuple[str, ...]:
    """The applied phases that taking `id` back would have to plan again; nothing is changed."""
    applied = ledger.applied(repository, target)
    later = _later(applied, frozenset({id}))
    if not later:
        return ()
    expected = texts_without(repository, target, applied, {id}, wishes, census, rules)
    with repository.worktree(repository.head()) as worktree:
        unwanted = [phase for phase in applied if phase.id == id]
        clean = _revert_alone(repository, worktree, target, unwanted, expected)
    return () if clean is not None else tuple(phase.id for phase in later)


def _reverse_in(
    repository: Repository,
    worktree: Path,
    target: Target,
    applied: Sequence[Applied],
    ids: frozenset[str],
    wishes: Wishes,
    census: Census | None,
    rules: Sequence[Rule],
) -> Reversal:
    unwanted = [phase for phase in reversed(applied) if phase.id in ids]
    later = _later(applied, ids)
    expected = texts_without(repository, target, applied, ids, wishes, census, rules) if later else None
    events = _revert_alone(repository, worktree, target, unwanted, expected)
    if events is not None:
        return Reversal(repository.head_of(worktree), tuple(events))
    wanted, others = (", ".join(phase.id for phase in group) for group in (unwanted, later))
    events = [Narration(f"{wanted} cannot be taken back alone: {others} will be planned again")]
    everything = [phase for phase in reversed(applied) if phase.id in ids or phase in later]
    reverted = _revert_each(repository, worktree, target, everything) if later else None
    if reverted is None:
        raise Refused(
            "the revert conflicts with commits made since",
            "take those back first, or edit the Dockerfile by hand and commit",
        )
    events += reverted
    for phase in later:
        outcome = _apply_again(repository, worktree, target, phase, wishes, census, rules)
        if isinstance(outcome, Declined):
            events.append(Narration(f"{phase.id} does not apply any more: {outcome.reason}"))
        else:
            events.append(outcome)
    return Reversal(repository.head_of(worktree), tuple(events))


def _revert_alone(
    repository: Repository,
    worktree: Path,
    target: Target,
    phases: Sequence[Applied],
    expected: Mapping[str, str | None] | None,
) -> list[Event] | None:
    """Reverts `phases` and no other; None, and the worktree as it was, where that is not the same as without them.

    A revert that git makes without a conflict can leave in a later phase what it only did because of an earlier one.
    """
    start = repository.head_of(worktree)
    events = _revert_each(repository, worktree, target, phases)
    if events is None or expected is None:
        return events
    left = repository.files(repository.head_of(worktree))
    if any(left.get(path) != text for path, text in expected.items()):
        repository.reset_in(worktree, start)
        return None
    return events


def _revert_each(
    repository: Repository, worktree: Path, target: Target, phases: Sequence[Applied]
) -> list[Event] | None:
    """Reverts newest first. None, and the worktree as it was, when one conflicts or leaves no Dockerfile."""
    start = repository.head_of(worktree)
    events: list[Event] = []
    for phase in phases:
        message = ledger.rollback_message(phase, target)
        commit = repository.revert_in(worktree, phase.commit, message)
        if commit is None:
            repository.reset_in(worktree, start)
            return None
        events.append(Committed(phase.id, commit, message.split("\n", 1)[0], phase.files))
    if not _parses(worktree, target):
        repository.reset_in(worktree, start)
        return None
    return events


def _apply_again(
    repository: Repository,
    worktree: Path,
    target: Target,
    applied: Applied,
    wishes: Wishes,
    census: Census | None,
    rules: Sequence[Rule],
) -> Committed | Declined:
    """The phase as its rule proposes it on the worktree's present text, committed there."""
    view = scan.view(repository, repository.head_of(worktree), target, census)
    phase = again(applied, view, wishes, rules)
    if isinstance(phase, Declined):
        return phase
    message = ledger.message(phase, target, applied.picks, applied.left_out)
    commit = repository.commit_in(worktree, phase.edits, message)
    return Committed(phase.id, commit, message.split("\n", 1)[0], phase.files)


def _later(applied: Sequence[Applied], ids: frozenset[str]) -> list[Applied]:
    """Applied phases that stand behind the first of `ids` and are not among them."""
    first = min((index for index, phase in enumerate(applied) if phase.id in ids), default=len(applied))
    return [phase for phase in applied[first:] if phase.id not in ids]


def _refuse_dirty(repository: Repository, applied: Sequence[Applied]) -> None:
    reason = repository.blockers(sorted({path for phase in applied for path in phase.files}))
    if reason:
        raise Refused(reason, "nothing was changed")


def _parses(worktree: Path, target: Target) -> bool:
    path = worktree / target.dockerfile
    try:
        Dockerfile.parse(decode(path.read_bytes()), target.dockerfile).stage(target.stage)
    except (OSError, DockerfileError):
        return False
    return True
