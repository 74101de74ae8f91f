"""What of a build context is read: by code, by the build of a package, by commands that run in the image."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

from phasewise.model.builds.script_files import is_script
from phasewise.model.builds.vendored import is_vendored
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Evidence
from phasewise.model.pruning.program import is_prune_step
from phasewise.model.repo import Purpose, RepoView
from phasewise.model.stages.runtime_use import named_scripts, outside_commands

_CODE = (
    *(".py", ".pyi", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".vue", ".go", ".rs", ".rb"),
    *(".html", ".jinja", ".jinja2", ".j2"),
)
_RUN_NOTHING = ("COPY", "ADD", "FROM", "LABEL", "WORKDIR")
_TEST_FILE = re.compile(r"(^|/)(test_\w+|\w+_test|conftest|noxfile)\.py$")
_SETTINGS = re.compile(r"(^|/)(setup\.cfg|MANIFEST\.in|\.env[\w.-]*|[\w.-]+\.(ini|conf|ya?ml|json|toml))$")
_NOT_READ = re.compile(
    r"(^|/)((tox|pytest|mypy)\.ini|(pyproject|ruff|\.?mise)\.toml|mkdocs\.yml|\.?(codecov|readthedocs|pre-commit-config)"
    r"\.ya?ml|(package-lock|tsconfig|renovate|pyrightconfig|devcontainer)\.json)$|(^|/)\.(github|vscode|idea)/"
)
_LARGEST_SETTINGS = 200_000
"""Characters; what is larger is data."""
_BUILD_TABLES = (
    "setuptools",
    "hatch",
    "poetry",
    "flit",
    "pdm",
    "scikit-build",
    "maturin",
    "uv",
    "meson-python",
)
_NOT_PATHS = frozenset(
    {
        "exclude",
        "urls",
        "description",
        "dependencies",
        "optional-dependencies",
        "keywords",
        "classifiers",
        "name",
    }
)
_LEFT_OUT = re.compile(r"exclude\s*=\s*[\[(][^\])]*[\])]|^\s*(prune|exclude|global-exclude)\s.*$", re.M)
_TESTS = re.compile(
    r"(?<![\w.=-])(pytest|py\.test|unittest|nose2|tox|nox|coverage run|manage\.py test|(make|just|npm run|npm) test)"
    r"(?![\w=<>~!\[-])"
)
_TEST_TOOLS = re.compile(r"(?<![\w.=-])(pytest|nose2|tox|nox)\b")
_SEPARATORS = re.compile(r"&&|\|\||;|\n")
_INSTALLS = re.compile(r"\b(pip|pipx|uv|poetry|conda)\b.*\b(install|add|sync)\b")
_IN_CONTAINERS = re.compile(r"\b(docker|podman|nerdctl|kubectl)\b.*\b(run|exec|up)\b")
_DOCUMENTATION = re.compile(r"\b(mkdocs|sphinx-build|pdoc)\b")
_VERSION_FROM_GIT = re.compile(
    r"setuptools[-_]scm|hatch-vcs|versioningit|dynamic-versioning|versioneer|dunamai|vcs-versioning|\bpbr\b"
    r"|setuptools-git|source\s*=\s*[\"'](vcs|scm)[\"']|use_scm_version"
)
_CALLS_GIT = re.compile(
    r"\bgit\s+(-\S+\s+)*(describe|rev-parse|rev-list|log|show|status|submodule|tag)\b|[\"']git[\"']\s*,"
    r"|^\s*(import git\b|from git\b|import (dulwich|pygit2)\b)",
    re.M,
)
_GIT_WORDS = ("git ", "git'", 'git"', "import git", "from git", "dulwich", "pygit2")
"""One of these is in a text in which there is a call of git; they are found much faster."""
_PROJECT_FILES = re.compile(r"(^|/)(pyproject\.toml|setup\.py|setup\.cfg)$")


class Reads:
    """Looks for the places that read a path of the build context."""

    def __init__(self, view: RepoView, dockerfiles: Collection[Dockerfile]) -> None:
        self._view, self._dockerfiles = view, dockerfiles
        self._doubtful: frozenset[str] = frozenset()
        self._with_tests = True

    def first(
        self, names: Collection[str], doubtful: Collection[str] = (), with_tests: bool = True
    ) -> dict[str, Evidence]:
        """For each of `names`, names of files or folders at the context's root, the first place that names it.

        What the repository paths `doubtful` read themselves does not count; neither do tests, unless they stay.
        """
        found: dict[str, Evidence] = {}
        if not names:
            return found
        quoted, plain, value = self._quoted(names), self._plain(names), self._value(names)
        code = self._code(frozenset(doubtful), with_tests)
        texts = [(path, text, quoted) for path, text in code]
        texts += [
            (path, text, plain if path.endswith("MANIFEST.in") else value)
            for path, text in self._settings(frozenset(doubtful))
        ]
        for path, text, pattern in texts:
            # Most files name none of them, and that is found much faster.
            for match in pattern.finditer(text) if any(name in text for name in names) else ():
                name = match[match.lastindex or 1]
                line = text.count("\n", 0, match.start(match.lastindex or 1)) + 1
                found.setdefault(name, self._view.evidence(path, line))
        for path, line, text in self._commands:
            for match in plain.finditer(text):
                found.setdefault(match[1], self._view.evidence(path, line))
        for path, string in self._built:
            for name in {string.lstrip("./").split("/")[0], string.split("/")[0], string.rpartition("/")[2]}:
                if name in names:
                    found.setdefault(name, self._view.evidence(path, self._line(path, string)))
        return found

    def _quoted(self, names: Collection[str]) -> re.Pattern[str]:
        """Strings of code that begin with one of the names, or lead to it, and imports."""
        each = _either(names)
        return re.compile(
            rf"""(?:["'`]|\}}/|\.\./|(?:{_either(self._roots)})/)(?:\./|\*\*/)*({each})(?=["'`/])"""
            rf"""|^[ \t]*(?:from|import)[ \t]+({each})\b""",
            re.M,
        )

    def _plain(self, names: Collection[str]) -> re.Pattern[str]:
        """Words of commands and settings that begin with one of the names."""
        return re.compile(
            rf"(?:(?<![\w/.*-])|\.\./|(?:{_either(self._roots)})/)(?:\./)*({_either(names)})(?![\w*-]|\.\w)"
        )

    def _value(self, names: Collection[str]) -> re.Pattern[str]:
        """Values of settings that begin with one of the names: at the end of a line, quoted, or a path."""
        return re.compile(
            rf"(?:(?<![\w/.*-])|\.\./|(?:{_either(self._roots)})/)(?:\./)*({_either(names)})(?=[/\"':,\]]|[ \t\r]*$)",
            re.M,
        )

    @cached_property
    def tests(self) -> Evidence | None:
        """The first place that runs tests in an image from this context, makes one for that, or installs pytest."""
        for path, line, text in self._commands:
            if any(_TESTS.search(part) and not _INSTALLS.search(part) for part in _parts(text)):
                return self._view.evidence(path, line)
        paths = {dockerfile.path for dockerfile in self._dockerfiles}
        built = (b for b in self._view.builds if b.dockerfile in paths and b.purpose is Purpose.TEST)
        places = [(build.path, build.line) for build in built]
        places += [(path, line) for path, line, text in self._commands if _TEST_TOOLS.search(text)]
        return next((self._view.evidence(*place) for place in places), None)

    @cached_property
    def documentation(self) -> Evidence | None:
        """The first command that makes documentation in an image."""
        found = ((path, line) for path, line, text in self._commands if _DOCUMENTATION.search(text))
        return next((self._view.evidence(*place) for place in found), None)

    @cached_property
    def history(self) -> Evidence | None:
        """The first place that asks git for something while the image is built or runs."""
        for path in self._view.matching(_PROJECT_FILES):
            if self._is_inside(path):
                text = self._view.files.get(path, "")
                if match := _VERSION_FROM_GIT.search(text) or _CALLS_GIT.search(text):
                    return self._view.evidence(path, text.count("\n", 0, match.start()) + 1)
        for path, line, text in self._commands:
            if _CALLS_GIT.search(text) or _VERSION_FROM_GIT.search(text):
                return self._view.evidence(path, line)
        for path, text in self._code((), with_tests=False):
            match = _CALLS_GIT.search(text) if any(word in text for word in _GIT_WORDS) else None
            if match:
                return self._view.evidence(path, text.count("\n", 0, match.end()) + 1)
        return None

    @cached_property
    def _roots(self) -> frozenset[str]:
        """The folders of the images that the context may be copied to."""
        return frozenset(
            dockerfile.workdir(stage.instructions[-1]).rstrip("/")
            for dockerfile in self._dockerfiles
            for stage in dockerfile.stages
        ) - {""}

    @cached_property
    def _commands(self) -> tuple[tuple[str, int, str], ...]:
        """(path, line, text) of all that runs in an image: while it is built, at its start, from outside."""
        found = []
        for dockerfile in self._dockerfiles:
            for instruction in dockerfile.instructions:
                if instruction.keyword in _RUN_NOTHING:
                    continue
                text = dockerfile.executed(instruction)
                # The prune step names tests of packages, and reads nothing but their environment.
                if not is_prune_step(text):
                    found.append((dockerfile.path, instruction.line, text))
        found += outside_commands(self._view)
        for path in sorted(self._view.paths):
            if is_script(path) and not is_vendored(path):
                for line, text in enumerate(self._view.files.get(path, "").split("\n"), 1):
                    if _IN_CONTAINERS.search(text):
                        found.append((path, line, text))
        for path in named_scripts(self._view, "\n".join(text for _, _, text in found)):
            lines = enumerate(self._view.files[path].split("\n"), 1)
            found += [(path, line, text) for line, text in lines if not text.lstrip().startswith("#")]
        return tuple(found)

    @cached_property
    def _built(self) -> tuple[tuple[str, str], ...]:
        """(path, value) of the strings of every pyproject.toml that may be paths for the build of a package."""
        found = []
        for path in sorted(self._view.paths):
            if path.rpartition("/")[2] == "pyproject.toml" and self._is_inside(path):
                try:
                    settings = tomllib.loads(self._view.files.get(path, ""))
                except tomllib.TOMLDecodeError:
                    continue
                tools = settings.get("tool", {})
                tables = [settings.get("project", {}), *(tools.get(name, {}) for name in _BUILD_TABLES)]
                found += [(path, value) for table in tables for value in _strings(table)]
        return tuple(found)

    def _code(self, doubtful: Collection[str], with_tests: bool) -> Iterator[tuple[str, str]]:
        for path in sorted(self._view.paths):
            counts = path.endswith(_CODE) and (with_tests or not _TEST_FILE.search(path))
            if counts and path not in doubtful and self._is_inside(path):
                text = self._view.files.get(path, "")
                yield path, _LEFT_OUT.sub(_blank, text) if path.endswith("setup.py") else text

    def _settings(self, doubtful: frozenset[str]) -> Iterator[tuple[str, str]]:
        for path in self._view.matching(_SETTINGS):
            if path not in doubtful and self._is_inside(path) and not _NOT_READ.search(path):
                text = self._view.files.get(path, "")
                if path.endswith("setup.cfg"):
                    text = _only_sections(text, ("metadata", "options"))
                if len(text) < _LARGEST_SETTINGS:
                    yield path, _LEFT_OUT.sub(_blank, text)

    def _is_inside(self, path: str) -> bool:
        context = self._view.context_path(".")
        return (context == "." or path.startswith(f"{context}/")) and not is_vendored(path)

    def _line(self, path: str, value: str) -> int:
        lines = self._view.files.get(path, "").split("\n")
        return next((number for number, line in enumerate(lines, 1) if value in line), 1)


def _parts(text: str) -> Iterator[str]:
    """The commands of a line, each with the brackets, quotes and commas of a list taken for blanks."""
    return (re.sub(r"[\s\"',\[\]]+", " ", part) for part in _SEPARATORS.split(text))


def _either(texts: Collection[str]) -> str:
    """An expression for any of them, the longest first; for none, one that matches nothing."""
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or r"(?!)"


def _blank(match: re.Match[str]) -> str:
    """As many lines, with nothing in them."""
    return "\n" * match[0].count("\n")


def _only_sections(text: str, wanted: Collection[str]) -> str:
    """An ini file with the lines of other sections blank; `options.extras` belongs to `options`."""
    lines, inside = [], False
    for line in text.split("\n"):
        if line.startswith("["):
            section = line.strip("[] \r").partition(".")
            inside = section[0] in wanted and section[2] not in ("packages.find", "extras_require")
        lines.append(line if inside else "")
    return "\n".join(lines)


def _strings(value: object) -> Iterator[str]:
    """All strings in a table and its names, which can be paths too, but for those that hold none."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _strings(item)
        case dict():
            table: Mapping[str, Any] = value
            for name, item in table.items():
                if name not in _NOT_PATHS:
                    yield name
                    yield from _strings(item)
