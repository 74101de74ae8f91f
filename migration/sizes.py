"""The bytes of a commit's files, asked from git when a rule wants to know them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from phasewise.migration.git import Repository


class Sizes(Mapping[str, int]):
    """Bytes by path, of symbolic links and binary files too; a submodule counts none."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository, self._commit = repository, commit

    @cached_property
    def _known(self) -> Mapping[str, int]:
        return self._repository.sizes(self._commit)

    def __getitem__(self, path: str) -> int:
        return self._known[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
