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

_NOTHING_COPIED = "no COPY before it in its stage lies wholly under its directories"
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


class Stays(Exception):
    """Flags of COPY do not replace a command; the message is a clause that says why."""


def recursive_changes(dockerfile: Dockerfile, stage: Stage) -> Iterator[Recursive]:
    """Those of `stage` that flags of COPY can replace, in order."""
    for instruction in stage.instructions:
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            try:
                yield recursive_change(dockerfile, stage, instruction, command)
            except Stays:
                continue


def recursive_change(
    dockerfile: Dockerfile, stage: Stage, instruction: Instruction, command: Command
) -> Recursive:
    """The command, where flags of COPY can replace it.

    Raises:
        Stays: they cannot.
    """
    change = _read(dockerfile, stage, instruction, command)
    script = Script.of(dockerfile, instruction)
    if script is None or not script.certain(command):
        raise Stays("it does not run in every build")
    if any(other.name in ("cd", "pushd") for other in script.commands):
        raise Stays("the same step changes the directory, and with it what the paths in it mean")
    if change.flag == "chmod":
        return change
    first = change.copies[0]
    line = first.line
    if reads_owners_between(dockerfile, stage, first, instruction):
        raise Stays(f"git or npm run between it and the COPY of line {line}, and mind whose the files are")
    if not user_is_there(dockerfile, stage, change.value, instruction, first):
        raise Stays(f"what makes {change.written} may need steps behind the COPY of line {line}")
    return change


def _read(dockerfile: Dockerfile, stage: Stage, instruction: Instruction, command: Command) -> Recursive:
    """The command with the COPYs that it covers; who the owner is at those is not looked at. Raises Stays."""
    if command.name not in ("chown", "chmod") or command.condition:
        raise Stays("it does not run in every build")
    options = [word for word in command.argv[1:] if word.startswith("-") and len(word) > 1]
    operands = [word for word in command.argv[1:] if word not in options]
    if any(not re.fullmatch(r"-[cfvRh]+|--recursive|--no-dereference", option) for option in options):
        raise Stays("its options mean something else than the flags of COPY")
    if not any("R" in option or option == "--recursive" for option in options) or len(operands) < 2:
        raise Stays("it is not recursive")
    value = _owner(operands[0]) if command.name == "chown" else _mode(operands[0])
    if command.name == "chmod" and value is None:
        raise Stays(f"what {operands[0]} means depends on each file")
    if value is None or dockerfile.expand(value, instruction) is None:
        raise Stays("only the shell knows the owner")
    if operands[0].endswith(":") and not _has_own_group(dockerfile, stage):
        raise Stays("the group that the owner has is not known")
    settled: list[str] = []
    left: dict[str, str] = {}
    copies: dict[int, Instruction] = {}
    for word in operands[1:]:
        try:
            path = absolute(dockerfile, instruction, word)
            if path is None:
                raise Stays(f"only the shell knows what {word} is")
            found = _copies_under(dockerfile, stage, instruction, path, value)
            if ":" not in operands[0] and any(copy.flag("chown") for copy in found):
                raise Stays("it leaves the files' group as another --chown has set it")
        except Stays as why:
            left[word] = str(why)
        else:
            settled.append(path)
            copies |= {copy.span.start: copy for copy in found}
    if not settled:
        raise Stays(next((why for why in left.values() if why != _NOTHING_COPIED), _NOTHING_COPIED))
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
) -> tuple[Instruction, ...]:
    """The COPYs of the stage before `instruction` that lie wholly under `path`.

    Raises:
        Stays: there is none, or one is covered partly, unpacks an archive, knows another value of a variable, or
            needs numeric ids for `--link`.
    """
    expanded = dockerfile.expand(value, instruction)
    has_names = re.search(r"[^\d:]", expanded or value) is not None
    found = []
    for copy in stage.instructions:
        if copy.keyword not in ("COPY", "ADD") or copy.span.start > instruction.span.start:
            continue
        where, named = destination(dockerfile, copy), f"the {copy.keyword} of line {copy.line}"
        if where is None:
            raise Stays(f"where {named} writes is not known")
        if within(path, where) and path != where and not goes_beside(dockerfile, copy):
            raise Stays(f"{path} may be just a part of what {named} brings to {where}")
        if within(where, path):
            if copy.flag("link") not in (None, "false") and has_names:
                raise Stays(f"{named} has --link, which knows no names of users")
            if _keeps_owners(dockerfile, copy):
                raise Stays(f"{named} unpacks or fetches files, which its flags do not reach")
            if dockerfile.expand(value, copy) != expanded:
                raise Stays(f"{value} means something else at {named}")
            found.append(copy)
    if not found:
        raise Stays(_NOTHING_COPIED)
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
