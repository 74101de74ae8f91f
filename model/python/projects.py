"""The projects that `uv sync`, `poetry install` and their like install, with their requirements and lock files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from phasewise.model.ci.check_requirements_ci import package
from phasewise.model.python.installs import origin_of
from phasewise.model.python.requirements import Listed
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script

_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock"}


class Project(Struct, frozen=True):
    """A project that the target's image gets from its own tool."""

    tool: str
    """uv, poetry, pdm or pipenv."""
    line: int
    """1-based, in the Dockerfile, of the instruction that installs it."""
    path: str
    """Its pyproject.toml."""
    lists: Mapping[tuple[str, ...], tuple[Listed, ...]]
    """Its requirements by the keys that lead to their list."""

    @property
    def asked(self) -> tuple[Listed, ...]:
        """All requirements."""
        return tuple(each for lines in self.lists.values() for each in lines)


def projects(view: RepoView) -> tuple[Project, ...]:
    """The projects that the target's stages install with their own tool and that can be read."""
    needed = view.dockerfile.needed_by(view.stage)
    found: dict[str, Project] = {}
    for instruction in view.dockerfile.instructions:
        script = Script.of(view.dockerfile, instruction) if instruction.stage in needed else None
        for command in script.commands if script else ():
            verbs = {"sync"} if command.name == "uv" else {"install", "sync"}
            if command.name not in _LOCKS or not verbs & {*command.argv[1:4]} or "pip" in command.argv[1:2]:
                continue
            origin = origin_of(view, "pyproject.toml", instruction)
            path = origin.path if origin else view.context_path("pyproject.toml")
            if path in view.paths and path not in found:
                lists = dict(_lists(path, view.files[path]))
                found[path] = Project(command.name, instruction.line, path, lists)
    return tuple(found.values())


def lock_of(view: RepoView, project: Project) -> str:
    """The path of the project's lock file; empty when the repository has none."""
    folder = project.path.removesuffix("pyproject.toml")
    path = folder + _LOCKS[project.tool]
    return path if path in view.paths else ""


def _lists(path: str, text: str) -> Iterator[tuple[tuple[str, ...], tuple[Listed, ...]]]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    project = tables.get("project", {})
    found: list[tuple[tuple[str, ...], list[Any]]] = [
        (("project", "dependencies"), project.get("dependencies", []))
    ]
    for extra, lines in project.get("optional-dependencies", {}).items():
        found.append((("project", "optional-dependencies", extra), lines))
    for group, lines in tables.get("dependency-groups", {}).items():
        found.append((("dependency-groups", group), lines))
    poetry = tables.get("tool", {}).get("poetry", {}).get("dependencies", {})
    found.append((("tool", "poetry", "dependencies"), [name for name in poetry if name != "python"]))
    for keys, lines in found:
        listed = [
            Listed(package(line), line, path, text[: max(text.find(line), 0)].count("\n") + 1)
            for line in lines
            if isinstance(line, str) and package(line)
        ]
        if listed:
            yield keys, tuple(listed)
