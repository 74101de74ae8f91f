"""Whether a directory of packages has a Python of its own, and pip in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.shell import Script


def has_own_pip(dockerfile: Dockerfile, stage: Stage, path: str) -> bool:
    """Whether `python -m venv PATH` or `virtualenv PATH` of the stage's lineage made it, with pip in it."""
    for run in runs(dockerfile, stage):
        script = Script.of(dockerfile, run)
        for command in script.commands if script else ():
            by_venv = command.argv[1:3] == ("-m", "venv") or command.name == "virtualenv"
            words = [word.rstrip("/") for word in expanded(dockerfile, run, command.argv)]
            if by_venv and "--without-pip" not in words and path in words:
                return True
    return False


def has_own_python(dockerfile: Dockerfile, stage: Stage, path: str) -> bool:
    """Whether it is a virtual environment, not a prefix or /usr/local."""
    return has_own_pip(dockerfile, stage, path) or any(
        "venv" in command.argv or command.argv[:2] == ("uv", "sync")
        for run in runs(dockerfile, stage)
        if (script := Script.of(dockerfile, run))
        for command in script.commands
        if path in expanded(dockerfile, run, command.argv) or command.argv[1:2] == ("sync",)
    )


def runs(dockerfile: Dockerfile, stage: Stage) -> list[Instruction]:
    """The RUNs of the stage and of what it inherits."""
    return [each for each in dockerfile.making(stage) if each.keyword == "RUN"]


def expanded(dockerfile: Dockerfile, run: Instruction, words: Iterable[str]) -> Iterator[str]:
    """The words with their variables filled in, where these are known."""
    return (dockerfile.expand(word, run) or word for word in words)
