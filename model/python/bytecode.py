"""Where a Dockerfile compiles Python sources to bytecode, in whatever form that is written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction, drop_pair, drop_word
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span

_MODULES = ("compileall", "py_compile")
_FLAGS = ("--compile", "--compile-bytecode")
_VARIABLE = "UV_COMPILE_BYTECODE"
_INLINE = re.compile(r"^\s*(?:import|from)\s+(?:compileall|py_compile)\b")
_OPTIONS_WITH_VALUE = frozenset(
    {"-d", "-s", "-p", "-x", "-i", "-j", "-r", "-o", "-e", "--workers", "--invalidation-mode"}
)


class Compilation(Struct, frozen=True):
    """One place that compiles."""

    instruction: Instruction
    form: str
    """How it is written: `compileall`, `--compile`, `UV_COMPILE_BYTECODE`."""
    line: int
    """1-based."""
    command: Command | None = None
    """The command that goes as a whole; None when only a word goes."""
    word: Span | None = None
    directories: tuple[str, ...] = ()
    """The absolute paths it compiles, where they can be known."""
    legacy: bool = False
    """`compileall -b`: `.pyc` beside the source, which Python ignores while the source exists."""

    @property
    def by_installer(self) -> bool:
        """Whether the installer compiles what it installs, into `__pycache__`."""
        return self.form in (*_FLAGS, _VARIABLE)


def compilations(dockerfile: Dockerfile, stages: frozenset[int]) -> tuple[Compilation, ...]:
    """Every place in `stages` that compiles, in the order of the text."""
    found: list[Compilation] = []
    for instruction in dockerfile.instructions:
        if instruction.stage not in stages:
            continue
        if instruction.keyword == "RUN":
            found += _in_run(dockerfile, instruction)
        elif instruction.keyword in ("ENV", "ARG"):
            found += _in_environment(dockerfile, instruction)
    return tuple(found)


def compiles_beside_sources(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether what the stage needs leaves `.pyc` beside the sources."""
    return any(each.legacy for each in compilations(dockerfile, dockerfile.needed_by(stage)))


def removal(dockerfile: Dockerfile, found: tuple[Compilation, ...]) -> tuple[Edit, ...]:
    """The edits that take all of `found` out and leave correct instructions."""
    edits: list[Edit] = []
    for instruction in dict.fromkeys(item.instruction for item in found):
        mine = [item for item in found if item.instruction is instruction]
        edits += _removal_in(dockerfile, instruction, mine)
    return tuple(edits)


def _removal_in(dockerfile: Dockerfile, instruction: Instruction, found: list[Compilation]) -> list[Edit]:
    if instruction.keyword != "RUN":
        words = dockerfile.words(instruction)
        mine = [word for word in words if word.span in [item.word for item in found]]
        if len(mine) == len(words) or not mine:
            return [drop_instruction(dockerfile, instruction)]
        return [drop_pair(words, word) for word in mine]
    commands = [item.command for item in found if item.command]
    script = Script.of(dockerfile, instruction)
    rest = script.without(commands) if script and commands else ()
    if rest is None:
        return [drop_instruction(dockerfile, instruction)]
    return [*rest, *(drop_word(dockerfile.text, item.word) for item in found if item.word)]


def _in_run(dockerfile: Dockerfile, instruction: Instruction) -> Iterator[Compilation]:
    script = Script.of(dockerfile, instruction)
    for command in script.commands if script else ():
        line = dockerfile.line_of(command.span.start)
        module = None if command.condition else _module(command)
        if module:
            yield Compilation(
                instruction,
                module,
                line,
                command,
                directories=_directories(dockerfile, instruction, command),
                legacy=any(re.fullmatch(r"-[qfl]*b[qflb]*", word) for word in command.argv),
            )
            continue
        for word in command.words:
            if word.value in _FLAGS and {"install", "sync", "add"} & set(command.argv):
                yield Compilation(
                    instruction, word.value, dockerfile.line_of(word.span.start), word=word.span
                )
        if any(name == _VARIABLE and value not in ("", "0", "false") for name, value in command.assignments):
            yield Compilation(instruction, _VARIABLE, line, word=_assignment(dockerfile.text, command))


def _in_environment(dockerfile: Dockerfile, instruction: Instruction) -> Iterator[Compilation]:
    words = dockerfile.words(instruction)
    if len(words) == 2 and words[0].value == _VARIABLE:
        yield Compilation(
            instruction, _VARIABLE, instruction.line, word=Span(words[0].span.start, words[1].span.end)
        )
        return
    for word in words:
        name, _, value = word.value.partition("=")
        if name == _VARIABLE and value not in ("0", "false"):
            yield Compilation(instruction, _VARIABLE, dockerfile.line_of(word.span.start), word=word.span)


def _module(command: Command) -> str | None:
    """`compileall` or `py_compile`, when all that the command does is run it."""
    for first, second in zip(command.argv, (*command.argv[1:], ""), strict=False):
        if first == "-m" and second in _MODULES:
            return second
        if first in (f"-m{module}" for module in _MODULES):
            return first[2:]
        if first == "-c" and _INLINE.match(second):
            return "compileall" if "compileall" in second else "py_compile"
    return command.name if command.name in _MODULES else None


def _directories(dockerfile: Dockerfile, instruction: Instruction, command: Command) -> tuple[str, ...]:
    """The operands of `compileall` as absolute paths; those with unknown variables are left out."""
    words = iter(command.argv[next((i + 2 for i, word in enumerate(command.argv) if word == "-m"), 1) :])
    paths = []
    for word in words:
        if word in _OPTIONS_WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            path = dockerfile.expand(word, instruction)
            if path:
                paths.append(path if path.startswith("/") else f"{dockerfile.workdir(instruction)}/{path}")
    return tuple(paths)


def _assignment(text: str, command: Command) -> Span:
    """The span of `UV_COMPILE_BYTECODE=1` in front of a command."""
    start = text.index(_VARIABLE, command.span.start)
    return Span(start, next(end for end in range(start, len(text)) if text[end].isspace()))
