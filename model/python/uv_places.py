"""Where a stage has uv when it is done, as far as its instructions tell for certain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import pairwise
from posixpath import basename, join, normpath

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.downloads.mounts import mounts
from phasewise.model.image_tags import ImageName
from phasewise.model.paths import overlap, within
from phasewise.model.python.environments import SYSTEM, home
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.common_ground import python_image
from phasewise.model.stages.recursion import absolute, destination

_UV = re.compile(r"uv(?:[=~<>!]=?[^\s,;\[]+)?")
_SETS_PLACE = frozenset({"--target", "-t", "--prefix", "--root", "--no-install"})
_TAKES_AWAY = frozenset({"rm", "mv", "ln", "unlink", "shred", "find", "uninstall"})


def uv_place(view: RepoView, stage: Stage, until: Instruction | None = None) -> str | None:
    """The absolute path of uv in `stage`, when it is done or before `until`; None where that is not certain."""
    dockerfile = view.dockerfile
    steps = [step for step in dockerfile.making(stage) if until is None or step.span < until.span]
    for index in range(len(steps) - 1, -1, -1):
        for place in _brought(view, steps[index]):
            if not any(_may_take_away(dockerfile, later, place) for later in steps[index:]):
                return place
    return None


def _brought(view: RepoView, step: Instruction) -> Iterator[str]:
    """The places in which uv stands for certain after the step."""
    dockerfile = view.dockerfile
    if step.keyword == "COPY" and step.flag("from") and (target := destination(dockerfile, step)):
        yield from _copied(dockerfile, step, target)
    script = Script.of(dockerfile, step)
    for command in script.commands if script else ():
        if script is None or not script.certain(command) or command.failure_ignored:
            continue
        place = _called(dockerfile, step, command) or _installed(dockerfile, step, command)
        if place and not any(within(place, mount.target) for mount in mounts(view, step) if mount.target):
            yield place


def _copied(dockerfile: Dockerfile, copy: Instruction, target: str) -> Iterator[str]:
    """Where a COPY from uv's own image puts it."""
    words = [word.value for word in dockerfile.words(copy)]
    source = dockerfile.source_stage(copy)
    written = source.base if source else copy.flag("from") or ""
    image = ImageName.of(dockerfile.expand(written, copy) or written)
    if image is None or basename(image.repository) != "uv" or "/uv" not in words[:-1]:
        return
    folder = words[-1].endswith("/") or len(words) > 2 or words[-1] == "."
    yield normpath(join(target, "uv")) if folder or basename(target) != "uv" else normpath(target)


def _called(dockerfile: Dockerfile, step: Instruction, command: Command) -> str | None:
    """The absolute path by which the command calls uv."""
    word = dockerfile.expand(command.argv[0], step) if command.name == "uv" else None
    return normpath(word) if word and word.startswith("/") and "$" not in word else None


def _installed(dockerfile: Dockerfile, step: Instruction, command: Command) -> str | None:
    """Where root's `pip install uv` puts it, in the official Python images."""
    argv = command.argv
    by_pip = argv[0:1] in (("pip",), ("pip3",)) or argv[:3] in (
        ("python", "-m", "pip"),
        ("python3", "-m", "pip"),
    )
    variables = dockerfile.variables(step) | dict(command.assignments)
    if (
        not by_pip
        or "install" not in argv
        or not any(map(_UV.fullmatch, argv))
        or python_image(dockerfile, dockerfile.stages[step.stage or 0]) is None
    ):
        return None
    odd = {"VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONUSERBASE"} & set(
        variables
    )
    options = {word.partition("=")[0] for word in argv}
    if odd or options & _SETS_PLACE or not dockerfile.runs_as_root(step) or _other_pip(variables):
        return None
    return f"{home(dockerfile, step)}/.local/bin/uv" if "--user" in argv else f"{SYSTEM}/bin/uv"


def _other_pip(variables: dict[str, str]) -> bool:
    """Whether PATH may find another pip before the image's own."""
    return bool(variables.get("PATH")) and not leads_to_system(variables["PATH"])


def leads_to_system(path: str) -> bool:
    """Whether /usr/local/bin is the first directory of a PATH that may hold a python."""
    for entry in path.split(":"):
        if entry == f"{SYSTEM}/bin" or "PATH" in entry:
            return True
        if not entry.endswith((".local/bin", ".cargo/bin", "/sbin")):
            return False
    return False


def _finds_others(argv: tuple[str, ...], name: str) -> bool:
    """Whether every alternative of a find asks for another name."""
    asked = [value for word, value in pairwise(argv) if word == "-name"]
    alternatives = 1 + sum(word in ("-o", "-or", ",") for word in argv)
    negated = {"!", "-not", "\\!"} & set(argv)
    return len(asked) >= alternatives and not negated and not any(fnmatchcase(name, each) for each in asked)


def _may_take_away(dockerfile: Dockerfile, step: Instruction, place: str) -> bool:
    """Whether the step may remove the file, move it, or put another in its place by way of a script."""
    if step.keyword == "VOLUME":
        words = [word.value for word in dockerfile.words(step)]
        return any(within(place, word) for word in words)
    if step.keyword != "RUN":
        return False
    script = Script.of(dockerfile, step)
    if script is None:
        return True
    for command in script.commands:
        if not _TAKES_AWAY & {command.name, *command.argv[1:4]} and command.name != "xargs":
            continue
        if command.name == "find" and _finds_others(command.argv, basename(place)):
            continue
        for word in command.argv[1:]:
            where = absolute(dockerfile, step, word.rstrip("/*") or "/")
            if word == "uv" or (where and "/" in word and overlap(where, place)):
                return True
    return False
