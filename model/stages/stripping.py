"""The RUNs that strip symbols from compiled files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.shell import Command, Script

_HELPERS = re.compile(
    r"|set|:|true|echo|printf|du|stat|readelf|awk|cat|grep|file|read|test|\[|continue|break|seq|nproc|wait"
)
"""What goes on around a strip, an assignment among it, and changes no file that stays."""
_PASSING = ("/tmp/", "/var/lib/apt/lists")
_KEPT = re.compile(r">>?\s*[\"']?/(?!tmp/|dev/)")
"""A redirection to a file that stays."""


def strips(command: Command) -> bool:
    """`strip ...`, or `find`, `xargs` and the like that run it."""
    return any(word.rpartition("/")[2] == "strip" for word in command.argv)


def stripping(
    dockerfile: Dockerfile, instructions: Iterable[Instruction]
) -> Iterator[tuple[Instruction, list[Command]]]:
    """Those of `instructions` that strip, with the commands that do it."""
    for instruction in instructions:
        script = Script.of(dockerfile, instruction) if instruction.keyword == "RUN" else None
        commands = [command for command in (script.commands if script else ()) if strips(command)]
        if commands:
            yield instruction, commands


def only_strips(dockerfile: Dockerfile, instruction: Instruction) -> bool:
    """Whether a RUN strips, and does nothing besides that its image would miss."""
    if not any(stripping(dockerfile, [instruction])):
        return False
    script = Script.of(dockerfile, instruction)
    return script is not None and all(strips(command) or _helps(command) for command in script.commands)


def _helps(command: Command) -> bool:
    if any(_KEPT.search(redirect) for redirect in command.redirects):
        return False
    words = [word for word in command.argv[1:] if not word.startswith("-")]
    if command.name == "rm":
        return all(word.startswith(_PASSING) for word in words)
    if command.name == "find":
        return not any(word in ("-delete", "-exec", "-execdir", "-ok") for word in command.argv)
    if command.name in ("apt-get", "apt"):
        return words in (["update"], ["clean"], ["install", "binutils"])
    return _HELPERS.fullmatch(command.name) is not None
