"""Bytecode that a RUN writes a second time: the one that hands files over to their owner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from phasewise.model.census import Census
from phasewise.model.repo import RepoView
from phasewise.model.stages.recursion import Recursive, recursive_changes


def bytecode_written_again(view: RepoView, bytecode: Mapping[str, int]) -> int:
    """The bytes of `bytecode`, parts as a census names them, in the layers of the target that only hand files over."""
    dockerfile, census = view.dockerfile, view.census
    if census is None:
        return 0
    runs: dict[int, list[Recursive]] = {}
    for stage in dockerfile.lineage(view.stage):
        for change in recursive_changes(dockerfile, stage):
            runs.setdefault(change.instruction.span.start, []).append(change)
    handed = (bytecode_in(census, changes) for changes in runs.values())
    return sum(bytecode.get(name, 0) for names in handed for name in names)


def bytecode_in(census: Census, changes: Iterable[Recursive]) -> Mapping[str, int]:
    """The bytecode beside its sources, in the baseline's image, that the commands of one RUN reach; by part."""
    return census.parts("legacy_bytecode", *(path for change in changes for path in change.paths))
