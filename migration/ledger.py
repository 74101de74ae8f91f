"""What was done, from the trailers of commits, and what was found out, from the notes on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from phasewise.migration.git import Logged, Repository
from phasewise.model import commit_message
from phasewise.model.census import Census
from phasewise.model.hunks import LeftOut
from phasewise.model.measurement import Measurement, Scenario, Verification
from phasewise.model.phase import Phase
from phasewise.model.record import NotARecord, Record, Recordable, from_line, to_line
from phasewise.model.repo import Target

Picks = Mapping[str, frozenset[str]]


class Applied(Struct, frozen=True):
    """A phase that a commit applied."""

    id: str
    commit: str
    subject: str
    picks: Picks
    files: tuple[str, ...] = ()
    """The paths that its commit changed."""
    left_out: LeftOut = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The phase's title, as its commit's subject gives it."""
        return self.subject


class Standing(Struct, frozen=True):
    """Where a target stands after some history."""

    applied: tuple[Applied, ...] = ()
    """In the order of their commits."""
    rolled_back: tuple[str, ...] = ()
    first: Logged | None = None
    """The oldest commit that applied a phase, rolled back or not."""


def message(phase: Phase, target: Target, picks: Picks, left_out: LeftOut | None = None) -> str:
    """The message of the commit that applies `phase`, without what was left out of it."""
    return commit_message.message(phase, target, picks, left_out)


def rollback_message(applied: Applied, target: Target) -> str:
    """The message of the commit that takes `applied` back."""
    return commit_message.rollback_message(applied.id, applied.subject, applied.commit, target)


def applied(repository: Repository, target: Target) -> tuple[Applied, ...]:
    """The phases that HEAD holds, oldest first, without those that were taken back."""
    entries = _standing(repository, target).applied
    files = repository.files_of([entry.commit for entry in entries])
    return tuple(replace(entry, files=files[entry.commit]) for entry in entries)


def rolled_back(repository: Repository, target: Target) -> tuple[str, ...]:
    """The ids of the phases that were applied and taken back, and not applied again."""
    return _standing(repository, target).rolled_back


def baseline(repository: Repository, target: Target) -> str:
    """The commit that the migration starts from: before the oldest phase, else HEAD."""
    first = _standing(repository, target).first
    if first is None:
        return repository.head()
    return first.parents[0] if first.parents else first.sha


def before_rolled_back(repository: Repository) -> tuple[str, ...]:
    """The commits on which phases were applied that phasewise took back, of any target, the newest first."""
    commits = _telling(repository)
    reverted = {
        sha
        for commit in commits
        if (marks := commit_message.read(commit.message)).rollback
        for sha in marks.reverts
    }
    return tuple(commit.parents[0] for commit in commits if commit.sha in reverted and commit.parents)


def _standing(repository: Repository, target: Target) -> Standing:
    """The standing at HEAD."""
    return standing(_telling(repository), target)


def _telling(repository: Repository) -> tuple[Logged, ...]:
    """The commits that tell something, the newest first; of a long history only they are kept for the next question."""
    log = repository.log()
    known = cast("tuple[tuple[Logged, ...], tuple[Logged, ...]] | None", repository.memory.get("telling"))
    if known is None or known[0] is not log:
        repository.memory["telling"] = known = log, tuple(filter(_tells, log))
    return known[1]


def _tells(commit: Logged) -> bool:
    return len(commit.parents) < 2 and commit_message.may_tell(commit.message)


def standing(log: Iterable[Logged], target: Target) -> Standing:
    """Replays a log, newest first as git gives it, for one target.

    A revert of a phase's commit takes it back, whether phasewise made it or `git revert`; a revert of that
    revert applies it again.
    """
    present: dict[str, Applied] = {}
    gone: dict[str, None] = {}
    applying: dict[str, Applied] = {}
    undoing: dict[str, Applied] = {}
    first: Logged | None = None

    def apply(entry: Applied) -> None:
        applying[entry.commit] = present[entry.id] = entry
        gone.pop(entry.id, None)

    def take_back(id: str, by: str) -> None:
        entry = present.pop(id, None)
        if entry is not None:
            undoing[by] = entry
            gone[id] = None

    for commit in reversed([commit for commit in log if _tells(commit)]):
        marks = commit_message.read(commit.message)
        if marks.phase and marks.is_of(target):
            first = first or commit
            if marks.phase not in present:
                apply(Applied(marks.phase, commit.sha, commit.subject, marks.picks, left_out=marks.left_out))
        elif marks.rollback and marks.is_of(target):
            take_back(marks.rollback, commit.sha)
        elif not marks.rollback:
            for reverted in marks.reverts:
                if reverted in applying and present.get(applying[reverted].id) == applying[reverted]:
                    take_back(applying[reverted].id, commit.sha)
                elif reverted in undoing and undoing[reverted].id not in present:
                    apply(replace(undoing[reverted], commit=commit.sha))
    return Standing(tuple(present.values()), tuple(gone), first)


def record_measurement(repository: Repository, commit: str, target: Target, measurement: Measurement) -> None:
    """Adds a measurement to the notes."""
    _record(repository, commit, target, measurement)


def record_verification(
    repository: Repository, commit: str, target: Target, verification: Verification
) -> None:
    """Adds a verification to the notes."""
    _record(repository, commit, target, verification)


def record_census(repository: Repository, commit: str, target: Target, census: Census) -> None:
    """Adds a census to the notes."""
    _record(repository, commit, target, census)


def measurements(repository: Repository, commit: str, target: Target) -> dict[Scenario, Measurement]:
    """The latest measurement of each scenario."""
    found = (record.value for record in _records(repository, commit, target))
    ordered = sorted((value for value in found if isinstance(value, Measurement)), key=lambda m: m.taken_at)
    return {measurement.scenario: measurement for measurement in ordered}


def variants(repository: Repository, commit: str, paths: Collection[str]) -> dict[str, Measurement]:
    """The latest measurement of each other Dockerfile among `paths` that was built at `commit`."""
    found = [
        (record.dockerfile, record.value)
        for record in _readable(repository, commit)
        if record.dockerfile in paths and isinstance(record.value, Measurement)
    ]
    return dict(sorted(found, key=lambda pair: pair[1].taken_at))


def verification(repository: Repository, commit: str, target: Target) -> Verification | None:
    """The latest verification, or None."""
    found = (record.value for record in _records(repository, commit, target))
    return max((v for v in found if isinstance(v, Verification)), key=lambda v: v.taken_at, default=None)


def census(repository: Repository, commit: str, target: Target) -> Census | None:
    """The latest census, or None."""
    found = list(_records(repository, commit, target))
    latest = max(
        (record for record in found if isinstance(record.value, Census)),
        key=lambda record: record.recorded_at,
        default=None,
    )
    return latest.value if latest is not None and isinstance(latest.value, Census) else None


def unreadable(repository: Repository) -> int:
    """How many lines of the notes this version does not understand; they are kept, and left out."""
    return sum(not _is_readable(line) for lines in repository.notes.all().values() for line in lines)


def _record(repository: Repository, commit: str, target: Target, value: Recordable) -> None:
    repository.note_add(commit, to_line(target, value))


def _records(repository: Repository, commit: str, target: Target) -> Iterator[Record]:
    return (record for record in _readable(repository, commit) if record.is_of(target))


def _readable(repository: Repository, commit: str) -> Iterator[Record]:
    return (from_line(line) for line in repository.note_read(commit) if _is_readable(line))


def _is_readable(line: str) -> bool:
    try:
        from_line(line)
    except NotARecord:
        return False
    return True
