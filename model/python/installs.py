"""The pip and uv installs of a Dockerfile, and the files of the repository that they read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from msgspec import Struct

from phasewise.model.dockerfile import Instruction, Word
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Span

_PIP = re.compile(r"pip[\d.]*")
_PROJECT = re.compile(r"(?P<folder>\.{1,2}(?:/[^\[\]]*)?|/[^\[\]]+)(?:\[(?P<extras>[^\]]*)\])?")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_WITH_VALUE = re.compile(
    "-[bcdfipt]|--(abi|cache-dir|cert|config-settings|constraint|default-index|extra-index-url|find-links"
    "|global-option|implementation|index|index-strategy|index-url|link-mode|no-binary|only-binary|platform|prefix"
    "|progress-bar|proxy|python|python-version|report|resolution|retries|root|src|target|timeout|torch-backend"
    "|trusted-host|upgrade-strategy)"
)
"""The options of pip install and uv pip install whose value is the next word."""


class Origin(Struct, frozen=True):
    """Where a file of the image comes from."""

    path: str
    """In the repository."""
    named: Span | None
    """The word of a COPY, or the flag of a mount, that names the file; None when its folder is copied."""
    renamed: bool
    """The image knows it under the name that the COPY or the mount gives, so that only the source counts."""


class Source(Struct, frozen=True):
    """One thing that an install command reads requirements from."""

    word: Word
    """As the command names it: `requirements.txt`, `.[ml]`."""
    path: str
    """In the repository: a requirements file, or a pyproject.toml."""
    extras: str
    """Of a project, as written between the brackets."""
    origin: Origin

    @property
    def is_project(self) -> bool:
        """Whether a project is installed, not a list."""
        return self.path.endswith(".toml")

    @property
    def key(self) -> str:
        """`requirements.txt`, `pyproject.toml[ml]`: what is installed from it."""
        return f"{self.path}[{self.extras}]" if self.extras else self.path


class Install(Struct, frozen=True):
    """One install command."""

    instruction: Instruction
    script: Script
    command: Command
    sources: tuple[Source, ...]
    unknown: tuple[str, ...]
    """Requirement files and projects whose origin is not known: variables, other stages, generated files."""
    named: tuple[Word, ...]
    """Requirements given in the command itself."""


def installs(view: RepoView) -> tuple[Install, ...]:
    """Every pip or uv install of the Dockerfile, all stages, in the order of the text."""
    dockerfile = view.dockerfile
    return tuple(
        install
        for instruction in dockerfile.instructions
        if instruction.keyword == "RUN" and (script := Script.of(dockerfile, instruction))
        for command in script.commands
        if (install := _install(view, instruction, script, command))
    )


def options_of(install: Install) -> tuple[tuple[str, Span], ...]:
    """The options of the command, without their values, each with the span of both; `-r` and `-e` among them."""
    found = []
    rest = iter(_arguments(install.command) or ())
    for word in rest:
        if not word.value.startswith("-"):
            continue
        name = word.value.partition("=")[0]
        takes = word.value in ("-r", "-e", "--requirement", "--requirements", "--editable")
        following = next(rest, None) if takes or _WITH_VALUE.fullmatch(word.value) else None
        found.append((name, Span(word.span.start, (following or word).span.end)))
    return tuple(found)


def origin_of(view: RepoView, path: str, instruction: Instruction) -> Origin | None:
    """The file of the repository that stands at `path` of the image when the instruction runs.

    `path` may be relative to the WORKDIR. Looks at the instruction's mounts first, then at the COPYs
    before it, latest first, through the stages that it inherits.
    """
    dockerfile = view.dockerfile
    absolute = posixpath.normpath(posixpath.join(dockerfile.workdir(instruction), path))
    for flag in instruction.flags:
        found = _mounted(view, flag.value, absolute, flag.span, instruction) if flag.name == "mount" else None
        if found:
            return found
    stage = dockerfile.stages[instruction.stage or 0]
    before = [each for each in dockerfile.making(stage) if each.span < instruction.span]
    for copy in reversed(before):
        if copy.keyword in ("COPY", "ADD") and not copy.flag("from") and not copy.heredocs:
            found = _copied(view, copy, absolute)
            if found:
                return found
    return None


def _install(view: RepoView, instruction: Instruction, script: Script, command: Command) -> Install | None:
    words = _arguments(command)
    if words is None:
        return None
    sources: list[Source] = []
    unknown: list[str] = []
    named: list[Word] = []
    for kind, word, value in _requirements(words):
        if kind == "name":
            named.append(word)
            continue
        if kind == "project" and any(each.value == "--no-deps" for each in words):
            continue
        source = _source(view, instruction, script, word, kind, value)
        if source:
            sources.append(source)
        else:
            unknown.append(value)
    return Install(instruction, script, command, tuple(sources), tuple(unknown), tuple(named))


def _arguments(command: Command) -> list[Word] | None:
    """The words behind `pip install`; None when the command is another one."""
    values = [word.value for word in command.words]
    if "install" not in values:
        return None
    index = values.index("install")
    tools = [value.rpartition("/")[2] for value in values[:index]]
    return list(command.words[index + 1 :]) if any(map(_PIP.fullmatch, tools)) else None


def _requirements(words: list[Word]) -> Iterator[tuple[str, Word, str]]:
    """(`file`, `project` or `name`; the word; the path or requirement in it)."""
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.value.partition("=")
        if word.value in ("-r", "--requirement", "--requirements"):
            following = next(rest, None)
            if following:
                yield "file", following, following.value
        elif flag in ("--requirement", "--requirements") and equals:
            yield "file", word, value
        elif word.value.startswith("-r") and not word.value.startswith("--"):
            yield "file", word, word.value[2:]
        elif word.value in ("-e", "--editable"):
            following = next(rest, None)
            if following and _PROJECT.fullmatch(following.value):
                yield "project", following, following.value
        elif _WITH_VALUE.fullmatch(word.value):
            next(rest, None)
        elif _PROJECT.fullmatch(word.value):
            if not word.value.endswith((".whl", ".gz", ".zip")):
                yield "project", word, word.value
        elif not word.value.startswith("-"):
            yield "name", word, word.value


def _source(
    view: RepoView, instruction: Instruction, script: Script, word: Word, kind: str, value: str
) -> Source | None:
    extras: str | None = ""
    if kind == "project":
        match = _PROJECT.fullmatch(value)
        folder = match["folder"] if match else value
        extras = _extras(script, match["extras"] or "") if match else ""
        value = f"{folder}/pyproject.toml"
    elif value.endswith(".toml"):
        return None
    path = view.dockerfile.expand(value, instruction)
    origin = origin_of(view, path, instruction) if path else None
    return Source(word, origin.path, extras, origin) if origin and extras is not None else None


def _extras(script: Script, written: str) -> str | None:
    """The extras, where a variable of the script holds them: of all that it is set to, what has all others in it."""
    variable = _VARIABLE.fullmatch(written)
    if not variable:
        return None if "$" in written else written
    values = [v for command in script.commands for name, v in command.assignments if name == variable[1]]
    every = {extra for value in values for extra in value.split(",")}
    return next((value for value in values if every <= set(value.split(","))), None)


def _mounted(
    view: RepoView, mount: str, absolute: str, span: Span, instruction: Instruction
) -> Origin | None:
    options = dict(part.partition("=")[::2] for part in mount.split(","))
    target = options.get("target") or options.get("dst") or options.get("destination")
    if options.get("type", "bind") != "bind" or "from" in options or not target:
        return None
    place = posixpath.normpath(posixpath.join(view.dockerfile.workdir(instruction), target))
    source = view.context_path(options.get("source") or options.get("src") or ".")
    if place == absolute and source in view.paths:
        return Origin(source, span, renamed=True)
    inside = _below(source, place, absolute)
    return Origin(inside, None, renamed=False) if inside in view.paths else None


def _copied(view: RepoView, copy: Instruction, absolute: str) -> Origin | None:
    """What a COPY put at `absolute`: a file it names, or one of a folder it names."""
    *sources, last = view.dockerfile.words(copy) or (Word(".", copy.span),)
    target = view.dockerfile.expand(last.value, copy)
    if target is None:
        return None
    place = posixpath.normpath(posixpath.join(view.dockerfile.workdir(copy), target))
    for word in sources:
        source = view.context_path(view.dockerfile.expand(word.value, copy) or word.value)
        if source in view.paths:
            if absolute == posixpath.join(place, posixpath.basename(source)):
                return Origin(source, word.span, renamed=False)
            if absolute == place and not target.endswith(("/", ".")):
                return Origin(source, word.span, renamed=True)
        elif any(character in source for character in "*?["):
            for path in view.paths:
                if fnmatchcase(path, source) and absolute == posixpath.join(place, posixpath.basename(path)):
                    return Origin(path, None, renamed=False)
        elif (inside := _below(source, place, absolute)) in view.paths:
            return Origin(inside, None, renamed=False)
    return None


def _below(folder: str, place: str, absolute: str) -> str:
    """The repository path of `absolute` when `folder` stands at `place`; empty when it is elsewhere."""
    relative = posixpath.relpath(absolute, place)
    return "" if relative.startswith("..") else posixpath.normpath(posixpath.join(folder, relative))
