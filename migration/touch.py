"""Prepares a change of application code: finds a file to touch, and copies the checkout to touch it there."""

from __future__ import annotations

import fnmatch
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.utils.build import PatternMatcher

from phasewise.migration import scratch
from phasewise.model.dockerfile import Dockerfile, DockerfileError
from phasewise.model.repo import Target, normalise

_TEST_FOLDERS = {"test", "tests", "testing", "docs", "examples", "benchmarks"}


def application_file(checkout: Path, target: Target) -> str | None:
    """The Python file, relative to `checkout`, that stands for 'one application file was touched'.

    It comes from the COPY that brings in most of the code, lies outside of the tests, and where possible
    in no other COPY: a setup.py that is copied early for the dependencies is no application code. None
    when the Dockerfile copies no Python file from the context, or does not parse.
    """
    context = checkout / target.context
    files = [path for path in _python_files(context) if not _is_test(path)]
    kept = _kept(context, checkout / target.dockerfile, files)
    brought = [[path for path in kept if _covers(sources, path)] for sources in _copies(checkout, target)]
    if not any(brought):
        return None
    most = max(brought, key=len)
    times = {path: sum(path in files for files in brought) for path in most}
    chosen = min(most, key=lambda path: (times[path], path.count("/"), path.endswith("__init__.py"), path))
    return normalise(f"{target.context}/{chosen}")


@contextmanager
def copied(checkout: Path) -> Iterator[Path]:
    """A copy of `checkout` that is removed afterwards; its files share their bytes where the disk allows it.

    Only `touch` may change files of the copy, because a shared file is the original.
    """
    with scratch.folder("context") as directory:
        copy = directory / "context"
        shutil.copytree(checkout, copy, symlinks=True, copy_function=_link_or_copy)
        yield copy


def touch(path: Path) -> None:
    """Appends a fresh comment to a Python file of a copy; an original that shares its bytes stays as it is."""
    changed = path.read_bytes() + f"\n# {uuid.uuid4().hex}\n".encode()
    fresh = path.with_name(f"{path.name}.phasewise")
    fresh.write_bytes(changed)
    shutil.copymode(path, fresh)
    fresh.replace(path)


def _link_or_copy(source: str, destination: str) -> None:
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, destination, follow_symlinks=False)


def _python_files(context: Path) -> list[str]:
    found = (path for path in context.rglob("*.py") if path.is_file() and not path.is_symlink())
    return sorted(path.relative_to(context).as_posix() for path in found)


def _is_test(path: str) -> bool:
    *folders, name = path.split("/")
    return (
        bool(_TEST_FOLDERS.intersection(folders))
        or name.startswith(("test_", "conftest"))
        or name == "setup.py"
    )


def _kept(context: Path, dockerfile: Path, files: Iterable[str]) -> list[str]:
    """The files that .dockerignore lets through; a Dockerfile's own ignore file replaces the common one."""
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    ignore = own if own.is_file() else context / ".dockerignore"
    if not ignore.is_file():
        return list(files)
    lines = ignore.read_text(encoding="utf-8", errors="replace").splitlines()
    matcher = PatternMatcher([line.strip() for line in lines if line.strip() and not line.startswith("#")])
    return [path for path in files if not matcher.matches(path)]


def _copies(checkout: Path, target: Target) -> list[tuple[str, ...]]:
    """What each COPY and ADD from the context names, of the stages that the target is built from."""
    try:
        text = (checkout / target.dockerfile).read_text(encoding="utf-8", errors="surrogateescape")
        dockerfile = Dockerfile.parse(text, target.dockerfile)
        stage = dockerfile.stage(target.stage)
    except (OSError, DockerfileError):
        return []
    stages = dockerfile.needed_by(stage) | {stage.index}
    return [
        tuple(
            normalise(dockerfile.expand(word.value, instruction) or word.value)
            for word in dockerfile.words(instruction)[:-1]
        )
        for instruction in dockerfile.instructions
        if instruction.keyword in ("COPY", "ADD")
        and instruction.stage in stages
        and instruction.flag("from") is None
    ]


def _covers(sources: tuple[str, ...], path: str) -> bool:
    """Whether a COPY of `sources` brings in `path`; a folder brings in all that is under it."""
    return any(source == "." or _matches(source.split("/"), path.split("/")) for source in sources)


def _matches(pattern: list[str], path: list[str]) -> bool:
    return len(pattern) <= len(path) and all(map(fnmatch.fnmatchcase, path, pattern))
