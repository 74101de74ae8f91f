"""The image builds of a shell script, each seen from the folder in which it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, field
from tree_sitter import Node

from phasewise.model.builds.build_commands import (
    Argument,
    BuildCommand,
    build_of,
    script_root,
    verb_of,
    words_of,
)
from phasewise.model.builds.places import ROOT, is_local, join
from phasewise.model.repo import BuildReference, Purpose

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^{}$]*))?\})")
_SUBSHELLS = ("subshell", "command_substitution", "function_definition")
_TOOLS_OF_COMPOSE = (("docker", "compose"), ("docker-compose",), ("podman-compose",), ("podman", "compose"))

Expand = Callable[[str], str | None]
"""A text with the expressions of its surroundings filled in; None when one is unknown."""


class ScriptCommand(Struct, frozen=True):
    """One command of a script, with what is known where it runs."""

    words: tuple[Argument, ...]
    folder: str | None
    """Relative to the repository's root; None when it cannot be told."""
    variables: Mapping[str, str]

    @property
    def argv(self) -> tuple[str, ...]:
        """The words' texts, as written."""
        return tuple(word.value for word in self.words)

    @property
    def offset(self) -> int:
        """Where it begins in the script."""
        return self.words[0].span.start

    def expanded(self, word: str, expand: Expand) -> str | None:
        """`word` with expressions and variables filled in; None when one is unknown."""
        value = expand(word)
        if value is None or "`" in value:
            return None
        if self.folder is not None:
            value = value.replace("$(pwd)", "$PWD")
        known = {"GITHUB_WORKSPACE": ROOT, "CI_PROJECT_DIR": ROOT, **self.variables}
        if self.folder is not None:
            known["PWD"] = ROOT if self.folder == "." else f"{ROOT}/{self.folder}"
        value = _VARIABLE.sub(lambda match: _value(match, known), value)
        return None if "$" in value else value


class ImageBuild(Struct, frozen=True):
    """A build with everything that is known of it filled in."""

    dockerfile: str
    context: str
    stage: str | None
    tags: tuple[str, ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    pushes: bool = False

    def found_at(
        self,
        path: str,
        lines: Sequence[str],
        number: int,
        purpose: Purpose,
        where: str,
        matrix: tuple[tuple[str, str], ...] = (),
    ) -> BuildReference:
        """The place that builds it: the 1-based line `number` of the file's `lines`."""
        return BuildReference(
            path,
            number,
            lines[number - 1].strip(),
            self.dockerfile,
            self.context,
            self.stage,
            purpose,
            where,
            matrix,
            self.arguments,
        )


class _Place(Struct):
    """Where a script has come to: the folder, and the variables that it has set."""

    folder: str | None
    variables: dict[str, str] = field(default_factory=dict)

    def copy(self) -> _Place:
        return _Place(self.folder, dict(self.variables))


def commands(
    script: str, folder: str | None, expand: Expand, variables: Mapping[str, str]
) -> list[ScriptCommand]:
    """Every command of `script`, which starts in `folder`; `cd` and plain assignments are followed."""
    return list(_walk(script_root(script), script, _Place(folder, dict(variables)), expand))


def image_build(command: ScriptCommand, expand: Expand) -> ImageBuild | None:
    """What the command builds; None when it builds nothing of the repository, or that cannot be told."""
    build = build_of(list(command.words))
    if build is None or command.folder is None:
        return None
    context = command.expanded(build.context.value, expand)
    if context is None or not is_local(context):
        return None
    file = command.expanded(build.file.value, expand) if build.file else f"{context}/Dockerfile"
    stages = _options(build, "--target")
    stage = command.expanded(stages[-1], expand) if stages else None
    places = [join(command.folder, path) for path in (file, context) if path is not None]
    if len(places) < 2 or None in places or (stages and stage is None):
        return None
    dockerfile, context = (place for place in places if place is not None)
    return ImageBuild(
        dockerfile,
        context,
        stage,
        tuple(tag for tag in (command.expanded(t, expand) for t in _options(build, "-t", "--tag")) if tag),
        tuple(_arguments(command, build, expand)),
        _pushes(build),
    )


def pushed(argv: tuple[str, ...]) -> tuple[str, ...] | None:
    """What a command pushes to a registry, as written; None for a command that pushes nothing."""
    verb = verb_of(argv)
    if verb is None or argv[verb] != "push":
        return None
    return tuple(word for word in argv[verb + 1 :] if not word.startswith("-"))


def composed(argv: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Compose files and services that a command builds, both as written; none named means all of them.

    None for a command that builds nothing with compose.
    """
    argv = argv[1:] if argv[:1] == ("sudo",) else argv
    tool = next((tool for tool in _TOOLS_OF_COMPOSE if argv[: len(tool)] == tool), None)
    if tool is None:
        return None
    files: list[str] = []
    words = iter(argv[len(tool) :])
    verb = ""
    for word in words:
        if word in ("-f", "--file"):
            files.append(next(words, ""))
        elif word.startswith("--file="):
            files.append(word.partition("=")[2])
        elif word in ("-p", "--project-name", "--profile", "--env-file", "--project-directory"):
            next(words, "")
        elif not word.startswith("-"):
            verb = word
            break
    rest = list(words)
    if verb != "build" and not (verb in ("up", "run") and "--build" in rest):
        return None
    services = tuple(word for word in rest if not word.startswith("-")) if verb in ("build", "up") else ()
    return tuple(files), services


def _walk(node: Node, script: str, place: _Place, expand: Expand) -> Iterator[ScriptCommand]:
    if node.type in _SUBSHELLS:
        place = place.copy()
    if node.type == "variable_assignment" and node.parent is not None and node.parent.type != "command":
        _assign(script[node.start_byte : node.end_byte], place, expand)
    if node.type == "command":
        words = tuple(words_of(node, script))
        if words:
            command = ScriptCommand(words, place.folder, dict(place.variables))
            yield command
            if words[0].value in ("cd", "pushd"):
                place.folder = _changed(command, expand)
    for child in node.children:
        yield from _walk(child, script, place, expand)


def _assign(text: str, place: _Place, expand: Expand) -> None:
    name, _, value = text.partition("=")
    known = ScriptCommand((), place.folder, dict(place.variables)).expanded(_unquoted(value), expand)
    if known is None or value.startswith("'"):
        place.variables.pop(name, None)
    else:
        place.variables[name] = known


def _changed(command: ScriptCommand, expand: Expand) -> str | None:
    """The folder after a `cd`."""
    arguments = [word for word in command.argv[1:] if word != "--"]
    if command.folder is None or len(arguments) != 1 or arguments[0].startswith(("-", "~")):
        return None
    target = command.expanded(arguments[0], expand)
    return join(command.folder, target) if target is not None else None


def _value(match: re.Match[str], known: Mapping[str, str]) -> str:
    name, default = match[1] or match[2], match[3]
    return known.get(name, match[0] if default is None else default)


def _options(build: BuildCommand, *names: str) -> list[str]:
    return [value for name, value in build.options if name in names]


def _arguments(command: ScriptCommand, build: BuildCommand, expand: Expand) -> Iterator[tuple[str, str]]:
    for written in _options(build, "--build-arg"):
        name, equals, value = _unquoted(written).partition("=")
        known = command.expanded(_unquoted(value), expand)
        if equals and known is not None:
            yield name, known


def _pushes(build: BuildCommand) -> bool:
    if any(value.lower() != "false" for value in _options(build, "--push")):
        return True
    return any(is_pushing_output(value) for value in _options(build, "--output", "-o"))


def is_pushing_output(output: str) -> bool:
    """Whether a buildx output goes to a registry."""
    parts = [part.strip() for part in output.split(",")]
    return "type=registry" in parts or "push=true" in parts


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
