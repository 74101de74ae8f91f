"""What a Dockerfile consists of: stages, instructions and their parts, each with its span."""

from __future__ import annotations

from msgspec import Struct, field

from phasewise.model.syntax.joined import Joined
from phasewise.model.text import Span


class DockerfileError(ValueError):
    """A Dockerfile that cannot be understood; says where and what to do.

    The message reads `path:line: what is wrong`.
    """

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


class Flag(Struct, frozen=True):
    """`--name=value` of an instruction; the value is empty for a bare `--name`."""

    name: str
    value: str
    span: Span


class Word(Struct, frozen=True):
    """One argument of an instruction (a COPY source, an EXPOSE port), quotes removed from `value`."""

    value: str
    span: Span


class Heredoc(Struct, frozen=True):
    """`<<EOF` ... `EOF` of a RUN, COPY or ADD."""

    delimiter: str
    expands: bool
    """Whether variables in the body are expanded: the delimiter was not quoted."""
    body: Span
    """The lines between the opening line and the delimiter's."""
    span: Span
    """Body and closing delimiter line, its newline included where it has one."""
    chomps: bool = False
    """`<<-`: leading tabs of the body's lines are removed."""


class Comment(Struct, frozen=True):
    """A comment line of its own; the span runs from `#` and excludes the newline."""

    text: str
    """What stands behind the `#`, stripped."""
    span: Span
    line: int


class Instruction(Struct, frozen=True):
    """One instruction with everything that belongs to it.

    `span` runs from the keyword to the end of the last continuation or heredoc line, without the final
    newline. `arguments` is the part behind keyword and flags, up to the end of `span` (heredoc bodies
    excluded). `value` is that part as the builder sees it: continuations joined, comment lines inside
    removed, heredoc bodies excluded.
    """

    keyword: str
    """Upper case."""
    span: Span
    line: int
    """1-based line of the keyword."""
    end_line: int
    arguments: Span
    value: str
    flags: tuple[Flag, ...]
    heredocs: tuple[Heredoc, ...]
    stage: int | None
    """Index of the stage it stands in; None for ARGs before the first FROM."""
    comments: tuple[Comment, ...] = ()
    """The comment lines directly above it, without a blank line between."""
    exec_form: tuple[str, ...] | None = None
    """The JSON array's strings, where arguments are given so."""
    joined: Joined = field(default_factory=Joined)
    """`value`, with the place in the text of each of its characters."""

    def flag(self, name: str) -> str | None:
        """The value of `--name`, or None."""
        return next((flag.value for flag in self.flags if flag.name == name), None)

    def flags_named(self, name: str) -> tuple[str, ...]:
        """All values of `--name`, for flags that repeat, as `--mount` does."""
        return tuple(flag.value for flag in self.flags if flag.name == name)


class Stage(Struct, frozen=True):
    """One build stage."""

    index: int
    name: str | None
    """As written in `AS name`."""
    base: str
    """What FROM names, as written, variables included."""
    base_stage: int | None
    """Index of the earlier stage that FROM names; None for an image."""
    platform: str | None
    instructions: tuple[Instruction, ...]
    """FROM first."""

    @property
    def label(self) -> str:
        """The name, or the index as text."""
        return self.name or str(self.index)
