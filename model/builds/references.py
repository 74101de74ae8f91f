"""All places of a repository that build its Dockerfiles."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from phasewise.model.builds import compose, gitlab, script_files, workflow
from phasewise.model.builds.vendored import is_vendored
from phasewise.model.repo import BuildReference

_BUILDS = re.compile(r"build|\bbud\b")


def build_references(files: Mapping[str, str], paths: Collection[str]) -> tuple[BuildReference, ...]:
    """The builds of tracked Dockerfiles in workflows, compose files, GitLab CI, makefiles and scripts.

    In the order of the files' paths and of the lines. `files` is asked only for files that may build
    something. What cannot be resolved for certain is left out.
    """
    known = frozenset(paths)
    candidates = {
        path: source
        for path in sorted(known)
        if _may_build(path) and (source := files.get(path)) is not None and _BUILDS.search(source)
    }
    services = compose.all_services({path: s for path, s in candidates.items() if compose.is_compose(path)})
    found = [
        reference
        for path, source in candidates.items()
        for reference in sorted(_of_file(path, source, services), key=lambda reference: reference.line)
    ]
    return tuple(reference for reference in found if reference.dockerfile in known)


# Asked again of each path with every commit and every phase.
@lru_cache(maxsize=65536)
def _may_build(path: str) -> bool:
    return not is_vendored(path) and (
        workflow.is_workflow(path)
        or compose.is_compose(path)
        or gitlab.is_gitlab(path)
        or script_files.is_script(path)
    )


def _of_file(
    path: str, source: str, services: Mapping[str, Mapping[str, compose.Service]]
) -> Iterator[BuildReference]:
    if compose.is_compose(path):
        return compose.references(path, source, services[path])
    if workflow.is_workflow(path):
        return workflow.references(path, source, services)
    if gitlab.is_gitlab(path):
        return gitlab.references(path, source)
    return script_files.references(path, source)
