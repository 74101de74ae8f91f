"""Which other targets read a file that a phase of one target edits; and the other way round."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from msgspec.structs import replace

from phasewise.model.builds.compose import is_compose
from phasewise.model.builds.dockerfile_names import is_named_so
from phasewise.model.builds.dockerignore import is_ignored
from phasewise.model.builds.gitlab import is_gitlab
from phasewise.model.builds.workflow import is_workflow
from phasewise.model.dockerfile import DockerfileError, Instruction
from phasewise.model.elsewhere import Elsewhere
from phasewise.model.phase import Phase
from phasewise.model.repo import RepoView, Target


def affected(view: RepoView, targets: Iterable[Target], paths: Collection[str]) -> tuple[Target, ...]:
    """Those of `targets` with another Dockerfile than the view's that are built from, or by, any of `paths`."""
    shared = [path for path in paths if path != view.target.dockerfile]
    others = (target for target in targets if shared and target.dockerfile != view.target.dockerfile)
    return tuple(
        other for other in others if any(reads(replace(view, target=other), path) for path in shared)
    )


def reaching(view: RepoView, others: Iterable[tuple[Target, Iterable[Phase]]]) -> tuple[Elsewhere, ...]:
    """The phases of other Dockerfiles' targets that edit a file which the view's target reads too."""
    found = []
    for other, phases in others:
        for phase in phases if other.dockerfile != view.target.dockerfile else ():
            shared = [path for path in phase.files if path != other.dockerfile and reads(view, path)]
            found += [Elsewhere(other, phase, tuple(shared))] if shared else []
    return tuple(found)


def reads(view: RepoView, path: str) -> bool:
    """Whether the view's target is built from `path`, or by it.

    By a workflow, compose file or script that builds it; from its Dockerfile, its ignore file, and what it
    copies or mounts of its context. Files that only say how to build do not count as copied: `COPY . .` takes them
    all along, and nothing in the image asks for them.
    """
    own = view.target.dockerfile
    if path == own or any(build.path == path for build in view.builds_of(own)):
        return True
    if path.endswith(".dockerignore"):
        return path == _ignore_file(view)
    if is_workflow(path) or is_compose(path) or is_gitlab(path) or is_named_so(path):
        return False
    try:
        return _is_copied(view, path)
    except (DockerfileError, KeyError):
        return False


def _ignore_file(view: RepoView) -> str:
    """The Dockerfile's own ignore file where it has one, else the context's."""
    own = f"{view.target.dockerfile}.dockerignore"
    return own if own in view.paths else view.context_path(".dockerignore")


def _is_copied(view: RepoView, path: str) -> bool:
    context = view.context_path(".")
    if context != "." and not path.startswith(f"{context}/"):
        return False
    if is_ignored(
        view.files.get(_ignore_file(view), ""), path if context == "." else path[len(context) + 1 :]
    ):
        return False
    dockerfile = view.dockerfile
    needed = dockerfile.needed_by(view.stage)
    return any(
        _covers(view.context_path(source), path)
        for instruction in dockerfile.instructions
        if instruction.stage in needed
        for source in _sources(view, instruction)
    )


def _sources(view: RepoView, instruction: Instruction) -> Iterator[str]:
    """What an instruction takes from the build context."""
    dockerfile = view.dockerfile
    if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None:
        for word in dockerfile.words(instruction)[:-1]:
            yield dockerfile.expand(word.value, instruction) or word.value
    for mount in instruction.flags_named("mount") if instruction.keyword == "RUN" else ():
        fields = dict(part.strip(' "').partition("=")[::2] for part in mount.split(","))
        if fields.get("type", "bind") == "bind" and "from" not in fields:
            yield fields.get("source") or fields.get("src") or "."


def _covers(source: str, path: str) -> bool:
    """Whether a source of a COPY, as a path of the repository, is `path` or holds it."""
    if not re.search(r"[*?\[]", source):
        return source == "." or path == source or path.startswith(f"{source}/")
    candidates = [path, *map(str, PurePosixPath(path).parents)]
    depth = source.count("/")
    return any(each.count("/") == depth and fnmatchcase(each, source) for each in candidates)
