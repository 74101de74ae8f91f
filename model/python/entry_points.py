"""Which Python files an image starts with, and which are its tests."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

from phasewise.model.dockerfile import Instruction
from phasewise.model.python.installs import origin_of
from phasewise.model.repo import RepoView

_OBJECT = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*(?:\(.*\))?")
_MODULE = re.compile(r"[A-Za-z_][\w.]*")
_MODULE_FLAGS = frozenset({"-m", "-A", "--app"})
_ASIDE = frozenset({"benchmarks", "ci", "docs", "examples", "migrations", "notebooks", "scripts", "tools"})
_TESTS = frozenset({"test", "tests"})


def application_starts(view: RepoView) -> tuple[str, ...]:
    """The files that the image's command imports first: `app/main.py` for `uvicorn app.main:app`.

    Where the command does not tell: every folder of the build context with Python files in it, tests,
    documentation and tools excluded.
    """
    named = [path for instruction in _commands(view) for path in _files(view, instruction)]
    return tuple(dict.fromkeys(named)) or tuple(sorted(set(_application(view))))


def suites_of(view: RepoView) -> tuple[str, ...]:
    """The outermost folders `tests` of the build context, and test files that lie elsewhere."""
    found = set()
    for path in _python(view):
        parts = PurePosixPath(path).parts
        folder = next((index for index, part in enumerate(parts[:-1]) if part in _TESTS), None)
        if folder is not None:
            found.add("/".join(parts[: folder + 1]))
        elif parts[-1] == "conftest.py" or parts[-1].startswith("test_"):
            found.add(path)
    return tuple(sorted(found))


def _commands(view: RepoView) -> Iterator[Instruction]:
    """The CMD and the ENTRYPOINT in force."""
    inherited = view.dockerfile.making(view.stage)
    for keyword in ("ENTRYPOINT", "CMD"):
        yield from [each for each in inherited if each.keyword == keyword][-1:]


def _files(view: RepoView, instruction: Instruction) -> Iterator[str]:
    words = list(instruction.exec_form or _split(instruction.value))
    for word in words:
        script = origin_of(view, word, instruction) if word.endswith(".sh") else None
        if script:
            words += [part for line in view.files[script.path].split("\n") for part in _split(line)]
    scripts = _console_scripts(view)
    for before, word in zip(["", *words], words, strict=False):
        target = _OBJECT.fullmatch(scripts.get(word, word))
        if word.endswith(".py"):
            found = _file(view, word, instruction)
        elif target:
            found = _module(view, target[1], instruction)
        elif before in _MODULE_FLAGS and _MODULE.fullmatch(word):
            found = _module(view, word, instruction)
        else:
            found = None
        if found:
            yield found


def _module(view: RepoView, module: str, instruction: Instruction) -> str | None:
    stem = module.replace(".", "/")
    candidates = (f"{stem}.py", f"{stem}/__main__.py", f"{stem}/__init__.py")
    return next((found for each in candidates if (found := _file(view, each, instruction))), None)


def _file(view: RepoView, path: str, instruction: Instruction) -> str | None:
    """The repository's file for one of the image: through the COPYs, else by the end of its path."""
    origin = origin_of(view, path, instruction)
    if origin:
        return origin.path
    name = path.lstrip("./")
    alike = [other for other in _python(view) if other == name or other.endswith(f"/{name}")]
    return min(alike, key=len, default=None)


def _console_scripts(view: RepoView) -> dict[str, str]:
    try:
        scripts = tomllib.loads(view.files[view.context_path("pyproject.toml")])["project"]["scripts"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {str(name): str(target) for name, target in scripts.items()}


def _application(view: RepoView) -> Iterator[str]:
    depth = 0 if view.target.context == "." else len(PurePosixPath(view.target.context).parts)
    for path in _python(view):
        parts = PurePosixPath(path).parts
        is_test = parts[-1] == "conftest.py" or parts[-1].startswith("test_")
        if not is_test and not _TESTS.union(_ASIDE).intersection(parts):
            yield "/".join(parts[: depth + 1])


def _python(view: RepoView) -> list[str]:
    prefix = "" if view.target.context == "." else f"{view.target.context}/"
    return [path for path in view.paths if path.endswith(".py") and path.startswith(prefix)]


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()
