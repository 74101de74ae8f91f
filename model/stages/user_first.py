"""The RUNs of a stage once its COPYs set the owners: rewritten, and what makes a user in front of the first of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import dirname

from phasewise.model.debian.apt import edited
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction
from phasewise.model.paths import within
from phasewise.model.shell import Command, Script
from phasewise.model.stages.owners import USER_TOOLS, moves_whole, owner_names
from phasewise.model.stages.recursion import Recursive, absolute, destination
from phasewise.model.stages.written_files import EMPTY_DIRECTORIES, made_by, made_directories
from phasewise.model.text import Edit, Span

_OF_ORDER = re.compile(r"\b(after|once|now that|later than|behind)\b", re.I)
"""What a comment speaks of the steps before its own with: in another place it would be untrue."""


def run_edits(
    dockerfile: Dockerfile, stage: Stage, changes: tuple[Recursive, ...], texts: Mapping[int, str | None]
) -> Iterator[Edit]:
    """Rewrites the RUNs, and moves those that make the owner in front of the first copy that names it.

    `texts` has the rewritten RUNs by the offset of the old ones; None: nothing is left of it.
    """
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
