"""Asks git which commit brought each line in, and which commits changed a Dockerfile; only when asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from phasewise.migration.git import Repository
from phasewise.migration.git_process import GitFailed
from phasewise.model.history import HistoryEntry, read_blame
from phasewise.model.phase import Provenance

__all__ = ["HistoryEntry", "Introduced", "commits_of", "introduced"]


def commits_of(repository: Repository, path: str, commit: str = "HEAD") -> tuple[HistoryEntry, ...]:
    """The commits up to `commit` that changed `path`, newest first, from before it was renamed too."""
    return tuple(
        HistoryEntry(sha, author, datetime.fromisoformat(date), subject)
        for sha, author, date, subject in repository.touching(path, commit)
    )


def introduced(
    repository: Repository, path: str, commit: str, default_tips: Sequence[str] | None = None
) -> Mapping[int, Provenance]:
    """The commit that brought each line of `path`, as it stands at `commit`, in, by 1-based line.

    Lines that a shallow clone knows nothing of are left out; a path that cannot be blamed has none.
    `default_tips` spares asking again where the default branch stands.
    """
    try:
        lines = read_blame(repository.blame(commit, path), repository.shallow)
    except GitFailed:
        return {}
    tips = repository.default_tips() if default_tips is None else default_tips
    if not tips:
        return lines
    elsewhere = repository.outside({origin.commit for origin in lines.values()}, tips)
    return {
        line: replace(origin, on_default_branch=origin.commit not in elsewhere)
        for line, origin in lines.items()
    }


class Introduced(Mapping[tuple[str, int], Provenance]):
    """The provenance of (path, 1-based line) at one commit; a file is blamed when one of its lines is asked for.

    Iterating blames every file: it is for small repositories and tests.
    """

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository, self._commit = repository, commit
        self._tips: Sequence[str] | None = None
        self._files: dict[str, Mapping[int, Provenance]] = {}

    def _of(self, path: str) -> Mapping[int, Provenance]:
        if path not in self._files:
            entry = self._repository.entries(self._commit).get(path)
            known = entry is not None and entry.is_regular
            self._files[path] = self._blamed(path) if known else {}
        return self._files[path]

    def _blamed(self, path: str) -> Mapping[int, Provenance]:
        if self._tips is None:
            self._tips = self._repository.default_tips()
        return introduced(self._repository, path, self._commit, self._tips)

    def __getitem__(self, key: tuple[str, int]) -> Provenance:
        path, line = key
        return self._of(path)[line]

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return ((path, line) for path in self._repository.tree(self._commit) for line in self._of(path))

    def __len__(self) -> int:
        return sum(1 for _ in self)
