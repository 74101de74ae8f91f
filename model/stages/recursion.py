"""Recursive chown and chmod commands over files that a COPY brought into the same stage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import join, normpath

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import within
from phasewise.model.shell import Command, Script
from phasewise.model.stages.owners import reads_owners_between, user_is_there

_OTHER_GROUP = frozenset({"-g", "--gid", "-N", "--no-user-group", "-G", "--ingroup", "--system", "-S", "-r"})
"""Options of useradd and adduser after which a user's group may have another name."""
_ARCHIVE = re.compile(r"\.(tar|tgz|tbz2?|txz)$|\.tar\.\w+$|^(https?|git)://|^git@|\.git(#|$)")
"""What ADD unpacks or fetches: its files keep the owners that they have in there (seen with Engine 26.1.5)."""

_PLAIN = re.compile(r"[\w@./{}$:+-]+")


class Recursive(Struct, frozen=True):
    """`chown -R app:app /app`: one command over directories."""

    instruction: Instruction
    command: Command
    flag: str
    """The COPY flag that does the same: `chown` or `chmod`."""
    value: str
    """The value for the flag: the owner with a group, or the octal mode."""
    written: str
    """The owner or mode as the command has it."""
    paths: tuple[str, ...]
    """The directories, absolute, under which it covers whole COPYs and nothing else from a COPY."""
    left: tuple[str, ...]
    """The others, as written: they stay recursive."""
    copies: tuple[Instruction, ...]
    """The COPYs before it in its stage whose files it covers wholly."""


def recursive_changes(dockerfile: Dockerfile, stage: Stage) -> Iterator[Recursive]:
    """Those of `stage` that flags of COPY can replace, in order."""
    for instruction in stage.instructions:
        script = Script.of(dockerfile, instruction)
        if script is None or any(command.name in ("cd", "pushd") for command in script.commands):
            continue
        for command in script.commands:
            change = _recursive(dockerfile, stage, instruction, command)
            if (
                change
                and change.copies
                and script.certain(command)
                and _means_the_same(dockerfile, stage, change)
            ):
                yield change


def _means_the_same(dockerfile: Dockerfile, stage: Stage, change: Recursive) -> bool:
    """Whether the first of the copies may give files the owner already."""
    if change.flag == "chmod":
        return True
    first, run = change.copies[0], change.instruction
    return not reads_owners_between(dockerfile, stage, first, run) and user_is_there(
        dockerfile, stage, change.value, run, first
    )


def _recursive(
    dockerfile: Dockerfile, stage: Stage, instruction: Instruction, command: Command
) -> Recursive | None:
    if command.name not in ("chown", "chmod") or command.condition:
        return None
    options = [word for word in command.argv[1:] if word.startswith("-") and len(word) > 1]
    operands = [word for word in command.argv[1:] if word not in options]
    if any(not re.fullmatch(r"-[cfvRh]+|--recursive|--no-dereference", option) for option in options):
        return None
    if not any("R" in option or option == "--recursive" for option in options) or len(operands) < 2:
        return None
    value = _owner(operands[0]) if command.name == "chown" else _mode(operands[0])
    if value is None or dockerfile.expand(value, instruction) is None:
        return None
    if operands[0].endswith(":") and not _has_own_group(dockerfile, stage):
        return None
    settled: list[str] = []
    left: list[str] = []
    copies: dict[int, Instruction] = {}
    for word in operands[1:]:
        path = absolute(dockerfile, instruction, word)
        found = _copies_under(dockerfile, stage, instruction, path, value) if path else None
        if found and ":" not in operands[0] and any(copy.flag("chown") for copy in found):
            found = None  # Their group would stay.
        if path and found:
            settled.append(path)
            copies |= {copy.span.start: copy for copy in found}
        else:
            left.append(word)
    ordered = tuple(copies[start] for start in sorted(copies))
    return Recursive(
        instruction, command, command.name, value, operands[0], tuple(settled), tuple(left), ordered
    )


def _owner(word: str) -> str | None:
    """What `--chown` needs to give files the owner that `chown word` would give them."""
    user, colon, group = word.partition(":")
    if not _PLAIN.fullmatch(word) or "$(" in word or not user:
        return None
    if not colon:
        return None if "." in user else f"{user}:{0 if user.isdecimal() else 'root'}"
    return f"{user}:{group or user}"


def _has_own_group(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether every user that the lineage makes gets a group of its own name."""
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            words = {word.partition("=")[0] for word in command.argv}
            if command.name in ("useradd", "adduser") and words & _OTHER_GROUP:
                return False
    return True


def _mode(word: str) -> str | None:
    return word if re.fullmatch(r"[0-7]{3,4}", word) else None


def absolute(dockerfile: Dockerfile, instruction: Instruction, word: str) -> str | None:
    """A path as the RUN sees it; None for one with a glob or something that only the shell knows."""
    expanded = dockerfile.expand(word, instruction)
    if expanded is None or re.search(r"[*?\[`]|\$\(", expanded):
        return None
    return normpath(join(dockerfile.workdir(instruction), expanded))


def destination(dockerfile: Dockerfile, copy: Instruction) -> str | None:
    """Where a COPY writes, absolute; None where that cannot be told."""
    words = dockerfile.words(copy)
    return absolute(dockerfile, copy, words[-1].value) if words else None


def _copies_under(
    dockerfile: Dockerfile, stage: Stage, instruction: Instruction, path: str, value: str
) -> tuple[Instruction, ...] | None:
    """The COPYs of the stage before `instruction` that lie wholly under `path`.

    None where one is covered partly, unpacks an archive, knows another value of a variable, or needs numeric ids
    for `--link`.
    """
    expanded = dockerfile.expand(value, instruction)
    has_names = re.search(r"[^\d:]", expanded or value) is not None
    found = []
    for copy in stage.instructions:
        if copy.keyword not in ("COPY", "ADD") or copy.span.start > instruction.span.start:
            continue
        where = destination(dockerfile, copy)
        if where is None or (within(path, where) and path != where and not goes_beside(dockerfile, copy)):
            return None
        if within(where, path):
            linked = copy.flag("link") not in (None, "false")
            if (linked and has_names) or _keeps_owners(dockerfile, copy):
                return None
            if dockerfile.expand(value, copy) != expanded:
                return None
            found.append(copy)
    return tuple(found)


def goes_beside(dockerfile: Dockerfile, copy: Instruction) -> bool:
    """Whether the COPY brings single files into a directory, and nothing into those below it."""
    *sources, _ = (word.value for word in dockerfile.words(copy))
    named = [source.rstrip("/").rpartition("/")[2] for source in sources]
    return bool(named) and all(
        re.fullmatch(r"[\w*-]+(\.[\w*]+)+|Dockerfile|Pipfile|uv|uvx", name) for name in named
    )


def _keeps_owners(dockerfile: Dockerfile, copy: Instruction) -> bool:
    """Whether files come out of an archive, where flags do not reach them."""
    sources = [word.value for word in dockerfile.words(copy)[:-1]]
    return copy.keyword == "ADD" and any(_ARCHIVE.search(source) for source in sources)
