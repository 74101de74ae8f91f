"""The requirements that production installs, each with its place, as pip would read them."""

from __future__ import annotations

import re

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from phasewise.model.ci.check_requirements_ci import Read, logical_lines, package, production


class RequirementsError(ValueError):
    """Requirements that cannot be read; the message says which and why."""


class Listed(Struct, frozen=True):
    """One requirement of production."""

    name: str
    """Normalised as in PEP 503."""
    text: str
    """The requirement in one line, hashes on lines of their own."""
    path: str
    line: int
    """1-based."""

    @property
    def is_exact(self) -> bool:
        """Whether it can mean one version only: `==` without a wildcard, an address, or hashes."""
        requirement = self.parsed
        if requirement is None or requirement.url or "--hash=" in self.text:
            return True
        return any(
            each.operator == "===" or (each.operator == "==" and not each.version.endswith(".*"))
            for each in requirement.specifier
        )

    @property
    def parsed(self) -> Requirement | None:
        """As `packaging` reads it, without pip's options behind it; None for an address without a name."""
        try:
            return Requirement(re.split(r"\s(?:\\\n\s*)?--", self.text)[0])
        except InvalidRequirement:
            return None

    def pinned(self, version: str) -> str:
        """The requirement as exactly that version, with its extras and marker; local labels are dropped.

        Raises:
            RequirementsError: it is not a version.
        """
        requirement = self.parsed
        try:
            public = Version(version).public
        except InvalidVersion as error:
            raise RequirementsError(f"{self.name}: {version} is not a version") from error
        if requirement is None:
            return self.text
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        marker = f" ; {requirement.marker}" if requirement.marker else ""
        return f"{requirement.name}{extras}=={public}{marker}"


def listed(source: str, read: Read) -> tuple[Listed, ...]:
    """What `source`, a requirements file or `pyproject.toml[extra]`, makes pip install.

    Raises:
        RequirementsError: a file is missing or cannot be read.
    """
    return tuple(
        Listed(package(text), text, path, line) for path, line, text in _lines(source, read) if package(text)
    )


def constrained(source: str, read: Read) -> frozenset[str]:
    """The names that the constraint files of `source` say something about. Raises as `listed`."""
    files = [text.removeprefix("-c ") for _, _, text in _lines(source, read) if text.startswith("-c ")]
    try:
        return frozenset(package(line) for file in files for _, line in logical_lines(read(file)))
    except (KeyError, OSError) as error:
        raise RequirementsError(
            f"{source} names the constraints {error}, which are not in the repository"
        ) from error


def why_unreadable(text: str) -> str:
    """Why a pyproject.toml gives no requirements, for the user; empty when it does."""
    if "[project]" in text:
        dynamic = re.search(r"^dynamic\s*=\s*\[([^\]]*)\]", text, re.M)
        return "its dependencies are dynamic" if dynamic and "dependencies" in dynamic[1] else ""
    if "[tool.poetry" in text:
        return "it keeps its dependencies in Poetry's own tables, which are not supported yet"
    return "it has no [project] table"


def _lines(source: str, read: Read) -> list[tuple[str, int, str]]:
    path = source.partition("[")[0]
    try:
        if path.endswith(".toml") and (reason := why_unreadable(read(path))):
            raise RequirementsError(f"{path}: {reason}")
        return list(production(source, read, "."))
    except RequirementsError:
        raise
    except (KeyError, OSError) as error:
        raise RequirementsError(f"{source} includes {error}, which is not in the repository") from error
    except (ValueError, RecursionError) as error:
        raise RequirementsError(f"{source} cannot be read: {error}") from error
