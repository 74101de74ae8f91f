"""Packages that are installed with --prefix, --target or --user, and copied into another stage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import basename

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import overlap, within
from phasewise.model.python.console_scripts import lost_commands
from phasewise.model.python.environments import SYSTEM, Install, installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.copies import StageCopy, stage_copies
from phasewise.model.stages.narrowing import narrowed_copies
from phasewise.model.stages.roles import only_tools
from phasewise.model.syntax.scopes import is_root
from phasewise.model.wording import listed

_OPTION = re.compile(r"(?P<name>--prefix|--target|-t|--user)(=.*)?")


class Elsewhere(Exception):
    """The packages cannot be given one environment; the message is a clause."""


class Scattered(Struct, frozen=True):
    """What one stage installs outside of a virtual environment, and where its copies go."""

    source: Stage
    option: str
    """`--prefix`, `--target` or `--user`."""
    place: str
    """The directory that receives the packages."""
    installs: tuple[Install, ...]
    receivers: tuple[Receiver, ...]

    def receiver(self, stages: Sequence[Stage]) -> Receiver | None:
        """The one that stands in any of `stages`."""
        return next((each for each in self.receivers if each.stage in stages), None)


class Receiver(Struct, frozen=True):
    """One stage that copies the packages."""

    stage: Stage
    copies: tuple[Instruction, ...]
    target: str
    """Where the place's content is in this stage."""
    paths: tuple[str, ...]
    """What the copies take, as in the source."""


def scattered(view: RepoView) -> Iterator[Scattered]:
    """For each stage that the target copies from and that installs with one of the three options.

    Raises:
        Elsewhere: packages of a stage go to several places, or their copies are not understood.
    """
    dockerfile = view.dockerfile
    sources = {copy.source.index: copy.source for copy in stage_copies(dockerfile, view.stage)}
    for source in sources.values():
        found = [each for each in installs(dockerfile, source) if not only_tools(each.command)]
        options = {option_of(each) for each in found} - {None}
        if not options:
            continue
        if len({each.environment for each in found}) > 1:
            places = " and ".join(sorted({each.environment for each in found}))
            raise Elsewhere(
                f"stage {source.label} installs packages into {places}, and only packages that are all in one place "
                "are moved"
            )
        if any(each.instruction.stage != source.index for each in found):
            raise Elsewhere(f"stage {source.label} inherits packages from the stage that it builds on")
        place = found[0].environment
        if place == SYSTEM:
            continue
        receivers = tuple(_receivers(view, source, place))
        if receivers:
            yield Scattered(source, str(option_of(found[0])), place, tuple(found), receivers)


def option_of(install: Install) -> str | None:
    """Which of the options the install is given; None: none of them."""
    for word in install.command.argv:
        if match := _OPTION.fullmatch(word):
            return "--target" if match["name"] == "-t" else match["name"]
    return None


def _receivers(view: RepoView, source: Stage, place: str) -> Iterator[Receiver]:
    narrow = {each.copy.instruction: each.needed for each in narrowed_copies(view)[0]}
    for stage in view.dockerfile.stages:
        mine = [
            copy
            for copy in stage_copies(view.dockerfile, stage)
            if copy.stage is stage and copy.source is source and overlap(copy.path, place)
        ]
        if not mine:
            continue
        targets = {_target(copy, place, narrow.get(copy.instruction, ())) for copy in mine}
        if len(targets) > 1 or None in targets:
            raise Elsewhere(f"stage {stage.label} copies parts of {place} to different places")
        instructions = tuple(dict.fromkeys(copy.instruction for copy in mine))
        words = sum(len(view.dockerfile.words(each)) - 1 for each in instructions)
        if words > len(mine):
            raise Elsewhere(f"line {instructions[0].line} copies other files as well")
        yield Receiver(stage, instructions, str(targets.pop()), tuple(copy.path for copy in mine))


def _target(copy: StageCopy, place: str, narrowed: Sequence[str]) -> str | None:
    """Where the place's content comes to lie by one copy; None where its parts change places."""
    if not within(copy.path, place):
        return place if copy.path == copy.target and narrowed == (place,) else None
    below = copy.path[len(place) :]
    for target in (copy.target, f"{copy.target.rstrip('/')}/{basename(copy.path)}"):
        if target.endswith(below):
            return target[: len(target) - len(below)] or "/"
    return None


def why_one(view: RepoView, found: Scattered, receiver: Receiver) -> list[str]:
    """What is wrong with the copies, as clauses about the packages; empty: they are copied once, and it works."""
    dockerfile = view.dockerfile
    reasons = []
    if len(receiver.copies) > 1:
        reasons.append(f"are copied in {len(receiver.copies)} pieces")
    if found.option == "--user" and not within(receiver.target, SYSTEM):
        reasons += _unreachable(dockerfile, view.stage, receiver)
    left, hidden = _commands_lost(view, found, receiver)
    if left:
        reasons.append(f"come without {listed(sorted(left))}, which the container calls")
    if hidden:
        where = f"{receiver.target.rstrip('/')}/bin"
        reasons.append(
            f"bring {listed(sorted(hidden))}, which the container calls, to {where}, which is not on PATH"
        )
    return reasons


def _unreachable(dockerfile: Dockerfile, stage: Stage, receiver: Receiver) -> Iterator[str]:
    """Why whoever runs the container does not find what lies in somebody's home directory."""
    final = dockerfile.final(stage)
    user, variables = final.user.partition(":")[0], final.variables
    if variables.get("PYTHONUSERBASE") == receiver.target and not within(receiver.target, "/root"):
        return
    home = variables.get("HOME") or _home_of(dockerfile, stage, user)
    if not is_root(user) and within(receiver.target, "/root"):
        yield f"lie in /root, which {user} may not enter"
    elif home and f"{home}/.local" != receiver.target:
        yield f"lie in {receiver.target}, and Python looks for them in {home}/.local"


def _home_of(dockerfile: Dockerfile, stage: Stage, user: str) -> str | None:
    """The home directory of root, or of a user that the stage makes without saying where it lives."""
    if is_root(user):
        return "/root"
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            if command.name in ("useradd", "adduser") and user in command.argv:
                placed = any(re.match(r"-[a-zA-Z]*[db]|--home|--base-dir|--system", w) for w in command.argv)
                return None if placed else f"/home/{user}"
    return None


def _commands_lost(view: RepoView, found: Scattered, receiver: Receiver) -> tuple[set[str], set[str]]:
    """Commands of the packages that a container calls: those that are not copied, and those copied, not on PATH."""
    path = view.dockerfile.final(view.stage).variables.get("PATH", "").split(":")
    reachable = receiver.target == SYSTEM or f"{receiver.target}/bin" in path
    copied = [f"{each.rstrip('/')}/bin" if each == found.place else each for each in receiver.paths]
    if any(not within(each, found.place) for each in receiver.paths):
        copied.append(f"{found.place}/bin")
    first = receiver.copies[0]
    left = set(lost_commands(view, receiver.stage, found.source, copied, first))
    if reachable:
        return left, set()
    return left, set(lost_commands(view, receiver.stage, found.source, (), first)) - left
