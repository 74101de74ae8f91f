"""What each instruction of a stage that builds and runs is for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from phasewise.model.debian.apt import is_upkeep
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.python.environments import installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.clean_base import INSTALLERS
from phasewise.model.stages.runtime_use import Use, runtime_uses

_INSTALLERS = re.compile(r"(pip[\d.]*|pip-sync|uv|poetry|pdm|pipenv|virtualenv|venv)$")
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "pdm", "poetry-core"})
_NOT_UNDERSTOOD = {"conda": "conda", "mamba": "conda", "micromamba": "conda", "pipx": "pipx", "rye": "rye"}
_COMPANIONS = frozenset(
    {"git", "curl", "wget", "tar", "unzip", "cd", "rm", "mkdir", "export", ".", "source", "sh", "bash", "["}
    | {"test", "echo", "printf", "python", "python3", "env", "sleep", "if"}
)
_USERS = frozenset(
    {"useradd", "adduser", "groupadd", "addgroup", "usermod", "mkdir", "chown", "chmod", "install"}
)
_COMPILES = frozenset(
    {"make", "cmake", "gcc", "g++", "cc", "ninja", "meson", "go", "configure", "f2py", "cython"}
)


class CannotSplit(Exception):
    """The stage is not understood well enough; the message is a clause that says where."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)


def installing_stage(dockerfile: Dockerfile, stage: Stage) -> Stage | None:
    """The stage of the lineage that installs Python packages into the final image; None: none does.

    Raises:
        CannotSplit: several do, one on top of the other.
    """
    found = [i.instruction for i in installs(dockerfile, stage) if not only_tools(i.command)]
    if len({instruction.stage for instruction in found}) > 1:
        raise CannotSplit("packages are installed in a stage and again on top of it", found[-1].line)
    return dockerfile.stages[found[0].stage or 0] if found else None


def only_tools(command: Command) -> bool:
    """`pip install --upgrade pip` and the like: nothing that the service imports."""
    argv = command.argv
    words = argv[argv.index("install") + 1 :] if "install" in argv else ("x",)
    named = {re.split(r"[=<>!~\[;]", word)[0] for word in words if not word.startswith("-")}
    return bool(named) and named <= _TOOLS


def builds_in_place(dockerfile: Dockerfile, stage: Stage) -> Instruction | None:
    """The RUN of the lineage that compiles among the application's own files; None: there is none."""
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        if script and any(map(_builds_in_place, script.commands)):
            return instruction
    return None


def build_runs(dockerfile: Dockerfile, stage: Stage) -> tuple[Instruction, ...]:
    """The RUNs of the lineage that would go to the builder."""
    return tuple(dict.fromkeys(found.instruction for found in installs(dockerfile, stage)))


def started_by(view: RepoView) -> Use | None:
    """The place that starts the service with uv, poetry or another installer; None: there is none."""
    runs = [i for i in view.dockerfile.making(view.stage) if i.keyword == "RUN"]
    return next(iter(runtime_uses(view, INSTALLERS, runs).values()), None)


def is_installer_copy(instruction: Instruction) -> bool:
    """Whether a COPY brings uv or another installer from an image of its own."""
    return (
        instruction.keyword == "COPY"
        and instruction.flag("from") is not None
        and re.search(r"(^|\s|/)(uv|uvx|poetry|pdm)(\s|$)", instruction.value) is not None
    )


def copies_tools(stage: Stage) -> bool:
    """Whether any COPY of the stage brings an installer."""
    return any(map(is_installer_copy, stage.instructions))


def role(dockerfile: Dockerfile, instruction: Instruction) -> str:
    """`apt`, `install`, `users`, `maintain` or `other` for a RUN; the keyword for the rest."""
    if instruction.keyword != "RUN":
        return instruction.keyword
    script = Script.of(dockerfile, instruction)
    if script is None:
        return "other"
    kinds = {kind(command) for command in script.commands if not is_upkeep(command)}
    if "install" in kinds:
        return "install" if kinds <= {"install", "companion", "apt"} else "other"
    if not kinds or "apt" in kinds:
        return "apt"
    if kinds == {"users"}:
        return "users"
    if kinds == {"maintain"}:
        return "maintain"
    return "install" if kinds <= {"companion"} and "rustup" in instruction.value else "other"


def kind(command: Command) -> str:
    name, argv = command.name, command.argv
    if name in ("apt-get", "apt"):
        return "apt"
    if _INSTALLERS.match(name) or (
        name.startswith("python") and argv[1:3] in (("-m", "pip"), ("-m", "piptools"), ("-m", "venv"))
    ):
        return "install"
    if name.startswith("python") and argv[1:4] == ("-m", "spacy", "download"):
        return "install"
    if name in _USERS:
        return "users"
    if name in ("find", "xargs", "strip"):
        return "maintain"
    return "companion" if name in _COMPANIONS else "other"


def check(dockerfile: Dockerfile, stage: Stage, instructions: Sequence[Instruction]) -> None:
    """Raises CannotSplit for what no side is certain for."""
    for instruction in instructions:
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            if command.name in _NOT_UNDERSTOOD:
                manager = _NOT_UNDERSTOOD[command.name]
                raise CannotSplit(f"packages are installed with {manager}", instruction.line)
            if _builds_in_place(command):
                raise CannotSplit("it compiles into the application's own directory", instruction.line)
            if command.name in _COMPILES or command.argv[:2] == ("cargo", "install"):
                raise CannotSplit(
                    f"`{command.name}` builds something outside of Python's packages, and which of its files the "
                    "service needs is not known",
                    instruction.line,
                )
        if instruction.keyword == "ONBUILD":
            raise CannotSplit("ONBUILD acts in another build", instruction.line)
        if instruction.keyword == "USER" and instruction.value.split(":")[0] not in ("root", "0"):
            raise CannotSplit(
                "packages are installed after USER, as somebody else than root", instruction.line
            )
    if any(i.flag("from") and (i.flag("from") or "").isdecimal() for i in dockerfile.instructions):
        raise CannotSplit("a COPY names a stage by its number, which a new stage would shift")


def _builds_in_place(command: Command) -> bool:
    return bool({"setup.py", "build_ext", "cythonize"} & set(command.argv)) or command.argv[:2] == (
        "maturin",
        "develop",
    )
