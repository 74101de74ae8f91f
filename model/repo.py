"""RepoView: the frozen snapshot of a repository at one commit that a rule receives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from phasewise.model.census import Census
from phasewise.model.dockerfile import Dockerfile, Stage
from phasewise.model.phase import Evidence, FileEdit, Provenance


class Target(Struct, frozen=True):
    """One Dockerfile plus the stage that is built from it."""

    dockerfile: str
    """Path relative to the repository's root."""
    context: str = "."
    """Build context relative to the root, as workflows and compose files give it; else a sensible guess."""
    stage: str | None = None
    """The stage's name; None is the last stage, as for `docker build`."""
    arguments: tuple[tuple[str, str], ...] = ()
    """Build arguments that workflows or compose files pass when they build it."""

    @property
    def label(self) -> str:
        """How the target is shown: `api/Dockerfile ▸ production`."""
        return f"{self.dockerfile} ▸ {self.stage}" if self.stage else self.dockerfile


class Purpose(StrEnum):
    """What an image is built for, as far as the place that builds it tells."""

    TEST = "test"
    SCAN = "scan"
    DEPLOY = "deploy"
    DEVELOPMENT = "development"
    UNKNOWN = "unknown"


class BuildReference(Struct, frozen=True):
    """One place that builds a Dockerfile: a workflow step or a compose service."""

    path: str
    """The workflow or compose file."""
    line: int
    """1-based, of the command, the `uses:` or the `build:`."""
    text: str
    """That line, stripped."""
    dockerfile: str
    """Repository-relative path of what it builds, matrix values filled in."""
    context: str
    stage: str | None
    purpose: Purpose
    where: str
    """`jobs.test.steps[2]` or `services.api`: the address in the file's tree."""
    matrix: tuple[tuple[str, str], ...] = ()
    """The matrix values that lead to this Dockerfile, where a step builds several."""
    arguments: tuple[tuple[str, str], ...] = ()
    """The build arguments whose values are known."""


class RepoView(Struct, frozen=True, dict=True):
    """Everything that a rule may look at: one commit of a repository, seen from one target.

    `files` holds every tracked text file by path and may read lazily; `paths` lists all tracked paths.
    Both show the repository as the earlier phases of the plan leave it.
    """

    target: Target
    files: Mapping[str, str]
    paths: frozenset[str]
    builds: tuple[BuildReference, ...] = ()
    """All places that build any Dockerfile of the repository."""
    introduced: Mapping[tuple[str, int], Provenance] = field(default_factory=lambda: MappingProxyType({}))
    """Which commit brought in (path, 1-based line) of the committed text; may be computed when asked."""
    census: Census | None = None
    """What is inside the baseline's image; None until it was built."""
    sizes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Bytes of the committed files, links and binary files too, by path; may be asked from git when used."""
    original: Mapping[str, str] | None = None
    """The committed texts, where earlier phases of the plan changed `files`."""

    @cached_property
    def dockerfile(self) -> Dockerfile:
        """The target's Dockerfile, parsed.

        Raises:
            DockerfileError: it does not parse.
        """
        return Dockerfile.parse(self.files[self.target.dockerfile], self.target.dockerfile)

    @cached_property
    def stage(self) -> Stage:
        """The stage that the target builds.

        Raises:
            DockerfileError: there is no such stage.
        """
        return self.dockerfile.stage(self.target.stage)

    def matching(self, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """The tracked paths in which `pattern` is found, sorted."""
        return _matching(self.paths, pattern)

    def context_path(self, path: str) -> str:
        """The repository path of `path`, which a COPY names relative to the build context."""
        return normalise(f"{self.target.context}/{path.lstrip('/')}")

    def builds_of(self, dockerfile: str) -> tuple[BuildReference, ...]:
        """The places that build `dockerfile`."""
        return tuple(build for build in self.builds if build.dockerfile == dockerfile)

    def line(self, path: str, line: int) -> str:
        """A line of a file, 1-based, without its line end; empty beyond the last."""
        lines = self.files[path].split("\n")
        return lines[line - 1].rstrip("\r") if line <= len(lines) else ""

    def evidence(self, path: str, line: int) -> Evidence:
        """The line as evidence, with the commit that brought it in where history knows it.

        Lines that an earlier phase moved are traced by their text in the committed file.
        """
        text = self.line(path, line)
        committed = (self.original or self.files).get(path)
        origin = _same_line(committed.split("\n"), text, line) if committed is not None else None
        return Evidence(path, line, text, self.introduced.get((path, origin)) if origin else None)

    def with_edits(self, edits: Iterable[FileEdit]) -> RepoView:
        """The view after `edits`."""
        files, paths = _Overlay(self.files), set(self.paths)
        for edit in edits:
            files.changed[edit.path] = edit.after
            (paths.discard if edit.after is None else paths.add)(edit.path)
        return replace(self, files=files, paths=frozenset(paths), original=self.original or self.files)

    @property
    def committed(self) -> RepoView:
        """The view as it is committed, without what earlier phases of the plan would change."""
        if self.original is None:
            return self
        return replace(self, files=self.original, paths=frozenset(self.original), original=None)


class _Overlay(Mapping[str, str]):
    """Files with some of them changed, added or (None) removed; the rest is read when asked."""

    def __init__(self, base: Mapping[str, str]) -> None:
        self.base: Mapping[str, str] = base.base if isinstance(base, _Overlay) else base
        self.changed: dict[str, str | None] = dict(base.changed) if isinstance(base, _Overlay) else {}

    def __getitem__(self, path: str) -> str:
        text = self.changed[path] if path in self.changed else self.base[path]
        if text is None:
            raise KeyError(path)
        return text

    def __iter__(self) -> Iterator[str]:
        return (
            path
            for path in {**dict.fromkeys(self.base), **self.changed}
            if self.changed.get(path, "") is not None
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, path: object) -> bool:
        return self.changed[path] is not None if path in self.changed else path in self.base


# Rules and targets ask the same of the same thousands of paths.
@lru_cache(maxsize=1024)
def _matching(paths: frozenset[str], pattern: re.Pattern[str]) -> tuple[str, ...]:
    return tuple(sorted(path for path in paths if pattern.search(path)))


@lru_cache(maxsize=4096)
def normalise(path: str) -> str:
    """`path` without `.`, `..` and doubled slashes; `.` for the root itself."""
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == "..":
            parts = parts[:-1]
        elif part not in (".", "/"):
            parts.append(part)
    return "/".join(parts) or "."


def _same_line(committed: list[str], text: str, line: int) -> int | None:
    """The 1-based number of the committed line that reads `text`, the one nearest to `line`."""
    found = [number for number, other in enumerate(committed, 1) if other.rstrip("\r") == text]
    return min(found, key=lambda number: abs(number - line), default=None)
