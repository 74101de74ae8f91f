"""Finds what can be migrated in a commit: its Dockerfiles, what builds them, and the view that rules get."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import cast

from msgspec import Struct

from phasewise.migration.git import Repository
from phasewise.migration.history import Introduced
from phasewise.migration.sizes import Sizes
from phasewise.model.builds import context
from phasewise.model.builds.dockerfile_names import is_named_so, is_secondary, may_be_one, reads_like_one
from phasewise.model.builds.references import build_references
from phasewise.model.builds.vendored import is_vendored
from phasewise.model.census import Census
from phasewise.model.dockerfile import Dockerfile, DockerfileError
from phasewise.model.repo import BuildReference, Purpose, RepoView, Target

__all__ = ["DockerfileError", "RepoView", "builds", "scan", "view"]

_MOST_LOOKED_INTO = 1000
"""Files without an extension that are opened to see whether they are Dockerfiles."""

_MOST_BLAMED_AHEAD = 32

_PYTHON = re.compile(r"\b(?:python\d*|pip\d*|uv|poetry|conda)\b")


class _Snapshot(Struct, frozen=True, dict=True):
    """What all views of one commit share."""

    files: Mapping[str, str]
    paths: frozenset[str]
    builds: tuple[BuildReference, ...]
    introduced: Introduced
    sizes: Sizes

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The Dockerfiles in the order of `scan`."""
        found = [_target(path, self) for path in _dockerfiles(self)]
        return tuple(sorted(found, key=lambda target: _rank(target, self)))


_MOST_SNAPSHOTS = 16


def scan(repository: Repository, commit: str) -> tuple[Target, ...]:
    """The Dockerfiles of a commit as targets: those that are deployed first, then Python's, then those built most.

    One that cannot be parsed is a target, too; its view says what is wrong.
    """
    return _snapshot(repository, commit).targets


def view(repository: Repository, commit: str, target: Target, census: Census | None = None) -> RepoView:
    """What a rule may look at: the repository at `commit`, seen from `target`."""
    snapshot = _snapshot(repository, commit)
    return RepoView(
        target=target,
        files=snapshot.files,
        paths=snapshot.paths,
        builds=snapshot.builds,
        introduced=snapshot.introduced,
        census=census,
        sizes=snapshot.sizes,
    )


def builds(repository: Repository, commit: str) -> tuple[BuildReference, ...]:
    """All places of a commit that build one of its Dockerfiles."""
    return _snapshot(repository, commit).builds


def _snapshot(repository: Repository, commit: str) -> _Snapshot:
    known = cast("dict[str, _Snapshot]", repository.memory.setdefault("snapshots", {}))
    if commit not in known:
        files, paths = repository.files(commit), frozenset(repository.tree(commit))
        references = build_references(files, paths)
        while len(known) >= _MOST_SNAPSHOTS:
            known.pop(next(iter(known)))
        known[commit] = _Snapshot(
            files,
            paths,
            references,
            Introduced(repository, commit, _asked_about(paths, references)),
            Sizes(repository, commit),
        )
    return known[commit]


def _asked_about(paths: frozenset[str], references: Sequence[BuildReference]) -> list[str]:
    """Where the evidence of a plan comes from, as a rule: what is built, what it installs, and what builds it."""
    own = {
        path
        for path in paths
        if (is_named_so(path) or path.endswith("requirements.txt")) and not is_vendored(path)
    }
    return sorted(own | {reference.path for reference in references})[:_MOST_BLAMED_AHEAD]


def _dockerfiles(snapshot: _Snapshot) -> list[str]:
    own = sorted(path for path in snapshot.paths if not is_vendored(path))
    built = {build.dockerfile for build in snapshot.builds}
    named = [path for path in own if is_named_so(path) or path in built]
    likely = [path for path in own if path not in built and not is_named_so(path) and may_be_one(path)]
    read = [path for path in likely[:_MOST_LOOKED_INTO] if reads_like_one(snapshot.files.get(path, ""))]
    return named + read


def _target(path: str, snapshot: _Snapshot) -> Target:
    references = [build for build in snapshot.builds if build.dockerfile == path]
    deploys = [build for build in references if build.purpose is Purpose.DEPLOY]
    telling = deploys or references
    try:
        dockerfile = Dockerfile.parse(snapshot.files[path], path)
    except (DockerfileError, KeyError):
        return Target(path, _context(telling, path, None, snapshot.paths))
    return Target(
        path,
        _context(telling, path, dockerfile, snapshot.paths),
        _stage(deploys, dockerfile),
        _agreed_arguments(telling),
    )


def _context(
    references: Sequence[BuildReference], path: str, dockerfile: Dockerfile | None, paths: Collection[str]
) -> str:
    """The context that is given most often, else a guess."""
    if references:
        return Counter(build.context for build in references).most_common(1)[0][0]
    return context.guess(dockerfile, paths) if dockerfile else path.rpartition("/")[0] or "."


def _stage(deploys: Sequence[BuildReference], dockerfile: Dockerfile) -> str | None:
    """The stage that all deployments name, where it is not the last one anyway."""
    stages = {build.stage for build in deploys}
    stage = next(iter(stages)) if len(stages) == 1 else None
    names = [known.name for known in dockerfile.stages]
    return stage if stage in names and stage != names[-1] else None


def _agreed_arguments(references: Sequence[BuildReference]) -> tuple[tuple[str, str], ...]:
    """The build arguments that every reference gives with the same value."""
    if not references:
        return ()
    common = set(references[0].arguments).intersection(*(build.arguments for build in references))
    return tuple(argument for argument in references[0].arguments if argument in common)


def _rank(target: Target, snapshot: _Snapshot) -> tuple[bool, bool, bool, int, int, str]:
    """The place among the targets.

    A variant for tests must not take the place of the Dockerfile that is deployed, however often it is
    built; and among equals, the one that installs Python packages is what this is about.
    """
    path = target.dockerfile
    own = [build for build in snapshot.builds if build.dockerfile == path]
    deployed = any(build.purpose is Purpose.DEPLOY for build in own)
    is_python = bool(_PYTHON.search(snapshot.files.get(path, "")))
    return not deployed, is_secondary(path), not is_python, -len(own), len(path), path
