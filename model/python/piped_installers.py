"""Finds installers that are downloaded and run unseen: `curl ... | sh`, or an ADD and the RUN that runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.shell import Command, Script
from phasewise.model.syntax.shell_nodes import Chain, Compound, Negated, Pipeline, Simple, Tree, simples
from phasewise.model.text import Span

_TOOLS = {
    "uv": re.compile(r"https?://astral\.sh/uv/(?:(?P<version>[^/]+)/)?install\.sh"),
    "poetry": re.compile(r"https?://install\.python-poetry\.org/?"),
    "rust": re.compile(r"https?://(?:sh\.rustup\.rs|static\.rust-lang\.org/rustup/rustup-init\.sh)/?"),
}
_INTERPRETERS = re.compile(r"(?:ba|da|a)?sh|python[\d.]*")


class Piped(Struct, frozen=True):
    """One installer that is fetched and run."""

    tool: str
    """`uv`, `poetry` or `rust`."""
    script: Script
    span: Span
    """What fetches and runs it, or what runs it."""
    version: str
    """As the address names it; empty where it does not."""
    interpreter: str
    """As written: `sh`, `python3`."""
    options: tuple[str, ...]
    """What the installer is told: `-y`, `--version 1.8.3`."""
    options_end: int
    """Where the last of these words ends, or the interpreter."""
    environment: Mapping[str, str]
    """What is set for it alone."""
    added: Instruction | None = None
    """The ADD that fetches it."""
    removals: tuple[Command, ...] = ()
    """What removes the file that the ADD brought."""

    @property
    def instruction(self) -> Instruction:
        """The RUN."""
        return self.script.instruction

    @property
    def line(self) -> int:
        """The 1-based line of the RUN."""
        return self.instruction.line


def piped_installers(dockerfile: Dockerfile, instruction: Instruction) -> tuple[Piped, ...]:
    """The installers that a RUN fetches and runs; those behind `||` and under `!` are left out."""
    script = Script.of(dockerfile, instruction)
    if script is None or script.tree is None:
        return ()
    piped = [found for tree in _unconditional(script.tree) if (found := _piped(script, tree))]
    return (*piped, *_added(dockerfile, script))


def _unconditional(tree: Tree) -> Iterator[Pipeline]:
    """The pipelines that several commands joined by `&&` can stand for."""
    match tree:
        case Pipeline():
            yield tree
        case Chain():
            operators = ["&&", *(operator.value for operator in tree.operators)]
            for operator, item in zip(operators, tree.items, strict=True):
                if operator == "&&":
                    yield from _unconditional(item)
        case Compound():
            for part in tree.parts:
                yield from _unconditional(part.body)
        case Simple() | Negated():
            return
        case _:
            for item in tree.items:
                yield from _unconditional(item)


def _piped(script: Script, tree: Pipeline) -> Piped | None:
    if len(tree.items) != 2:
        return None
    fetch, run = tree.items
    if not isinstance(fetch, Simple) or not isinstance(run, Simple) or not fetch.words:
        return None
    if fetch.words[0].value.rpartition("/")[2] not in ("curl", "wget"):
        return None
    names = [(tool, match) for word in fetch.words if (tool := _tool(word.value)) for match in [word.value]]
    called = _called(run)
    if len(names) != 1 or called is None or run.redirects:
        return None
    interpreter, options, environment = called
    tool, url = names[0]
    return Piped(
        tool,
        script,
        script.source.span(tree.start, tree.end),
        _version(tool, url),
        interpreter,
        options,
        script.source.place(run.words[-1].end - 1) + 1,
        environment,
    )


def _tool(url: str) -> str:
    return next((tool for tool, pattern in _TOOLS.items() if pattern.fullmatch(url)), "")


def _version(tool: str, url: str) -> str:
    match = _TOOLS[tool].fullmatch(url)
    return (match.groupdict().get("version") if match else "") or ""


def _called(run: Simple, file: str = "") -> tuple[str, tuple[str, ...], dict[str, str]] | None:
    """Interpreter, options and environment of `env X=1 sh -s -- -y`; None where something else runs."""
    words = [word.value for word in run.words]
    environment = dict(run.assignments)
    if words[:1] == ["env"]:
        words.pop(0)
        while words and re.match(r"\w+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
    if not words or not _INTERPRETERS.fullmatch(words[0].rpartition("/")[2]):
        return None
    interpreter, *options = words
    if file:
        return (interpreter, tuple(options[1:]), environment) if options[:1] == [file] else None
    while options and options[0] in ("-s", "-", "--"):
        options.pop(0)
    return interpreter, tuple(options), environment


def _added(dockerfile: Dockerfile, script: Script) -> Iterator[Piped]:
    """`ADD https://astral.sh/uv/install.sh /i.sh` and `RUN sh /i.sh && rm /i.sh`, where nothing else names the file."""
    stage = dockerfile.stages[script.instruction.stage or 0]
    if script.tree is None:
        return
    for add in stage.instructions:
        words = dockerfile.words(add) if add.keyword == "ADD" else ()
        tool = _tool(words[0].value) if len(words) == 2 else ""
        file = words[-1].value if words else ""
        if not tool or not file.startswith("/") or file.endswith("/") or add.span > script.instruction.span:
            continue
        if dockerfile.text.count(file) != 1 + sum(file in c.argv for c in script.commands):
            continue
        runs = [c for c in script.commands if c.argv[:1] != ("rm",) and file in c.argv]
        removals = tuple(c for c in script.commands if c.name == "rm" and file in c.argv)
        if len(runs) != 1 or any(len([w for w in c.argv[1:] if w[0] != "-"]) != 1 for c in removals):
            continue
        (command,) = runs
        simple = next(s for s in simples(script.tree) if script.source.place(s.start) == command.span.start)
        called = _called(simple, file)
        if called and not command.redirects and not command.failure_ignored:
            interpreter, options, environment = called
            yield Piped(
                tool,
                script,
                command.span,
                _version(tool, words[0].value),
                interpreter,
                options,
                command.words[-1].span.end,
                environment,
                add,
                removals,
            )
