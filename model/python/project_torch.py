"""PyTorch in projects that `uv sync` or `poetry install` installs: its source, or why that cannot be changed here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from phasewise.model.census import Census
from phasewise.model.python.projects import Project
from phasewise.model.python.torch_builds import CPU_INDEX, FAMILY, TorchUnclear, reached, versions

INDEX_NAME = "pytorch-cpu"


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
