"""The `docker build` commands of a shell script, with the spans that a change of Dockerfile needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

import tree_sitter_bash
from msgspec import Struct
from tree_sitter import Language, Node, Parser

from phasewise.model.text import Span

_WITH_VALUE = re.compile(
    "-[cfmot]|--(add-host|allow|annotation|attest|build-arg|build-context|builder|cache-from|cache-to|call"
    "|cgroup-parent|cpu-period|cpu-quota|cpu-shares|cpuset-cpus|cpuset-mems|file|iidfile|isolation|label|memory"
    "|memory-swap|metadata-file|network|no-cache-filter|output|platform|progress|secret|security-opt|shm-size"
    "|ssh|tag|target|ulimit)"
)
"""The options of docker build and docker buildx build whose value is the next word."""
_TOOLS = ("docker", "podman", "buildx", "buildah")
_GLOBAL_WITH_VALUE = ("-H", "--host", "-c", "--context", "--config", "-l", "--log-level", "--builder")
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.S)


class Argument(Struct, frozen=True):
    """One word of a command: its text without quotes, and the span with them."""

    value: str
    span: Span


class BuildCommand(Struct, frozen=True):
    """One `docker build`, `docker buildx build` or `podman build`; spans are offsets into the script."""

    build: Argument
    """The word `build`."""
    file: Argument | None
    """The value of `-f` or `--file`; its span is that of the value alone, quotes included."""
    context: Argument
    options: tuple[tuple[str, str], ...] = ()
    """All options but the file's as written, with their values; '' where there is none."""


def build_commands(script: str) -> tuple[BuildCommand, ...]:
    """Every build of `script` that names a context. Workflow expressions count as parts of words."""
    found = (build_of(words) for words in _commands(script_root(script), script))
    return tuple(command for command in found if command)


@lru_cache(maxsize=256)
def script_root(script: str) -> Node:
    """The script's syntax tree; its byte offsets are offsets into the text. Expressions are words."""
    masked = _EXPRESSION.sub(lambda match: "X" * len(match[0]), script)
    source = "".join(character if ord(character) < 128 else "x" for character in masked)
    return _parser().parse(source.encode()).root_node


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def _commands(node: Node, script: str) -> Iterator[list[Argument]]:
    if node.type == "command":
        words = words_of(node, script)
        if words:
            yield words
    for child in node.children:
        yield from _commands(child, script)


def words_of(command: Node, script: str) -> list[Argument]:
    """The words of a `command` node, without assignments and redirects."""
    parts = [
        child for child in command.named_children if child.type not in ("variable_assignment", "comment")
    ]
    return [_argument(child, script) for child in parts if "redirect" not in child.type]


def _argument(node: Node, script: str) -> Argument:
    text = script[node.start_byte : node.end_byte]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return Argument(text, Span(node.start_byte, node.end_byte))


def build_of(words: list[Argument]) -> BuildCommand | None:
    """The build that a command's words describe; None when they describe none."""
    verb = verb_of([word.value for word in words])
    if verb is None or words[verb].value not in ("build", "b", "bud"):
        return None
    file, context = None, None
    options: list[tuple[str, str]] = []
    arguments = iter(words[verb + 1 :])
    for word in arguments:
        name, equals, value = word.value.partition("=")
        if name in ("-f", "--file"):
            file = _value(word, len(name) + 1) if equals else next(arguments, None)
        elif _WITH_VALUE.fullmatch(word.value):
            following = next(arguments, None)
            options.append((name, following.value if following else ""))
        elif not word.value.startswith("-") or word.value == "-":
            context = word
        else:
            options.append((name, value.strip("\"'")))
    return BuildCommand(words[verb], file, context, tuple(options)) if context else None


def verb_of(argv: Sequence[str]) -> int | None:
    """Where a docker, podman or buildah command says what it does: `build`, `push`; None for other commands."""
    names = [word.rpartition("/")[2] for word in argv]
    start = next((index for index, name in enumerate(names) if not _in_front(name)), len(names))
    if start == len(names) or names[start] not in _TOOLS:
        return None
    arguments = iter(range(start + 1, len(argv)))
    for index in arguments:
        if argv[index] in _GLOBAL_WITH_VALUE:
            next(arguments, None)
        elif not argv[index].startswith("-") and argv[index] not in ("image", "buildx", "builder"):
            return index
    return None


def _in_front(word: str) -> bool:
    """Whether the command proper stands behind this word."""
    return (
        word in ("sudo", "env", "time", "exec", "command", "nohup", "nice")
        or word.startswith("-")
        or "=" in word
    )


def _value(word: Argument, flag: int) -> Argument:
    """What stands behind `--file=`."""
    return Argument(word.value[flag:].strip("\"'"), Span(word.span.start + flag, word.span.end))
