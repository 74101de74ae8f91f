"""What a repository declares about itself: `[tool.phasewise]` of pyproject.toml, or phasewise.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from phasewise.migration.errors import Usage
from phasewise.migration.git import Repository
from phasewise.model.repo import Target


class DeclaredCheck(Struct, frozen=True):
    """A command that must end with status 0 inside the image, run without a shell and without its entry point."""

    name: str
    command: tuple[str, ...]
    network: bool = False
    timeout_seconds: float = 60.0


class Settings(Struct, frozen=True):
    """The declared checks, and the most that an image may take."""

    checks: tuple[DeclaredCheck, ...] = ()
    size_budget_bytes: Mapping[str, int] = field(default_factory=dict)
    """By Dockerfile, or `Dockerfile:stage`; what CI compares the image with."""

    def budget_bytes(self, target: Target) -> int | None:
        """The budget of a target; None where none is declared."""
        name = f"{target.dockerfile}:{target.stage}" if target.stage else target.dockerfile
        return self.size_budget_bytes.get(name)


def read_settings(repository: Repository, commit: str) -> Settings:
    """The settings as `commit` has them; phasewise.toml wins over pyproject.toml.

    Raises:
        Usage: the file does not parse, or a check is not of the form that README shows.
    """
    files = repository.files(commit)
    if "phasewise.toml" in files:
        return _settings("phasewise.toml", _toml("phasewise.toml", files["phasewise.toml"]))
    if "pyproject.toml" in files:
        tool = _toml("pyproject.toml", files["pyproject.toml"]).get("tool", {})
        return _settings("pyproject.toml", tool.get("phasewise", {}) if isinstance(tool, dict) else {})
    return Settings()


def _toml(path: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Usage(f"{path}: {error}", "mend the file and commit it") from error


def _settings(path: str, table: object) -> Settings:
    checks = table.get("checks", []) if isinstance(table, dict) else []
    if not isinstance(checks, list):
        raise Usage(f"{path}: checks must be an array of tables, [[tool.phasewise.checks]]")
    budgets = table.get("size_budget_bytes", {}) if isinstance(table, dict) else {}
    if not isinstance(budgets, dict) or not all(
        type(budget) is int and budget > 0 for budget in budgets.values()
    ):
        raise Usage(f'{path}: size_budget_bytes must be a table of bytes, "Dockerfile" = 400000000')
    return Settings(tuple(_check(path, number, entry) for number, entry in enumerate(checks, 1)), budgets)


def _check(path: str, number: int, entry: object) -> DeclaredCheck:
    """One declared check.

    Raises:
        Usage: it lacks a name or a command, or has a key that means nothing.
    """
    where = f"{path}: check {number}"
    if not isinstance(entry, Mapping):
        raise Usage(f"{where} is not a table")
    unknown = set(entry) - {"name", "command", "network", "timeout_seconds"}
    if unknown:
        raise Usage(f"{where}: unknown key {', '.join(sorted(unknown))}")
    name, command = entry.get("name"), entry.get("command")
    if not isinstance(name, str) or not name:
        raise Usage(f"{where}: needs a name")
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise Usage(f"{where}: command must be an array of strings, without a shell")
    network, timeout = entry.get("network", False), entry.get("timeout_seconds", 60)
    if not isinstance(network, bool) or isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise Usage(f"{where}: network is true or false, timeout_seconds a number")
    return DeclaredCheck(name, tuple(command), network=network, timeout_seconds=float(timeout))
