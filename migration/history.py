"""Asks git which commit brought each line in, and which commits changed a Dockerfile; only when asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import cached_property
from threading import Lock, Thread

from msgspec.structs import replace

from phasewise.migration.git import Repository
from phasewise.migration.git_process import GitFailed
from phasewise.migration.ledger import before_rolled_back
from phasewise.model.history import HistoryEntry, read_blame
from phasewise.model.phase import Provenance

__all__ = ["HistoryEntry", "Introduced", "commits_of", "introduced"]


def commits_of(repository: Repository, path: str, commit: str = "HEAD") -> tuple[HistoryEntry, ...]:
    """The commits up to `commit` that changed `path`, newest first, from before it was renamed too."""
    return tuple(
        HistoryEntry(sha, author, datetime.fromisoformat(date), subject)
        for sha, author, date, subject in repository.touching(path, commit)
    )


def introduced(repository: Repository, path: str, commit: str) -> Mapping[int, Provenance]:
    """The commit that brought each line of `path`, as it stands at `commit`, in, by 1-based line.

    Lines that a shallow clone knows nothing of are left out; a path that cannot be blamed has none.
    """
    return _introduced(repository, path, commit, _elsewhere(repository, commit))


def _introduced(
    repository: Repository, path: str, commit: str, elsewhere: frozenset[str] | None
) -> Mapping[int, Provenance]:
    try:
        lines = read_blame(repository.blame(commit, path), repository.shallow)
    except GitFailed:
        return {}
    if elsewhere is None:
        return lines
    return {
        line: replace(origin, on_default_branch=origin.commit not in elsewhere)
        for line, origin in lines.items()
    }


def _elsewhere(repository: Repository, commit: str) -> frozenset[str] | None:
    """The commits behind `commit` that the default branch does not have; None when there is no such branch."""
    tips = repository.default_tips()
    return repository.outside([commit], tips) if tips else None


class Introduced(Mapping[tuple[str, int], Provenance]):
    """The provenance of (path, 1-based line) at one commit; a file is blamed when one of its lines is asked for.

    With the first question, git is asked about the `likely` files too, beside what the caller goes on to do:
    one process for each file in turn is a fifth of the time until the plan is there.

    Iterating blames every file: it is for small repositories and tests.
    """

    def __init__(self, repository: Repository, commit: str, likely: Sequence[str] = ()) -> None:
        self._repository, self._commit, self._likely = repository, commit, likely
        self._turn = Lock()
        self._files: dict[str, Future[Mapping[int, Provenance]]] = {}

    def _of(self, path: str) -> Mapping[int, Provenance]:
        if self._likely and not self._files:
            Thread(target=self._ask_ahead, daemon=True).start()
        self._ask(path)
        return self._files[path].result()

    def _ask_ahead(self) -> None:
        for path in self._likely:
            self._ask(path)

    def _ask(self, path: str) -> None:
        """Has git blame a file, unless another thread has begun to: nobody waits for a file that only may be needed."""
        with self._turn:
            if path in self._files:
                return
            future = self._files[path] = Future()
        try:
            entry = self._repository.entries(self._commit).get(path)
            known = entry is not None and entry.is_regular
            future.set_result(
                _introduced(self._repository, path, self._as_before(path), self._elsewhere) if known else {}
            )
        except BaseException as error:
            future.set_exception(error)

    def _as_before(self, path: str) -> str:
        """The commit to blame from: an earlier one to whose text a rollback led back, which is nobody's new text."""
        return next((commit for commit, changed in self._led_back_to if path not in changed), self._commit)

    @cached_property
    def _led_back_to(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """Commits before phases that were taken back, the oldest first, and the paths that have changed since."""
        earlier = reversed(before_rolled_back(self._repository))
        return tuple(
            (each, frozenset(self._repository.changed_paths(each, self._commit))) for each in earlier
        )

    @cached_property
    def _elsewhere(self) -> frozenset[str] | None:
        """Asked once for all files."""
        return _elsewhere(self._repository, self._commit)

    def __getitem__(self, key: tuple[str, int]) -> Provenance:
        path, line = key
        return self._of(path)[line]

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return ((path, line) for path in self._repository.tree(self._commit) for line in self._of(path))

    def __len__(self) -> int:
        return sum(1 for _ in self)
