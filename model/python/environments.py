"""Where a stage installs Python packages, and which COPY carries them on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from posixpath import dirname, join, normpath
from typing import cast

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import within
from phasewise.model.shell import Command, Script
from phasewise.model.syntax.scopes import is_root

SYSTEM = "/usr/local"
"""Where pip of the official Python images installs."""

_IN_PROJECT = {"poetry": "POETRY_VIRTUALENVS_IN_PROJECT", "pipenv": "PIPENV_VENV_IN_PROJECT"}
"""The variable that puts a tool's environment into the project's folder."""


_LISTS = ("-r", "--requirement")


class Install(Struct, frozen=True):
    """One command that installs Python packages."""

    instruction: Instruction
    command: Command
    environment: str
    """The directory that receives them: a virtual environment, a prefix, `/usr/local`."""
    project_only: bool
    """It installs the application itself, without dependencies."""


class EnvironmentCopy(Struct, frozen=True):
    """A COPY --from that carries installed packages from one stage into another."""

    instruction: Instruction
    source: Stage
    path: str
    """The directory with the packages, in the source stage."""


def installs(dockerfile: Dockerfile, stage: Stage) -> tuple[Install, ...]:
    """The installs of `stage` and of what it inherits, in order."""
    known, key = dockerfile.memory, ("installs", stage.index)
    if key not in known:
        known[key] = tuple(
            found
            for instruction in dockerfile.making(stage)
            if instruction.keyword == "RUN"
            for found in _installs_in(dockerfile, instruction)
        )
    return cast("tuple[Install, ...]", known[key])


def environment_copies(dockerfile: Dockerfile, stage: Stage) -> tuple[EnvironmentCopy, ...]:
    """The copies in `stage` and in what it inherits that bring in what another stage installed."""
    return tuple(
        EnvironmentCopy(instruction, source, path)
        for instruction in dockerfile.making(stage)
        if instruction.keyword == "COPY" and (source := dockerfile.source_stage(instruction))
        for path in _carried(dockerfile, instruction, source)
    )


def _carried(dockerfile: Dockerfile, copy: Instruction, source: Stage) -> Iterator[str]:
    """The part of each environment of `source` that a COPY takes along."""
    environments = dict.fromkeys(found.environment for found in installs(dockerfile, source))
    for word in dockerfile.words(copy)[:-1]:
        expanded = dockerfile.expand(word.value, copy)
        wanted = join("/", expanded or word.value).rstrip("/") or "/"
        for environment in environments:
            if within(environment, wanted):
                yield environment
            elif within(wanted, environment) and not wanted.endswith("/bin"):
                yield wanted


def _installs_in(dockerfile: Dockerfile, instruction: Instruction) -> Iterator[Install]:
    script = Script.of(dockerfile, instruction)
    for command in script.commands if script else ():
        words = _installer_words(command)
        if words is not None:
            yield Install(
                instruction,
                command,
                _environment(dockerfile, instruction, command, words),
                "--no-deps" in words and not any(word.startswith(_LISTS) for word in words),
            )


def _installer_words(command: Command) -> tuple[str, ...] | None:
    """What follows `install` or `sync`, with the installer's name in front; None for another command."""
    argv = command.argv
    match argv:
        case [python, "-m", "pip", *rest] if python.rpartition("/")[2].startswith(("python", "pypy")):
            words = ("pip", *rest)
        case [python, "-m", "piptools", *rest] if python.rpartition("/")[2].startswith("python"):
            words = ("piptools", *rest)
        case _:
            words = (command.name, *argv[1:])
    match words:
        case ["uv", "pip", "install" | "sync", *rest]:
            return ("uv-pip", *rest)
        case ["pip-sync", *rest] | ["piptools", "sync", *rest]:
            return ("pip-sync", *rest)
        case [pip, "install", *rest] if pip.startswith("pip") and not pip.startswith(("pipx", "pipenv")):
            return ("pip", *rest)
        case ["uv", "sync", *rest]:
            return ("uv-sync", *rest)
        case [tool, "install" | "sync", *rest] if tool in ("poetry", "pdm", "pipenv"):
            return (tool, *rest)
    return None


def _environment(
    dockerfile: Dockerfile, instruction: Instruction, command: Command, words: tuple[str, ...]
) -> str:
    """The directory that the command installs into, by its options, its own path and the variables in force."""
    variables = dockerfile.variables(instruction) | dict(command.assignments)
    explicit = _option(words, "--prefix") or _option(words, "--target") or _option(words, "-t")
    if explicit:
        return _absolute(dockerfile, instruction, explicit)
    if "--user" in words:
        return join(variables.get("PYTHONUSERBASE") or join(home(dockerfile, instruction), ".local"))
    interpreter = _option(words, "--python") or _option(words, "--python-executable")
    first = dockerfile.expand(interpreter or command.argv[0], instruction) or command.argv[0]
    first = _absolute(dockerfile, instruction, first) if "/" in first else first
    if (
        first.startswith("/")
        and dirname(first).endswith("/bin")
        and not first.startswith(("/usr", "/bin", "/root/.local/bin/"))
    ):
        return dirname(dirname(first))
    if words[0] == "uv-sync":
        project = variables.get("UV_PROJECT_ENVIRONMENT", ".venv")
        return _absolute(dockerfile, instruction, project)
    if "--system" in words or variables.get("UV_SYSTEM_PYTHON") not in (None, "", "0", "false"):
        return SYSTEM
    if variables.get("VIRTUAL_ENV"):
        return variables["VIRTUAL_ENV"].rstrip("/")
    if _in_project(dockerfile, instruction, words[0], variables):
        return _absolute(dockerfile, instruction, ".venv")
    return _active(dockerfile, instruction, variables.get("PATH", "")) or SYSTEM


def _in_project(
    dockerfile: Dockerfile, instruction: Instruction, tool: str, variables: Mapping[str, str]
) -> bool:
    """Whether poetry or pipenv was told to keep the environment in the project's own folder."""
    if tool not in _IN_PROJECT:
        return False
    if variable := variables.get(_IN_PROJECT[tool]):
        return variable.lower() in ("1", "true", "yes")
    stage = dockerfile.stages[instruction.stage or 0]
    earlier = dockerfile.making(stage)
    scripts = [Script.of(dockerfile, each) for each in earlier if each.span <= instruction.span]
    told = [command.argv[1:4] for script in scripts if script for command in script.commands]
    return ("config", "virtualenvs.in-project", "true") in told


def _active(dockerfile: Dockerfile, instruction: Instruction, path: str) -> str | None:
    """The virtual environment made earlier whose `bin` stands on PATH, or was activated in the same RUN."""
    made = _made_environments(dockerfile, instruction)
    for entry in path.split(":"):
        if entry.removesuffix("/bin") in made:
            return entry.removesuffix("/bin")
    script = Script.of(dockerfile, instruction)
    for command in script.commands if script else ():
        if (
            command.name in (".", "source")
            and command.argv[1:2]
            and command.argv[1].endswith("/bin/activate")
        ):
            return dockerfile.expand(command.argv[1].removesuffix("/bin/activate"), instruction)
    return None


def _made_environments(dockerfile: Dockerfile, until: Instruction) -> frozenset[str]:
    """Paths of `python -m venv PATH`, `uv venv PATH` and `virtualenv PATH` in the stage and what it inherits."""
    stage = dockerfile.stages[until.stage or 0]
    known, key = dockerfile.memory, ("made environments", stage.index)
    if key in known:
        return cast("frozenset[str]", known[key])
    made = set()
    for instruction in dockerfile.making(stage):
        if instruction.keyword != "RUN":
            continue
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            if path := made_environment(dockerfile, instruction, command):
                made.add(path)
    known[key] = frozenset(made)
    return frozenset(made)


def made_environment(dockerfile: Dockerfile, instruction: Instruction, command: Command) -> str | None:
    """Where `python -m venv`, `uv venv` or `virtualenv` makes an environment; None for another command."""
    if "venv" not in command.argv[:3] and command.name != "virtualenv":
        return None
    operands = [
        word
        for before, word in pairwise(command.argv)
        if not word.startswith("-") and word != "venv" and before not in ("--python", "-p", "--prompt")
    ]
    if not operands and command.argv[:2] == ("uv", "venv"):
        operands = [".venv"]
    return _absolute(dockerfile, instruction, operands[-1]) if operands else None


def home(dockerfile: Dockerfile, instruction: Instruction) -> str:
    """The home directory of whoever runs the instruction: HOME where it is set, else where Debian puts it."""
    user = dockerfile.user(instruction).partition(":")[0]
    usual = "/root" if is_root(user) else f"/home/{user}"
    return dockerfile.variables(instruction).get("HOME") or usual


def _absolute(dockerfile: Dockerfile, instruction: Instruction, word: str) -> str:
    """A path as the instruction sees it: variables filled in, relative to its WORKDIR."""
    path = join(dockerfile.workdir(instruction), dockerfile.expand(word, instruction) or word)
    return normpath(path).rstrip("/")


def _option(words: tuple[str, ...], name: str) -> str | None:
    """The value of `--name value` or `--name=value`."""
    for word, following in zip(words, (*words[1:], ""), strict=False):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None
