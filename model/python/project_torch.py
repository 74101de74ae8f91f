"""PyTorch in projects that `uv sync` or `poetry install` installs: its source, or why that cannot be changed here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from phasewise.model.census import Census
from phasewise.model.ci.check_requirements_ci import package
from phasewise.model.python.installs import origin_of
from phasewise.model.python.requirements import Listed
from phasewise.model.python.torch_builds import CPU_INDEX, FAMILY, TorchUnclear, reached, versions
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script

INDEX_NAME = "pytorch-cpu"
_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock"}


@dataclass(frozen=True, slots=True)
class Project:
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
            verb = "sync" if command.name == "uv" else "install"
            if command.name not in _LOCKS or verb not in command.argv[1:4] or "pip" in command.argv[1:2]:
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


def locked_version(lock: str, name: str) -> str:
    """The version of `name` in the text of a lock file; empty when it is not in it."""
    match = re.search(rf'^name = "{re.escape(name)}"\r?\nversion = "([^"]+)"', lock, re.M)
    return match[1] if match else ""


def how_to_lock(tool: str, lock: str, pins: Mapping[str, str]) -> str:
    """What somebody can do about a lock file, in one sentence."""
    held = ", ".join(f"{name} {version}" for name, version in pins.items())
    start = f"{lock} holds the hashes of {held} for CUDA, and only {tool} can lock it anew: "
    wanted = " ".join(f"{name}=={version.partition('+')[0]}" for name, version in pins.items())
    if tool == "uv":
        sources = ", ".join(f'{name} = {{ index = "{INDEX_NAME}" }}' for name in pins)
        return (
            f"{start}put {sources} under [tool.uv.sources], an [[tool.uv.index]] with name {INDEX_NAME}, url "
            f"{CPU_INDEX} and explicit = true, name {wanted} among the dependencies, and run `uv lock`"
        )
    if tool == "poetry":
        return (
            f"{start}`poetry source add --priority explicit {INDEX_NAME} {CPU_INDEX}`, then "
            f"`poetry add --source {INDEX_NAME} {wanted}`"
        )
    return f"{start}name {CPU_INDEX} as the source of {wanted} and lock again"


def with_cpu_source(text: str, project: Project, census: Census | None) -> str:
    """The pyproject.toml of a uv project without a lock file, with PyTorch from the CPU index.

    What comes through another package is named, in its installed version: a source counts for what is named.

    Raises:
        TorchUnclear: it has a source for PyTorch already, a version is not known, or it cannot be edited.
    """
    try:
        document: Any = tomlkit.parse(text)
    except TOMLKitError as error:
        raise TorchUnclear(f"{project.path} cannot be read: {error}") from error
    uv = document.get("tool", {}).get("uv", {})
    taken = [name for name in FAMILY if name in uv.get("sources", {})]
    if taken:
        raise TorchUnclear(f"{project.path} names the source of {taken[0]} already")
    names = reached(project.asked, census).intersection(FAMILY)
    for keys, lines in project.lists.items():
        missing = reached(lines, census).intersection(names) - {each.name for each in project.asked}
        pins = versions(lines, census) if missing else {}
        target = document
        for key in keys:
            target = target[key]
        for name in (each for each in FAMILY if each in missing):
            target.append(f"{name}=={pins[name]}")
    addition = [
        f"{name} = {{ index = {INDEX_NAME!r} }}".replace("'", '"') for name in FAMILY if name in names
    ]
    index = f'[[tool.uv.index]]\nname = "{INDEX_NAME}"\nurl = "{CPU_INDEX}"\nexplicit = true\n'
    newline = "\r\n" if "\r\n" in text else "\n"
    changed = tomlkit.dumps(document)
    header = re.search(r"^\[tool\.uv\.sources\][^\n]*\n", changed, re.M)
    lines_of_sources = "".join(f"{line}\n" for line in addition).replace("\n", newline)
    if header:
        changed = changed[: header.end()] + lines_of_sources + changed[header.end() :]
    else:
        gap = newline if changed.endswith("\n") else newline * 2
        changed += f"{gap}[tool.uv.sources]{newline}{lines_of_sources}"
    changed += newline + index.replace("\n", newline)
    _check(project.path, changed, names)
    return changed


def _check(path: str, text: str, names: frozenset[str]) -> None:
    try:
        uv = tomllib.loads(text)["tool"]["uv"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise TorchUnclear(f"{path} keeps its settings for uv in a form that cannot be added to") from error
    indexes = [each["name"] for each in uv["index"]]
    if not names <= set(uv["sources"]) or indexes.count(INDEX_NAME) != 1:
        raise TorchUnclear(f"{path} has an index of the name {INDEX_NAME} already")


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
