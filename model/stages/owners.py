"""Whether an owner's name is known where a COPY stands, if need be by making the user before it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phasewise.model.debian.apt import apt_commands
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.script_calls import called_file
from phasewise.model.shell import Command, Script

USER_TOOLS = frozenset({"useradd", "adduser", "groupadd", "addgroup", "usermod", "groupmod"})
"""Commands that make and change users and groups."""

_MOVABLE = USER_TOOLS | {"mkdir", "chown", "chmod", "install", "set", "id", "getent", "true", ":"}
_LOOKS_AT_OWNERS = frozenset({"git", "npm", "npx"})
"""git refuses the repository of somebody else, npm runs scripts as the owner of their folder."""
_GROUP_OPTION = re.compile(r"(?:-a?G|-g|--groups?|--gid|--ingroup)(?:=(.+))?$")
_GROUPS_OF_DEBIAN = frozenset(
    {
        "root",
        "adm",
        "audio",
        "dialout",
        "games",
        "nogroup",
        "plugdev",
        "staff",
        "sudo",
        "users",
        "video",
        "www-data",
    }
)
_ACCOUNTS = re.compile(r"/etc/(passwd|group)\b")


def user_is_there(
    dockerfile: Dockerfile, stage: Stage, owner: str, changed_by: Instruction, first: Instruction
) -> bool:
    """Whether `owner`, which the RUN `changed_by` names, means the same at `first`, the first of the copies.

    The RUNs of the stage that make users behind `first` may have to move in front of it. BuildKit takes a name
    that it does not know for root and says nothing (seen with Engine 26.1.5).
    """
    names = owner_names(dockerfile, owner, changed_by)
    if not names:
        return True
    makers = list(_makers(dockerfile, stage))
    made = {word for maker in makers for word in _words(dockerfile, maker)}
    if names - made and any(_may_make_users(dockerfile, i) for i in _between(stage, first, changed_by)):
        return False
    late = [maker for maker in makers if maker.stage == stage.index and maker.span > first.span]
    return all(_can_move(dockerfile, stage, maker, first) for maker in late)


def owner_names(dockerfile: Dockerfile, owner: str, instruction: Instruction) -> frozenset[str]:
    """The users and groups of `user:group` that somebody has to have made; root and numbers need nobody."""
    expanded = dockerfile.expand(owner, instruction) or owner
    return frozenset(part for part in expanded.split(":") if not part.isdecimal() and part != "root")


def reads_owners_between(
    dockerfile: Dockerfile, stage: Stage, first: Instruction, until: Instruction
) -> bool:
    """Whether a RUN behind the first copy would see other owners than now, and minds."""
    return any(
        command.name in _LOOKS_AT_OWNERS
        for instruction in _between(stage, first, until)
        if (script := Script.of(dockerfile, instruction))
        for command in script.commands
    )


def moves_whole(script: Script) -> bool:
    """Whether everything that the RUN does is independent of copied files."""
    return all(command.name in _MOVABLE for command in script.commands)


def _between(stage: Stage, first: Instruction, until: Instruction) -> Iterator[Instruction]:
    """The instructions of the stage behind `first`, up to and with `until`."""
    return (i for i in stage.instructions if first.span < i.span <= until.span)


def _makers(dockerfile: Dockerfile, stage: Stage) -> Iterator[Instruction]:
    """The RUNs of the lineage that make users."""
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        if script and any(command.name in USER_TOOLS for command in script.commands):
            yield instruction


def _words(dockerfile: Dockerfile, maker: Instruction, tools: frozenset[str] = USER_TOOLS) -> Iterator[str]:
    """The arguments of the commands that make users, variables filled in."""
    script = Script.of(dockerfile, maker)
    for command in script.commands if script else ():
        if command.name in tools:
            yield from (dockerfile.expand(word, maker) or word for word in command.argv[1:])


def _may_make_users(dockerfile: Dockerfile, instruction: Instruction) -> bool:
    """Whether users may come with Debian packages, from a script, or as files."""
    if instruction.keyword in ("COPY", "ADD"):
        target = dockerfile.words(instruction)[-1].value.rstrip("/")
        return target in ("", "/etc") or bool(_ACCOUNTS.search(instruction.value))
    if instruction.keyword != "RUN":
        return False
    script = Script.of(dockerfile, instruction)
    if script is None or _ACCOUNTS.search(instruction.value) or apt_commands(script, "install"):
        return True
    return any(called_file(command) is not None for command in script.commands)


def _can_move(dockerfile: Dockerfile, stage: Stage, maker: Instruction, before: Instruction) -> bool:
    """Whether the user commands of `maker` would do the same in front of `before`."""
    used = set(re.findall(r"\$\{?(\w+)", maker.value))
    late = {
        name
        for name, value in dockerfile.variables(maker).items()
        if dockerfile.variables(before).get(name) != value
    }
    script = Script.of(dockerfile, maker)
    if script is None or used & late or dockerfile.user(maker) != dockerfile.user(before):
        return False
    users = [command for command in script.commands if command.name in USER_TOOLS]
    if not moves_whole(script) and not all(script.certain(command) for command in users):
        return False
    return not _needs_packages(dockerfile, stage, users, maker, before)


def _needs_packages(
    dockerfile: Dockerfile, stage: Stage, users: list[Command], maker: Instruction, before: Instruction
) -> bool:
    """Whether a package installed on the way may bring the command itself, or a group that it names."""
    installed = {
        name
        for instruction in _between(stage, before, maker)
        if (script := Script.of(dockerfile, instruction))
        for apt in apt_commands(script, "install")
        for name in apt.names
    }
    if not installed:
        return False
    made = {
        word
        for instruction in _makers(dockerfile, stage)
        for word in _words(dockerfile, instruction, frozenset({"groupadd", "addgroup"}))
    }
    asked = {group for command in users for group in _groups(command) if not group.isdecimal()}
    return bool(asked - made - _GROUPS_OF_DEBIAN or installed & {"adduser", "passwd", "shadow"})


def _groups(command: Command) -> Iterator[str]:
    """The groups that options of useradd and adduser name."""
    for word, following in zip(command.argv, (*command.argv[1:], ""), strict=True):
        if option := _GROUP_OPTION.match(word):
            yield from (option[1] or following).split(",")
