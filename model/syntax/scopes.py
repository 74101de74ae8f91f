"""What is in force at an instruction: ARG and ENV, SHELL, USER, WORKDIR, with Docker's scoping."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from phasewise.model.syntax.arguments import key_values
from phasewise.model.syntax.instruction import Instruction
from phasewise.model.syntax.lexer import Lexer, LexError, dequote

EFFECTIVE = frozenset({"ARG", "ENV", "SHELL", "USER", "WORKDIR"})
"""The instructions that change a scope."""


class Scope(Struct):
    """The state that a stage has reached; feed it the instructions in order."""

    escape: str
    globals: Mapping[str, str] = field(default_factory=dict)
    """The ARGs before the first FROM, which a stage sees where it declares them again."""
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    """ENV whose value refers to something unknown (`PATH=/venv/bin:$PATH`): kept as written."""
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    user: str = ""
    workdir: str = "/"

    def copy(self) -> Scope:
        """The same state, which goes on by itself."""
        arguments, environment = dict(self.arguments), dict(self.environment)
        return replace(self, arguments=arguments, environment=environment, partial=set(self.partial))

    @property
    def variables(self) -> dict[str, str]:
        """ARG and ENV; an ENV hides the ARG of the same name."""
        return {**self.arguments, **self.environment}

    def expand(self, word: str) -> tuple[str, bool]:
        """`word` with variables and quotes processed, and whether every variable was known.

        Unknown variables stay as written.
        """
        lexer = Lexer(word, self.variables, self.escape, keep_unset=True, defaults=True)
        try:
            value, _ = lexer.run()
        except LexError:
            return word, False
        used = {name for name in self.partial if _uses(word, name)}
        return value, not lexer.missing and not used

    def feed(self, instruction: Instruction) -> None:
        """Takes the effect of one instruction."""
        match instruction.keyword:
            case "ARG":
                self._declare(instruction)
            case "ENV":
                self._set(instruction)
            case "SHELL" if instruction.exec_form:
                self.shell = instruction.exec_form
            case "USER":
                self.user = self.expand(instruction.value)[0]
            case "WORKDIR":
                self.workdir = posixpath.normpath(
                    posixpath.join(self.workdir, self.expand(instruction.value)[0])
                )

    def _declare(self, instruction: Instruction) -> None:
        for name, written in key_values(instruction.value, self.escape):
            if written is None:
                if name in self.globals:
                    self.arguments[name] = self.globals[name]
                continue
            value, known = self.expand(written)
            if known:
                self.arguments[name] = value
            else:
                self.arguments.pop(name, None)

    def _set(self, instruction: Instruction) -> None:
        """All pairs of one ENV are expanded with what was in force before it."""
        pairs = key_values(instruction.value, self.escape)
        expanded = [(name, *self.expand(written)) for name, written in pairs if written is not None]
        for name, value, known in expanded:
            self.environment[name] = value
            (self.partial.discard if known else self.partial.add)(name)


def after(scope: Scope, instructions: Iterable[Instruction]) -> Scope:
    """`scope` when all `instructions` have taken effect."""
    for instruction in instructions:
        scope.feed(instruction)
    return scope


def mount_sources(instruction: Instruction) -> tuple[str, ...]:
    """What the `--mount`s of a RUN name with `from=`, as written."""
    return tuple(name for name, _ in stage_mounts(instruction))


def stage_mounts(instruction: Instruction) -> tuple[tuple[str, str], ...]:
    """The `from=` and the `source=` of those `--mount`s of a RUN that have a `from=`, as written; all of it is `/`."""
    found = []
    for mount in instruction.flags_named("mount"):
        fields = (part.partition("=") for part in mount.split(","))
        options = {key.strip(' "').lower(): dequote(value.strip('"')) for key, _, value in fields}
        if "from" in options:
            found.append((options["from"], options.get("source", options.get("src", "/"))))
    return tuple(found)


def is_root(user: str) -> bool:
    """Whether a USER, with its group or without, is root; '' is nobody's choice, which is root on Python's images."""
    return user.partition(":")[0] in ("", "root", "0")


def _uses(word: str, name: str) -> bool:
    """Whether `word` refers to the variable `name`."""
    lexer = Lexer(word, keep_unset=True)
    lexer.run()
    return name in lexer.missing
