"""Takes out of a RUN what would empty the caches that it mounts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from phasewise.model.dockerfile import Instruction, Word
from phasewise.model.downloads.tools import TOOLS
from phasewise.model.edits import drop_word
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit


def without_cleaning(
    view: RepoView, instruction: Instruction, script: Script, targets: Sequence[str], tools: Sequence[str]
) -> Iterator[Edit]:
    """Takes out what would empty the caches: words of `rm`, whole commands where nothing else is left."""
    gone: list[Command] = []
    for command in script.commands:
        argv = (command.name, *command.argv[1:])
        cleaning = [words for tool in tools if tool in TOOLS for words in TOOLS[tool].cleaning]
        if any(argv[: len(words)] == words for words in cleaning) or (
            "apt" in tools and argv[0] == "apt-get" and {"clean", "autoclean"} & set(argv[1:])
        ):
            gone.append(command)
        elif argv[0] == "rm":
            paths = [word for word in command.words[1:] if not word.value.startswith("-")]
            inside = [word for word in paths if _empties(view, instruction, word, targets)]
            if inside and len(inside) == len(paths):
                gone.append(command)
            else:
                yield from (drop_word(view.dockerfile.text, word.span) for word in inside)
    yield from script.without(gone) or ()


def _empties(view: RepoView, instruction: Instruction, word: Word, targets: Sequence[str]) -> bool:
    """Whether removing a path empties one of the mounted folders, or fails because it is mounted."""
    home = view.dockerfile.variables(instruction).get("HOME", "/root")
    value = re.sub(r"^(~|\$HOME|\$\{HOME\})(?=/)", home, word.value)
    path = re.sub(r"/\*+$", "", view.dockerfile.expand(value, instruction) or value).rstrip("/")
    if path == "/root" or path.count("/") < 2:
        return False
    return any(
        f"{path}/".startswith(f"{target}/") or f"{target}/".startswith(f"{path}/") for target in targets
    )
