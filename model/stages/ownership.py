"""Recursive chown and chmod over copied files: the same ownership without a second copy of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from posixpath import join, normpath

from phasewise.model.debian.apt import edited, is_upkeep
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction
from phasewise.model.python.environments import installs
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span, apply_edits

_USER_TOOLS = frozenset({"useradd", "adduser", "groupadd", "addgroup", "usermod"})
_MOVABLE = _USER_TOOLS | {"mkdir", "chown", "chmod", "install", "set"}
_QUIET = frozenset({"apt-get", "apt", "echo", "set", "true", ":", "ldconfig", "test", "["}) | _USER_TOOLS
_BY_ARGUMENT = frozenset({"find", "rm", "mkdir", "touch", "ln", "cp", "mv", "chmod", "chown", "install"})
_INSTALLERS = re.compile(r"pip[\d.]*|uv|poetry|pdm|virtualenv")
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


@dataclass(frozen=True, slots=True)
class Handover:
    """The recursive commands of a stage that COPY flags can replace, and the text with that done."""

    replaced: tuple[Recursive, ...]
    text: str

    @property
    def from_stages(self) -> bool:
        """Whether any of the files come from another stage, as an environment does."""
        return any(copy.flag("from") for change in self.replaced for copy in change.copies)


def hand_over(dockerfile: Dockerfile, stage: Stage) -> Handover | None:
    """The Dockerfile in which `stage` copies files as their owner; None when there is nothing to replace.

    The directories that are no copies (a WORKDIR, what mkdir made) still change hands, without what is in
    them. Where another RUN may have written among the files, `find` changes just those that are not right
    yet. A user that is made after the COPY is made before it.

    Source: chown and chmod write a file again into the later layer, whole, even when nothing changes.
    """
    changes = tuple(_recursive_changes(dockerfile, stage))
    if not changes:
        return None
    edits = [*_flag_edits(dockerfile, changes)]
    texts: dict[int, str | None] = {}
    for run in dict.fromkeys(change.instruction.span.start for change in changes):
        own = [change for change in changes if change.instruction.span.start == run]
        texts[run] = _without_recursion(dockerfile, stage, own)
    edits += _run_edits(dockerfile, stage, changes, texts)
    return Handover(changes, apply_edits(dockerfile.text, edits))


def _recursive_changes(dockerfile: Dockerfile, stage: Stage) -> Iterator[Recursive]:
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
        path = _absolute(dockerfile, instruction, word)
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


def _absolute(dockerfile: Dockerfile, instruction: Instruction, word: str) -> str | None:
    """A path as the RUN sees it; None for one with a glob or something that only the shell knows."""
    expanded = dockerfile.expand(word, instruction)
    if expanded is None or re.search(r"[*?\[`]|\$\(", expanded):
        return None
    return normpath(join(dockerfile.workdir(instruction), expanded))


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _destination(dockerfile: Dockerfile, copy: Instruction) -> str | None:
    words = dockerfile.words(copy)
    return _absolute(dockerfile, copy, words[-1].value) if words else None


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
            where = _destination(dockerfile, copy)
            if where is None or (
                _within(path, where) and path != where and not _goes_beside(dockerfile, copy)
            ):
                return None
            if _within(where, path):
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
        if command.name in _USER_TOOLS
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


def _flag_edits(dockerfile: Dockerfile, changes: tuple[Recursive, ...]) -> Iterator[Edit]:
    """Puts `--chown=` and `--chmod=` on the copies; what stood there is replaced."""
    flags: dict[int, dict[str, str]] = {}
    copies: dict[int, Instruction] = {}
    for change in changes:
        for copy in change.copies:
            copies[copy.span.start] = copy
            flags.setdefault(copy.span.start, {})[change.flag] = change.value
    for start, wanted in flags.items():
        copy = copies[start]
        new = []
        for name, value in sorted(wanted.items(), key=lambda item: item[0] != "chown"):
            present = next((flag for flag in copy.flags if flag.name == name), None)
            if present:
                yield Edit(present.span, f"--{name}={value}")
            else:
                new.append(f" --{name}={value}")
        end = copy.flags[-1].span.end if copy.flags else copy.span.start + len(copy.keyword)
        if new:
            yield Edit(Span(end, end), "".join(new))


def _without_recursion(dockerfile: Dockerfile, stage: Stage, changes: list[Recursive]) -> str | None:
    """The RUN's text with each command confined to what the copies do not settle; None: nothing is left."""
    instruction = changes[0].instruction
    script = Script.of(dockerfile, instruction)
    edits: list[Edit] = []
    dropped = []
    for change in changes:
        replacement = _confined(dockerfile, stage, change)
        if replacement:
            edits.append(Edit(change.command.span, replacement))
        else:
            dropped.append(change.command)
    left = [c for c in (script.commands if script else ()) if c not in dropped and not is_upkeep(c)]
    if not left or script is None:
        return None
    pruned = script.without(dropped)
    return edited(dockerfile.text, instruction.span, [*edits, *(pruned or ())])


def _confined(dockerfile: Dockerfile, stage: Stage, change: Recursive) -> str:
    """The command for the directories that are no copies, or over what others wrote; empty: none is left."""
    plain: list[str] = []
    searched: list[str] = []
    for path in change.paths:
        if _others_wrote(dockerfile, stage, change, path):
            searched.append(path)
        else:
            plain += _own_directories(dockerfile, stage, change, path)
    commands = []
    if change.left:
        commands.append(" ".join([change.flag, "-R", change.written, *change.left]))
    if plain:
        commands.append(" ".join([change.flag, change.written, *dict.fromkeys(plain)]))
    if searched:
        test = (
            f"! -user {change.written.partition(':')[0]}"
            if change.flag == "chown"
            else f"! -perm {change.written}"
        )
        run = f"chown -h {change.written}" if change.flag == "chown" else f"chmod {change.written}"
        kinds = "" if change.flag == "chown" else " ! -type l"
        commands.append(f"find {' '.join(searched)}{kinds} {test} -exec {run} {{}} +")
    return " && ".join(commands)


def _own_directories(dockerfile: Dockerfile, stage: Stage, change: Recursive, path: str) -> list[str]:
    """`path` and the directories under it that a WORKDIR or a mkdir made before the command.

    Those have mode 755 from the start.
    """
    made = dict.fromkeys(d for d in _made_directories(dockerfile, stage, change) if _within(d, path))
    copied = [_destination(dockerfile, copy) for copy in change.copies]
    if change.flag == "chmod" and change.value.lstrip("0") == "755":
        return [path] if path not in copied and path not in made else []
    root = [path] if path not in copied or path in made else []
    return [*root, *(directory for directory in made if directory != path)]


def _made_directories(dockerfile: Dockerfile, stage: Stage, change: Recursive) -> Iterator[str]:
    for ancestor in dockerfile.lineage(stage):
        for instruction in ancestor.instructions:
            if instruction.span.start > change.instruction.span.start:
                return
            if instruction.keyword == "WORKDIR":
                words = dockerfile.words(instruction)
                if words and (path := _absolute(dockerfile, instruction, words[0].value)):
                    yield path
            script = Script.of(dockerfile, instruction)
            for command in script.commands if script else ():
                if command.name == "mkdir" and command.span.start < change.command.span.start:
                    for word in command.argv[1:]:
                        path = None if word.startswith("-") else _absolute(dockerfile, instruction, word)
                        if path:
                            yield from [
                                *reversed([str(above) for above in PurePosixPath(path).parents]),
                                path,
                            ]


def _others_wrote(dockerfile: Dockerfile, stage: Stage, change: Recursive, path: str) -> bool:
    """Whether a RUN of the stage or below it, up to the command, may have left files under `path`."""
    for instruction in (i for ancestor in dockerfile.lineage(stage) for i in ancestor.instructions):
        if instruction.span.start > change.instruction.span.start:
            break
        if instruction.keyword != "RUN":
            continue
        script = Script.of(dockerfile, instruction)
        if script is None:
            return True
        for command in script.commands:
            if command.span.start < change.command.span.start and _may_write(
                dockerfile, instruction, command, path
            ):
                return True
    return False


def _may_write(dockerfile: Dockerfile, instruction: Instruction, command: Command, path: str) -> bool:
    if command.name in _QUIET or is_upkeep(command):
        return False
    if command.name in ("mkdir", "chown", "chmod"):
        return False
    if _INSTALLERS.fullmatch(command.name) or command.argv[1:3] in (("-m", "pip"), ("-m", "venv")):
        stage = dockerfile.stages[instruction.stage or 0]
        places = [i.environment for i in installs(dockerfile, stage) if i.instruction is instruction]
        named = [_absolute(dockerfile, instruction, word) for word in command.argv[1:] if "/" in word]
        return any(_within(where, path) for where in (*places, *filter(None, named)))
    if command.name == "find" and ("-delete" in command.argv or "rm" in command.argv):
        return False
    if command.name in _BY_ARGUMENT:
        words = _operands(command)
        named = [_absolute(dockerfile, instruction, word) for word in words]
        return any(
            where is not None and (_within(where, path) or _within(path, where)) for where in named
        ) and (command.name != "rm")
    return True


def _operands(command: Command) -> list[str]:
    """The arguments that can be paths; for find those in front of its expression."""
    if command.name == "find":
        return list(takewhile(lambda word: word[0] not in "-!(", filter(None, command.argv[1:])))
    return [word for word in command.argv[1:] if not word.startswith("-")]


def _run_edits(
    dockerfile: Dockerfile, stage: Stage, changes: tuple[Recursive, ...], texts: dict[int, str | None]
) -> Iterator[Edit]:
    """Rewrites the RUNs, and moves those that make the owner in front of the first copy that names it."""
    first = min((c.copies[0] for c in changes if c.flag == "chown"), key=lambda i: i.span, default=None)
    for instruction in stage.instructions:
        rewritten = instruction.span.start in texts
        text = texts.get(instruction.span.start)
        script = Script.of(dockerfile, instruction)
        makes = script is not None and any(c.name in _USER_TOOLS for c in script.commands)
        if first is None or not makes or script is None or instruction.span < first.span:
            if rewritten and text is None:
                yield drop_instruction(dockerfile, instruction)
            elif rewritten:
                yield Edit(instruction.span, text or "")
            continue
        yield from _moved(
            dockerfile, script, first, text if rewritten else instruction.span.of(dockerfile.text)
        )


def _moved(dockerfile: Dockerfile, script: Script, first: Instruction, text: str | None) -> Iterator[Edit]:
    """The RUN, or just its user commands, in front of `first`."""
    instruction = script.instruction
    users = [command for command in script.commands if command.name in _USER_TOOLS]
    rest = [command for command in script.commands if command.name not in _USER_TOOLS]
    whole = text is not None and _may_come_first(dockerfile, script, first, text)
    only_users = script.without(rest) if rest else ()
    if not whole and (only_users is None or script.without(users) is None):
        whole = True
    moved = text if whole else edited(dockerfile.text, instruction.span, only_users or ())
    lines = dockerfile.lines(instruction)
    comments = dockerfile.text[lines.start : instruction.span.start]
    place = dockerfile.lines(first).start
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    above = dockerfile.text[:place].rstrip(" \t")
    tight = (
        not above.endswith(("\n\n", "\r\n\r\n"))
        and dockerfile.instructions[_index(dockerfile, first) - 1].keyword != "FROM"
    )
    yield Edit(Span(place, place), f"{newline if tight else ''}{comments}{moved}{newline}{newline}")
    if whole:
        yield drop_instruction(dockerfile, instruction)
    else:
        yield Edit(
            Span(lines.start, instruction.span.end), _without_users(dockerfile, script, users, text or "")
        )


def _index(dockerfile: Dockerfile, instruction: Instruction) -> int:
    return next(i for i, other in enumerate(dockerfile.instructions) if other is instruction)


def _may_come_first(dockerfile: Dockerfile, script: Script, first: Instruction, text: str) -> bool:
    """Whether everything the RUN still does is independent of the copies."""
    if dockerfile.workdir(script.instruction) != dockerfile.workdir(first) or "find " in text:
        return False
    return all(command.name in _MOVABLE for command in script.commands)


def _without_users(dockerfile: Dockerfile, script: Script, users: list[Command], text: str) -> str:
    """`text`, the rewritten RUN, without the commands that make users."""
    head = dockerfile.text[: script.instruction.span.start]
    again = Dockerfile.parse(head + text, dockerfile.path)
    run = again.instructions[-1]
    reread = Script.of(again, run)
    named = [command for command in reread.commands if command.name in _USER_TOOLS] if reread else []
    pruned = reread.without(named) if reread else None
    return edited(again.text, run.span, pruned) if pruned is not None else text
