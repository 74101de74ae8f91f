"""Puts another way to install a tool in the place of an installer that is piped into a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.edits import drop_instruction
from phasewise.model.python.piped_installers import Piped
from phasewise.model.shell import Script
from phasewise.model.text import Edit, Span

_ENV_FILE = re.compile(r"(?:\$HOME|\$\{HOME\}|~|/root|/home/\w+)/\.(?:local/bin|cargo)/env")


def in_place(piped: Piped, text: str) -> tuple[Edit, ...]:
    return (Edit(piped.span, text), *_without_download(piped))


def copied_instead(dockerfile: Dockerfile, piped: Piped, copy: str) -> tuple[Edit, ...]:
    """The COPY in front of the RUN, or in its place when it did nothing else."""
    gone = [c for c in piped.script.commands if piped.span.covers(c.span)]
    left = piped.script.without([*gone, *piped.removals])
    added = (drop_instruction(dockerfile, piped.added),) if piped.added else ()
    if left is None:
        return (Edit(piped.instruction.span, copy), *added)
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    start = piped.instruction.span.start
    return (Edit(Span(start, start), f"{copy}{newline}"), *left, *added)


def _without_download(piped: Piped) -> Iterator[Edit]:
    if piped.added:
        yield drop_instruction(Dockerfile.parse(piped.script.text), piped.added)
    yield from piped.script.without(piped.removals) or ()


def without_env_files(dockerfile: Dockerfile) -> Iterator[Edit]:
    """Sets PATH where a RUN reads the file that uv's installer leaves and the package does not."""
    for instruction in dockerfile.instructions:
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            file = command.argv[1] if len(command.argv) == 2 and command.name in (".", "source") else ""
            if _ENV_FILE.fullmatch(file) and not (".cargo" in file and "rustup" in dockerfile.text):
                folder = file.removesuffix("/env").replace("~", "$HOME", 1)
                folder += "/bin" if folder.endswith(".cargo") else ""
                yield Edit(command.span, f'export PATH="{folder}:$PATH"')
