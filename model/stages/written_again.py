"""Bytecode that a RUN writes a second time: the one that hands files over to their owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from phasewise.model.python.bytecode import compiles_beside_sources
from phasewise.model.repo import RepoView
from phasewise.model.stages.recursion import Recursive, recursive_changes


def bytecode_written_again(view: RepoView, bytecode: Mapping[str, int]) -> int:
    """The bytes of `bytecode`, parts as a census names them, in the layers of the target that only hand files over."""
    changes = [
        change
        for stage in view.dockerfile.lineage(view.stage)
        for change in recursive_changes(view.dockerfile, stage)
    ]
    return sum(bytecode.get(name, 0) for name, _ in _bytecode_of(view, changes))


def no_longer_written_again(view: RepoView, changes: Iterable[Recursive]) -> int:
    """The bytecode in the layers of `changes` in the baseline's image that another phase has taken out already."""
    if compiles_beside_sources(view.dockerfile, view.stage):
        return 0
    return sum(size_bytes for _, size_bytes in _bytecode_of(view, changes))


def _bytecode_of(view: RepoView, changes: Iterable[Recursive]) -> Iterator[tuple[str, int]]:
    """The parts of bytecode beside its sources that the commands reach, with their bytes: once for each RUN."""
    paths: dict[int, list[str]] = {}
    for change in changes:
        paths.setdefault(change.instruction.span.start, []).extend(change.paths)
    if view.census is None:
        return
    for reached in paths.values():
        yield from view.census.parts("legacy_bytecode", *reached).items()
