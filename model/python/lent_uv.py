"""A step that installs the project with uv in place of pip: which uv, with which mounts, in which words."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.dockerfile import Instruction, Stage
from phasewise.model.downloads.mounts import mounts
from phasewise.model.downloads.tools import folders_of
from phasewise.model.paths import overlap, within
from phasewise.model.python.install_settings import environment_option, obstacle
from phasewise.model.python.installs import origin_of
from phasewise.model.python.own_install import Build, OwnInstall, build_of
from phasewise.model.python.uv_places import uv_place
from phasewise.model.repo import RepoView
from phasewise.model.stages.common_ground import python_version, same_python, version_may_differ
from phasewise.model.text import Edit, Span

_SETUPTOOLS_LEFT = (3, 12)
"""The first Python whose official images come without setuptools."""
_HIDDEN = "what the step hides is to be seen first: silent_failure"


class Change(Struct, frozen=True):
    """One step that takes another installer."""

    step: OwnInstall
    build: Build
    edit: Edit
    stage: Stage | None
    """Which lends its uv; None where the step's own stage has it."""


def with_uv(view: RepoView, step: OwnInstall) -> Change | str:
    """What makes uv do what pip does in the step, or why that is not to be, half a sentence."""
    dockerfile, instruction = view.dockerfile, step.instruction
    if step.hidden:
        return _HIDDEN
    if not step.alone:
        return "it installs the dependencies as well"
    if not step.isolated:
        return "what builds it is in the image, and nothing is fetched"
    if "#" in instruction.span.of(dockerfile.text):
        return "a comment stands in it"
    if reason := obstacle(view, step):
        return reason
    build = _build(view, instruction)
    if build is None:
        return "pyproject.toml does not say plainly what builds the project, and what its name is"
    if step.tries_without and (reason := _backend_may_be_there(view, step, build)):
        return reason
    found = _uv(view, instruction)
    if found is None:
        return "no stage before it is known to have uv"
    stage, place = found
    mounted = _mounts(view, step, stage, place)
    if mounted is None:
        return "its RUN mounts something else, or the place of uv's cache is not known"
    return Change(step, build, _edit(view, step, build, mounted, "/tmp/uv" if stage else _name(place)), stage)


def _build(view: RepoView, instruction: Instruction) -> Build | None:
    origin = origin_of(view, "pyproject.toml", instruction)
    return build_of(view.files.get(origin.path, "")) if origin else None


def _backend_may_be_there(view: RepoView, step: OwnInstall, build: Build) -> str:
    """Why an attempt without isolation may work, so that nothing is fetched; empty where it cannot."""
    dockerfile = view.dockerfile
    stage = dockerfile.stages[step.instruction.stage or 0]
    version = python_version(dockerfile, stage)
    known = tuple(int(part) for part in version.split(".")) if version else (0,)
    if "setuptools" in build.requires and (known < _SETUPTOOLS_LEFT or version_may_differ(view, stage)):
        return "the image of Python may have setuptools, and then nothing is fetched"
    installed = {found.name for found in view.census.distributions} if view.census else set()
    if set(build.requires) <= installed:
        return "what builds it is in the image, and nothing is fetched"
    return ""


def _uv(view: RepoView, instruction: Instruction) -> tuple[Stage | None, str] | None:
    """The stage that lends its uv, None for the step's own, and where uv stands in it."""
    dockerfile = view.dockerfile
    own = dockerfile.stages[instruction.stage or 0]
    inherited = {stage.index for stage in dockerfile.lineage(own)}
    needed = dockerfile.needed_by(view.stage)
    for stage in reversed(dockerfile.stages[: own.index]):
        if stage.index in inherited or stage.index not in needed or stage.name is None:
            continue
        if same_python(dockerfile, stage, own) and (place := uv_place(view, stage)):
            return stage, place
    place = uv_place(view, own, until=instruction)
    return (None, place) if place else None


def _name(place: str) -> str:
    """What to call uv by: PATH finds it in the usual folders."""
    return "uv" if place in ("/usr/local/bin/uv", "/usr/bin/uv", "/bin/uv") else place


def _mounts(view: RepoView, step: OwnInstall, stage: Stage | None, place: str) -> list[str] | None:
    """The step's mounts with uv: its caches of pip go. None where others are in the way."""
    dockerfile = view.dockerfile
    uv = folders_of(view, step.instruction, "uv", step.commands)
    pip = folders_of(view, step.instruction, "pip", step.commands)
    if uv is None or pip is None:
        return None
    kept = []
    for mount in mounts(view, step.instruction):
        if not mount.is_cache or overlap(mount.target, "/tmp"):
            return None
        if mount.target not in pip.targets:
            kept.append(mount)
    lent = [f"--mount=type=bind,from={stage.name},source={place},target=/tmp/uv"] if stage else []
    caches = [
        f"--mount=type=cache,target={target}"
        for target in uv.targets
        if not any(within(target, mount.target) for mount in kept)
    ]
    return [
        "--mount=type=tmpfs,target=/tmp",
        *lent,
        *(m.flag.span.of(dockerfile.text) for m in kept),
        *caches,
    ]


def _edit(view: RepoView, step: OwnInstall, build: Build, mounted: list[str], uv: str) -> Edit:
    dockerfile = view.dockerfile
    words = [uv, "pip", "install", environment_option(dockerfile, step), "--no-deps", "--link-mode=copy"]
    command = " ".join(filter(None, [*words, f"--reinstall-package={build.name}", "."]))
    start = min([step.instruction.arguments.start, *(flag.span.start for flag in step.instruction.flags)])
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    gap = f" {dockerfile.escape}{newline}    "
    return Edit(Span(start, step.instruction.span.end), gap.join([*mounted, command]))
