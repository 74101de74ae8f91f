"""Which part of a directory that a COPY takes from another stage was put there by that stage."""

from __future__ import annotations

import re
from collections.abc import Collection

from msgspec import Struct

from phasewise.model.dockerfile import Instruction, Stage
from phasewise.model.paths import within
from phasewise.model.python.console_scripts import lost_commands
from phasewise.model.python.environments import SYSTEM
from phasewise.model.repo import RepoView
from phasewise.model.stages.common_ground import own_steps, python_version, same_python, same_start
from phasewise.model.stages.copies import StageCopy, stage_copies
from phasewise.model.stages.runtime_use import Use, runtime_uses
from phasewise.model.stages.written_places import Unclear, written_under

_HOME = re.compile(r"/root(/\.local)?|/home/[\w.-]+(/\.local)?")
_PLAIN = re.compile(r"[\w./+-]+")
_MOST_PLACES = 5
_COMMANDS = {"uv": ("uv", "uvx"), "pip": ("pip", "pip3")}
"""The commands of tools, where they are not just the tool's name."""


class Narrowed(Struct, frozen=True):
    """A COPY of a directory of which less is needed."""

    copy: StageCopy
    needed: tuple[str, ...]
    """The paths to copy instead; empty: none."""
    tools: bool
    """Tools are left behind that only the build calls."""

    @property
    def is_system(self) -> bool:
        """Whether it is Python's own directory."""
        return within(self.copy.path, SYSTEM)


class Lost(Struct, frozen=True):
    """Packages that are copied without commands that something calls."""

    copies: tuple[Instruction, ...]
    """The COPYs of single commands; where there is none, that of the packages."""
    hand_picked: bool
    packages: str
    uses: tuple[Use, ...]


def narrowed_copies(view: RepoView) -> tuple[tuple[Narrowed, ...], tuple[str, ...]]:
    """The COPYs that take more than their stage put there, and why others are left as they are."""
    found: list[Narrowed] = []
    reasons: list[str] = []
    copies = list(stage_copies(view.dockerfile, view.stage))
    for copy in copies:
        alone = sum(1 for other in copies if other.instruction is copy.instruction) == 1
        if not alone or copy.path != copy.target or not _is_wide(copy.path):
            continue
        try:
            narrowed = _narrowed(view, copy)
        except Unclear as reason:
            reasons.append(f"line {copy.instruction.line}, {copy.path}: {reason}")
        else:
            if narrowed.needed != (copy.path,):
                found.append(narrowed)
            elif _HOME.fullmatch(copy.path):
                elsewhere = "" if narrowed.tools else " (one_environment moves it where it cannot be found)"
                reasons.append(
                    f"line {copy.instruction.line}: all of {copy.path} was installed, and is needed{elsewhere}"
                )
    return tuple(found), tuple(reasons)


def lost_by_copies(view: RepoView) -> tuple[Lost, ...]:
    """The stages' packages that are copied without commands which a container calls."""
    copies = list(stage_copies(view.dockerfile, view.stage))
    found: dict[int, Lost] = {}
    for copy in copies:
        version = python_version(view.dockerfile, copy.source)
        site = f"{SYSTEM}/lib/python{version}/site-packages"
        mine = [each for each in copies if each.source is copy.source and each.stage is copy.stage]
        if (
            version is None
            or copy.path != copy.target
            or not within(site, copy.path)
            or any(within(f"{SYSTEM}/bin", each.path) for each in mine)
            or not same_python(view.dockerfile, copy.source, copy.stage)
        ):
            continue
        lost = lost_commands(view, copy.stage, copy.source, [each.path for each in mine], copy.instruction)
        if lost:
            picked = _hand_picked(mine)
            found.setdefault(
                copy.source.index,
                Lost(picked or (copy.instruction,), bool(picked), copy.path, tuple(lost.values())),
            )
    return tuple(found.values())


def _hand_picked(copies: list[StageCopy]) -> tuple[Instruction, ...]:
    """The COPYs that take nothing but commands from beside Python to the same place."""
    folder = f"{SYSTEM}/bin"
    whole: dict[Instruction, bool] = {}
    for copy in copies:
        fits = within(copy.path, folder) and within(copy.target, folder)
        whole[copy.instruction] = whole.get(copy.instruction, True) and fits
    return tuple(instruction for instruction, fits in whole.items() if fits)


def _is_wide(path: str) -> bool:
    """Whether the directory holds more than an environment or commands: Python's own, a home directory."""
    system = re.fullmatch(rf"{SYSTEM}(/lib(/python[\d.]+)?)?", path)
    return bool(system or _HOME.fullmatch(path))


def _narrowed(view: RepoView, copy: StageCopy) -> Narrowed:
    """What the COPY needs to take. Raises Unclear."""
    dockerfile = view.dockerfile
    if not same_python(dockerfile, copy.source, copy.stage):
        raise Unclear(f"stages {copy.source.label} and {copy.stage.label} do not start from the same Python")
    steps = own_steps(dockerfile, copy.source, copy.stage)
    written = written_under(view, copy.source, steps, copy.path)
    kept = [
        copy.path if within(copy.path, place) else place
        for place in written.places
        if place not in written.tools or _use(view, copy, place, written.tools[place])
    ]
    needed = tuple(sorted(dict.fromkeys(kept)))
    if not all(map(_PLAIN.fullmatch, needed)) or len(needed) > _MOST_PLACES:
        raise Unclear(f"what is needed stands in {len(needed)} places")
    if not written.places and not (
        same_start(dockerfile, copy.source, copy.stage) and not _touched(view, copy)
    ):
        raise Unclear("no step is known to write into it")
    return Narrowed(copy, needed, bool(written.tools))


def _touched(view: RepoView, copy: StageCopy) -> bool:
    """Whether the stage speaks of the directory before it is copied over."""
    return any(
        copy.path in instruction.value
        for instruction in view.dockerfile.making(copy.stage)
        if instruction.span < copy.instruction.span and instruction.keyword == "RUN"
    )


def _use(view: RepoView, copy: StageCopy, place: str, tools: frozenset[str]) -> bool:
    """Whether anything that has the copied tools calls them: a container, a later step, another stage."""
    dockerfile = view.dockerfile
    earlier = [
        i for i in dockerfile.making(view.stage) if i.keyword == "RUN" and i.span < copy.instruction.span
    ]
    called = {command for tool in tools for command in _COMMANDS.get(tool, (tool,))}
    if runtime_uses(view, called, earlier):
        return True
    return any(_builds_on(view, stage, copy, place, called) for stage in dockerfile.stages)


def _builds_on(view: RepoView, stage: Stage, copy: StageCopy, place: str, commands: Collection[str]) -> bool:
    """Whether another stage starts from the one with the copy and calls tools, or copies them on."""
    dockerfile = view.dockerfile
    heir = copy.stage in dockerfile.lineage(stage)[:-1]
    called = re.compile(rf"\b({'|'.join(map(re.escape, commands))})\b")
    return any(
        (heir and i.keyword in ("RUN", "CMD", "ENTRYPOINT") and called.search(i.value) is not None)
        or (dockerfile.source_stage(i) is copy.stage and place in i.value)
        for i in stage.instructions
    )
