"""Commands that run a file of their own: a script of the repository, of an image, or one from the network."""

from __future__ import annotations

import re

from phasewise.model.shell import Command

SHELLS = frozenset({"sh", "bash", "dash", "ash"})
FROM_STDIN = "-"
"""What a shell runs that is given no file: what is piped or redirected into it."""

_PROGRAMS = re.compile(r"(/usr|/usr/local)?/s?bin/|/.*/bin/")


def called_file(command: Command) -> str | None:
    """The file that a command runs, as written: `./install.sh`, the operand of `bash`; None where it is a program.

    `-` for a shell that reads its script from standard input. `./configure` and what lies in a `bin` folder count as
    programs.
    """
    if not command.words:
        return None
    first, *rest = command.argv
    if command.name in SHELLS or command.name in (".", "source"):
        if any(re.fullmatch(r"-[a-z]*c", word) for word in rest):
            return None
        operands = [word for word in rest if not word.startswith("-") and word != "pipefail"]
        return operands[0] if operands else FROM_STDIN
    is_file = command.name.endswith(".sh") or (first[:1] in "./" and not _PROGRAMS.match(first))
    return first if is_file and command.name != "configure" else None
