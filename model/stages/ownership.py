"""Recursive chown and chmod over copied files: the same ownership without a second copy of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from posixpath import dirname

from msgspec import Struct

from phasewise.model.debian.apt import edited, is_upkeep
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction
from phasewise.model.paths import within
from phasewise.model.shell import Command, Script
from phasewise.model.stages.owners import USER_TOOLS, moves_whole, owner_names
from phasewise.model.stages.recursion import Recursive, absolute, destination, goes_beside, recursive_changes
from phasewise.model.stages.written_files import EMPTY_DIRECTORIES, made_by, made_directories, others_wrote
from phasewise.model.text import Edit, Span, apply_edits

_OF_ORDER = re.compile(r"\b(after|once|now that|later than|behind)\b", re.I)
"""What a comment speaks of the steps before its own with: in another place it would be untrue."""


class Handover(Struct, frozen=True):
    """The recursive commands of a stage that COPY flags can replace, and the text with that done."""

    replaced: tuple[Recursive, ...]
    text: str
    searched: bool = False
    """`find` still looks for files that somebody else than a COPY wrote."""

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
    changes = tuple(
        change
        for change in recursive_changes(dockerfile, stage)
        if not brings_nothing(dockerfile, stage, change)
    )
    if not changes:
        return None
    edits = [*_flag_edits(dockerfile, changes)]
    texts: dict[int, str | None] = {}
    for run in dict.fromkeys(change.instruction.span.start for change in changes):
        own = [change for change in changes if change.instruction.span.start == run]
        texts[run] = _without_recursion(dockerfile, stage, own)
    edits += _run_edits(dockerfile, stage, changes, texts)
    searched = any(
        others_wrote(dockerfile, stage, change, path) for change in changes for path in change.paths
    )
    return Handover(changes, apply_edits(dockerfile.text, edits), searched)


def brings_nothing(dockerfile: Dockerfile, stage: Stage, change: Recursive) -> bool:
    """Whether flags would spare next to no bytes: the COPYs of lone files have them, and others wrote the rest."""
    return all(has_flag(copy, change) and goes_beside(dockerfile, copy) for copy in change.copies) and any(
        others_wrote(dockerfile, stage, change, path) for path in change.paths
    )


def has_flag(copy: Instruction, change: Recursive) -> bool:
    """Whether the COPY sets already what the command would."""
    return copy.flag(change.flag) == change.value


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
        if others_wrote(dockerfile, stage, change, path):
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
    """`path` and the directories under it that the flags of COPY leave as they are.

    What a WORKDIR or a mkdir made, with mode 755 from the start. `--chown` reaches the directories that COPY makes
    on its way, `--chmod` just what is in them (seen with Engine 26.1.5).
    """
    made = dict.fromkeys(
        d for d in made_directories(dockerfile, stage, change.command.span.start) if within(d, path)
    )
    targets = [(copy, destination(dockerfile, copy)) for copy in change.copies]
    copied = [where for _, where in targets if where and within(where, path)]
    if change.flag == "chmod" and change.value.lstrip("0") == "755":
        there = path in made or path in EMPTY_DIRECTORIES
        return [path] if path not in copied and not there else []
    if change.flag == "chmod":
        folders = [w for copy, w in targets if w and within(w, path) and not _is_file(dockerfile, copy)]
        passed = [str(above) for where in folders for above in reversed([*PurePosixPath(where).parents])]
        made |= dict.fromkeys(where for where in (*passed, *folders) if within(where, path))
    root = [path] if path not in copied or path in made or path in EMPTY_DIRECTORIES else []
    return [*root, *(directory for directory in made if directory != path)]


def _is_file(dockerfile: Dockerfile, copy: Instruction) -> bool:
    """Whether a COPY gives its one file a place by name, as far as names tell."""
    *sources, target = (word.value for word in dockerfile.words(copy))
    if len(sources) != 1 or target.endswith(("/", ".")):
        return False
    return PurePosixPath(target).suffix != "" or PurePosixPath(target).name == PurePosixPath(sources[0]).name


def _run_edits(
    dockerfile: Dockerfile, stage: Stage, changes: tuple[Recursive, ...], texts: dict[int, str | None]
) -> Iterator[Edit]:
    """Rewrites the RUNs, and moves those that make the owner in front of the first copy that names it."""
    named = (c for c in changes if c.flag == "chown" and owner_names(dockerfile, c.value, c.instruction))
    first = min((change.copies[0] for change in named), key=lambda i: i.span, default=None)
    for instruction in stage.instructions:
        rewritten = instruction.span.start in texts
        text = texts.get(instruction.span.start)
        script = Script.of(dockerfile, instruction)
        makes = script is not None and any(c.name in USER_TOOLS for c in script.commands)
        if first is None or not makes or script is None or instruction.span < first.span:
            if rewritten and text is None:
                yield drop_instruction(dockerfile, instruction)
            elif rewritten:
                yield Edit(instruction.span, text or "")
            continue
        yield from _moved(
            dockerfile, stage, script, first, text if rewritten else instruction.span.of(dockerfile.text)
        )


def _moved(
    dockerfile: Dockerfile, stage: Stage, script: Script, first: Instruction, text: str | None
) -> Iterator[Edit]:
    """The RUN, or just its user commands, in front of `first`."""
    instruction = script.instruction
    users = [command for command in script.commands if command.name in USER_TOOLS]
    rest = [command for command in script.commands if command.name not in USER_TOOLS]
    whole = text is not None and _may_come_first(dockerfile, stage, script, first, text)
    only_users = script.without(rest) if rest else ()
    if not whole and (only_users is None or script.without(users) is None):
        whole = True
    moved = text if whole else edited(dockerfile.text, instruction.span, only_users or ())
    lines = dockerfile.lines(instruction)
    place = dockerfile.lines(first).start
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    comments = dockerfile.text[lines.start : instruction.span.start]
    if _OF_ORDER.search(comments):
        comments = f"# Made before the first COPY that names it.{newline}"
    above = dockerfile.text[:place].rstrip(" \t")
    tight = (
        not above.endswith(("\n\n", "\r\n\r\n"))
        and dockerfile.instructions[_index(dockerfile, first) - 1].keyword != "FROM"
    )
    yield Edit(Span(place, place), f"{newline if tight else ''}{comments}{moved}{newline}{newline}")
    rest_of_text = None if whole else _without_users(dockerfile, script, text or "")
    if rest_of_text is None:
        yield drop_instruction(dockerfile, instruction)
    else:
        yield Edit(Span(lines.start, instruction.span.end), rest_of_text)


def _index(dockerfile: Dockerfile, instruction: Instruction) -> int:
    return next(i for i, other in enumerate(dockerfile.instructions) if other is instruction)


def _may_come_first(
    dockerfile: Dockerfile, stage: Stage, script: Script, first: Instruction, text: str
) -> bool:
    """Whether everything the RUN still does, which is `text`, works in front of `first`, and lasts."""
    if dockerfile.workdir(script.instruction) != dockerfile.workdir(first) or not moves_whole(script):
        return False
    again = Dockerfile.parse(dockerfile.text[: first.span.start] + text, dockerfile.path)
    moved = Script.of(again, again.instructions[-1])
    copies = [i for i in stage.instructions if first.span <= i.span and i.keyword in ("COPY", "ADD")]
    copied = [where for copy in copies if (where := destination(dockerfile, copy))]
    return moved is not None and all(
        _finds_its_places(again, again.stages[stage.index], moved.instruction, command, copied)
        for command in moved.commands
    )


def _finds_its_places(
    dockerfile: Dockerfile, stage: Stage, run: Instruction, command: Command, copied: list[str]
) -> bool:
    """Whether the directories that the command works on are made by then, and none of them by a COPY afterwards.

    A COPY gives the directories in it their modes again, also those that are there (seen with Engine 26.1.5).
    """
    if command.name == "mkdir":
        parents = any(re.match(r"-\w*p|--parents$", word) for word in command.argv[1:])
        needed = [] if parents else [dirname(path) for path in made_by(dockerfile, run, command)]
    elif command.name in ("chown", "chmod"):
        if any(re.match(r"-\w*R|--recursive$", word) for word in command.argv[1:]):
            return False  # What a step on the way writes there would be missed.
        operands = [word for word in command.argv[1:] if not word.startswith("-")]
        needed = [absolute(dockerfile, run, word) or "" for word in operands[1:]]
    else:
        return command.name not in ("find", "install")
    if command.name == "chmod" and any(
        path != where and within(path, where) for path in needed for where in copied
    ):
        return False
    there = made_directories(dockerfile, stage, command.span.start)
    return all(path in EMPTY_DIRECTORIES or there.get(path) for path in needed)


def _without_users(dockerfile: Dockerfile, script: Script, text: str) -> str | None:
    """`text`, the rewritten RUN, without the commands that make users; None: nothing is left."""
    head = dockerfile.text[: script.instruction.span.start]
    again = Dockerfile.parse(head + text, dockerfile.path)
    run = again.instructions[-1]
    reread = Script.of(again, run)
    named = [command for command in reread.commands if command.name in USER_TOOLS] if reread else []
    pruned = reread.without(named) if reread else None
    return edited(again.text, run.span, pruned) if pruned is not None else None
