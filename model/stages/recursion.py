"""Recursive chown and chmod commands over files that a COPY brought into the same stage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import join, normpath

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import within
from phasewise.model.shell import Command, Script

USER_TOOLS = frozenset({"useradd", "adduser", "groupadd", "addgroup", "usermod"})
"""Commands that make users and groups."""

_PLAIN = re.compile(r"[\w@./{}$:+-]+")


@dataclass(frozen=True, slots=True)
class Recursive:
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
            if change and change.copies and _user_is_there(dockerfile, stage, change):
                yield change


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
    settled: list[str] = []
    left: list[str] = []
    copies: dict[int, Instruction] = {}
    for word in operands[1:]:
        path = absolute(dockerfile, instruction, word)
        found = _copies_under(dockerfile, stage, instruction, path) if path else None
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
        return f"{user}:root"
    return f"{user}:{group or user}"


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
    dockerfile: Dockerfile, stage: Stage, instruction: Instruction, path: str
) -> tuple[Instruction, ...] | None:
    """The COPYs of the stage before `instruction` that lie wholly under `path`.

    None where one is covered partly, comes from an inherited stage, or needs numeric ids for `--link`.
    """
    found = []
    for ancestor in dockerfile.lineage(stage):
        for copy in ancestor.instructions:
            if copy.keyword not in ("COPY", "ADD") or copy.span.start > instruction.span.start:
                continue
            where = destination(dockerfile, copy)
            if where is None or (
                within(path, where) and path != where and not _goes_beside(dockerfile, copy)
            ):
                return None
            if within(where, path):
                if ancestor is not stage or copy.flag("link") is not None:
                    return None
                found.append(copy)
    return tuple(found)


def _goes_beside(dockerfile: Dockerfile, copy: Instruction) -> bool:
    """Whether the COPY brings single files into a directory, and nothing into those below it."""
    *sources, _ = (word.value for word in dockerfile.words(copy))
    named = [source.rstrip("/").rpartition("/")[2] for source in sources]
    return bool(named) and all(
        re.fullmatch(r"[\w*-]+(\.[\w*]+)+|Dockerfile|Pipfile|uv|uvx", name) for name in named
    )


def _user_is_there(dockerfile: Dockerfile, stage: Stage, change: Recursive) -> bool:
    """Whether the owner's name can be known before the first of the copies, if need be by moving the RUN."""
    if change.flag == "chmod":
        return True
    expanded = dockerfile.expand(change.value, change.instruction) or ""
    names = [part for part in expanded.split(":") if not part.isdecimal() and part != "root"]
    makers = [
        instruction
        for ancestor in dockerfile.lineage(stage)
        for instruction in ancestor.instructions
        if (script := Script.of(dockerfile, instruction))
        for command in script.commands
        if command.name in USER_TOOLS
    ]
    late = [maker for maker in makers if maker.stage == stage.index and maker.span > change.copies[0].span]
    return not names or not late or all(_can_move(dockerfile, maker, change.copies[0]) for maker in late)


def _can_move(dockerfile: Dockerfile, maker: Instruction, before: Instruction) -> bool:
    """Whether the user commands of `maker` would do the same in front of `before`."""
    used = set(re.findall(r"\$\{?(\w+)", maker.value))
    late = {
        name
        for name, value in dockerfile.variables(maker).items()
        if dockerfile.variables(before).get(name) != value
    }
    return not used & late and dockerfile.user(maker) == dockerfile.user(before)
