"""The files of the repository that an install of dependencies reads: lists, what they include, locks, settings."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from phasewise.model.ci.check_requirements_ci import logical_lines
from phasewise.model.dockerfile import Instruction
from phasewise.model.python.installs import Install, origin_of
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script

_LOCAL = re.compile(
    r"^(\.{1,2}/|\.$|\.\[|/|file:)|^-e\b|^--editable\b|^(-f|--find-links)[ =]*(?!https?:)|@ *(\.|file:)"
)
_NESTED = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]*(\S+)")
_FILES_FROM_VARIABLES = (
    "PIP_CONSTRAINT",
    "PIP_REQUIREMENT",
    "PIP_CONFIG_FILE",
    "PIP_FIND_LINKS",
    "UV_CONSTRAINT",
)
_PROJECTS = {
    "uv": (("sync",), "--no-install-project", "uv.lock", (".python-version", "uv.toml")),
    "poetry": (("install", "sync"), "--no-root", "poetry.lock", ("poetry.toml",)),
}
"""By tool: the verbs, the option that leaves the project out, its lock, other files that it reads."""


class NotKnown(Exception):
    """What an install reads cannot be told; the message is for the user."""


def is_install(command: Command) -> bool:
    """Whether the command is an install of pip, uv or poetry."""
    argv = (command.name, *command.argv[1:])
    return (
        (re.fullmatch(r"pip[\d.]*", argv[0]) is not None and argv[1:2] == ("install",))
        or argv[:3] == ("uv", "pip", "install")
        or _project_tool(command) is not None
    )


def _project_tool(command: Command) -> str | None:
    tool = _PROJECTS.get(command.name)
    return command.name if tool and command.argv[1:2] in [(verb,) for verb in tool[0]] else None


def installs_something(view: RepoView, instruction: Instruction, pip: Sequence[Install]) -> bool:
    """Whether a RUN installs what files of the repository list."""
    if any(i.instruction is instruction and (i.sources or i.unknown) for i in pip):
        return True
    return any(tool not in _done(view, instruction) for _, tool in project_commands(view, instruction))


def project_commands(view: RepoView, instruction: Instruction) -> list[tuple[Command, str]]:
    """The `uv sync` and `poetry install` commands of a RUN, each with its tool."""
    script = Script.of(view.dockerfile, instruction)
    commands = script.commands if script else ()
    return [(command, tool) for command in commands if (tool := _project_tool(command))]


def _done(view: RepoView, instruction: Instruction) -> frozenset[str]:
    """The tools that installed the dependencies earlier in the stage, without the project."""
    stage = view.dockerfile.stages[instruction.stage or 0]
    earlier = [each for each in stage.instructions if each.span < instruction.span]
    return frozenset(
        tool
        for each in earlier
        for command, tool in project_commands(view, each)
        if _PROJECTS[tool][1] in command.argv
    )


def needs(
    view: RepoView, instruction: Instruction, pip: Sequence[Install]
) -> tuple[dict[str, str], list[tuple[Instruction, Command, str]]]:
    """The files that the installs of a RUN read, with their folders in the image; commands to be run twice.

    Raises:
        NotKnown: an install reads the code itself, or files that are not in the repository.
    """
    variables = view.dockerfile.variables(instruction)
    if name := next((name for name in _FILES_FROM_VARIABLES if name in variables), ""):
        raise NotKnown(f"{name} may name a file of the application")
    workdir = view.dockerfile.workdir(instruction)
    found: dict[str, str] = {}
    for install in pip:
        for source in install.sources:
            if source.is_project:
                raise NotKnown(f"line {instruction.line} installs the project itself, which reads the code")
        found |= _settings(view, install, workdir)
        values = [
            (s.word.value.partition("=")[2] or s.word.value).removeprefix("-r") for s in install.sources
        ]
        for value in [*values, *install.unknown, *_constraints(install.command)]:
            expanded = view.dockerfile.expand(value, instruction)
            place = posixpath.join(workdir, expanded) if expanded else ""
            for path, folder in _with_nested(view, place, instruction) if place else ():
                found[path] = folder
            if not place:
                raise NotKnown(f"line {instruction.line} installs from {value}, which is not known")
    again = []
    for command, tool in project_commands(view, instruction):
        files, twice = _project(view, tool, command, workdir, instruction)
        found |= files
        again += [(instruction, command, _PROJECTS[tool][1])] if twice else []
    return found, again


def _settings(view: RepoView, install: Install, workdir: str) -> dict[str, str]:
    """The files in which uv looks for its settings, an index for example, with their folder in the image."""
    found = {}
    for name in ("pyproject.toml", "uv.toml") if install.command.name == "uv" else ():
        origin = origin_of(view, posixpath.join(workdir, name), install.instruction)
        if origin and not origin.renamed and ("uv.toml" in name or "[tool.uv" in view.files[origin.path]):
            found[origin.path] = workdir
    return found


def _constraints(command: Command) -> Iterator[str]:
    """The values of `-c` and `--constraint` of pip and uv pip."""
    for word, following in zip(command.argv, (*command.argv[1:], ""), strict=True):
        if word in ("-c", "--constraint", "--constraints", "--override", "--overrides"):
            yield following
        elif word.startswith(("--constraint=", "--override=")):
            yield word.partition("=")[2]


def _with_nested(view: RepoView, place: str, instruction: Instruction) -> Iterator[tuple[str, str]]:
    """(path in the repository, folder in the image) of a list of requirements and of all that it includes."""
    waiting, seen = [posixpath.normpath(place)], set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        origin = origin_of(view, place, instruction)
        if origin is None or origin.renamed or origin.path not in view.files:
            raise NotKnown(
                f"line {instruction.line} installs from {place}, which is not a file of the repository"
            )
        yield origin.path, posixpath.dirname(place)
        text = view.files[origin.path]
        if origin.path.endswith(".toml"):
            if "dynamic" in _toml(text).get("project", {"dynamic": ""}):
                raise NotKnown(f"{origin.path} computes its dependencies from the code")
            continue
        for _, line in logical_lines(text):
            nested = _NESTED.match(line)
            if nested and "://" not in nested[1]:
                waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(place), nested[1])))
            elif _LOCAL.search(line):
                raise NotKnown(f"{origin.path} lists something that is code: {line}")


def _project(
    view: RepoView, tool: str, command: Command, workdir: str, instruction: Instruction
) -> tuple[dict[str, str], bool]:
    """What `uv sync` or `poetry install` reads besides the code, and whether it installs the project too."""
    _, option, lock, others = _PROJECTS[tool]
    if {"--project", "--directory", "-C", "-P"} & {word.partition("=")[0] for word in command.argv}:
        raise NotKnown(f"line {instruction.line} installs a project that is elsewhere")
    found: dict[str, str] = {}
    for name in ("pyproject.toml", lock, *others):
        origin = origin_of(view, posixpath.join(workdir, name), instruction)
        if origin:
            found[origin.path] = workdir
        elif name not in others:
            raise NotKnown(f"{tool} has no {name} in the build context")
    text = next(view.files[path] for path in found if path.endswith("pyproject.toml"))
    settings = _toml(text)
    if re.search(r"\b(path|workspace)\s*=|\[tool\.uv\.workspace\]", text):
        raise NotKnown(f"{tool} installs other projects of the repository, too")
    options = {option, "--no-install-workspace", "--no-install-local"}
    packaged = "build-system" in settings if tool == "uv" else _poetry_mode(settings)
    return found, packaged and not options & set(command.argv)


def _poetry_mode(settings: dict[str, Any]) -> bool:
    return settings.get("tool", {}).get("poetry", {}).get("package-mode", True) is not False


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotKnown("pyproject.toml cannot be read") from error
