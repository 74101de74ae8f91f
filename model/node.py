"""Installs of npm, yarn and pnpm: nothing of them is changed, but what is said must not pass over them."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script

_TOOLS = frozenset({"npm", "yarn", "pnpm"})
_VERBS = frozenset({"install", "i", "ci"})
_GLOBAL = frozenset({"-g", "--global"})


def node_install(dockerfile: Dockerfile, instruction: Instruction) -> Command | None:
    """The first command of a RUN that installs what a package.json asks for; None without one."""
    script = Script.of(dockerfile, instruction) if instruction.keyword == "RUN" else None
    return next((command for command in script.commands if _installs(command)), None) if script else None


def node_behind_code(view: RepoView) -> Iterator[str]:
    """For each stage of the target, a clause on the first such install that stands behind a copy of a folder."""
    dockerfile = view.dockerfile
    for index in sorted(dockerfile.needed_by(view.stage)):
        copied = False
        for instruction in dockerfile.stages[index].instructions:
            copied = copied or _brings_folder(view, instruction)
            command = node_install(dockerfile, instruction) if copied else None
            if command:
                yield (
                    f"line {instruction.line} installs with {command.name} behind a copy of code, and npm, yarn and "
                    "pnpm are not covered"
                )
                break


def _installs(command: Command) -> bool:
    words = command.argv[1:]
    if command.name not in _TOOLS or _GLOBAL & {*words}:
        return False
    operands = [word for word in words if not word.startswith("-")]
    return operands[0] in _VERBS if operands else command.name == "yarn"


def _brings_folder(view: RepoView, instruction: Instruction) -> bool:
    if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from"):
        return False
    words = view.dockerfile.words(instruction)[:-1]
    folders = [
        view.context_path(view.dockerfile.expand(word.value, instruction) or word.value) for word in words
    ]
    return any(
        folder == "." or any(path.startswith(f"{folder}/") for path in view.paths) for folder in folders
    )
