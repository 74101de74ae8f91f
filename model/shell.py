"""The commands inside a RUN, with exact spans, from tree-sitter-bash."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from msgspec import Struct, field

from phasewise.model.dockerfile import Dockerfile, Instruction, Word
from phasewise.model.syntax.joined import Joined
from phasewise.model.syntax.masking import Opener, openers
from phasewise.model.syntax.pruning import Pruner
from phasewise.model.syntax.shell_nodes import Chain, Compound, Kind, Negated, Role, Sequence, Simple, Tree
from phasewise.model.syntax.shell_tree import Unsupported, parse
from phasewise.model.text import Edit, Span

_SHELLS = {"sh", "bash", "dash", "ash"}
_OTHER_INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|php|lua|Rscript|pwsh)[\d.]*")
_STDIN_OPTIONS = re.compile(r"([-+][abefhlmnpsuvx]*(o \w+)? ?)*")
"""Options of a shell that reads its script from standard input: none is `-c`, and no file is named."""
_SHEBANG = re.compile(r"#![ \t]*(\S+)(?:[ \t]+(\S+))?")


class Command(Struct, frozen=True):
    """A simple command, `FOO=1 pip install x 2>/dev/null`. Spans are offsets into the Dockerfile's text."""

    span: Span
    """From the first assignment or word to the last word or redirect."""
    words: tuple[Word, ...]
    """The command's name and arguments: quotes removed, variables as written."""
    assignments: tuple[tuple[str, str], ...]
    redirects: tuple[str, ...]
    """As written: `2>/dev/null`."""
    failure_ignored: bool
    """`|| true` or `|| :` stands behind it, or behind a list that holds it."""
    condition: bool = False
    """It is (part of) the condition of an if / while, not its body."""

    @property
    def name(self) -> str:
        """The last path component of the first word: `pip` for `/opt/venv/bin/pip`; '' for none."""
        return self.words[0].value.rpartition("/")[2] if self.words else ""

    @property
    def argv(self) -> tuple[str, ...]:
        """The words' values, name as written."""
        return tuple(word.value for word in self.words)


class Script(Struct, frozen=True):
    """What one RUN executes."""

    instruction: Instruction
    commands: tuple[Command, ...]
    """All simple commands in the order of the text, nested ones too."""
    text: str = ""
    """The Dockerfile's text."""
    source: Joined = field(default_factory=Joined)
    """What the shell reads, with its places in `text`."""
    tree: Sequence | None = None
    """Its structure; None for an exec form."""

    @classmethod
    def of(cls, dockerfile: Dockerfile, instruction: Instruction) -> Script | None:
        """The commands of a RUN in shell form or heredoc form; an exec form gives its one command.

        None where the stage's SHELL is not a POSIX shell, or the text does not parse: leave it alone.
        """
        if instruction.keyword != "RUN":
            return None
        known = dockerfile.memory
        if instruction.span not in known:
            known[instruction.span] = cls._of(dockerfile, instruction)
        script = known[instruction.span]
        assert script is None or isinstance(script, cls)
        return script

    @classmethod
    def _of(cls, dockerfile: Dockerfile, instruction: Instruction) -> Script | None:
        if instruction.exec_form is not None:
            words = dockerfile.words(instruction)
            command = Command(instruction.arguments, words, (), (), failure_ignored=False)
            return cls(instruction, (command,) if words else ())
        if not _is_posix(dockerfile.shell(instruction)):
            return None
        try:
            return cls._read(dockerfile.text, instruction)
        except Unsupported:
            return None

    @classmethod
    def _read(cls, text: str, instruction: Instruction) -> Script | None:
        line = instruction.joined
        heredocs = _openers(line.value)
        tree = parse(_without_bodies(line.value, heredocs))
        body = _body_of(instruction, tree, heredocs)
        if body is _NOT_POSIX:
            return None
        if body is not None:
            line = _body(text, instruction, body)
            tree = parse(line.value)
        commands = sorted(_commands(tree, line), key=lambda command: (command.span.start, -command.span.end))
        return cls(instruction, tuple(commands), text, line, tree)

    def without(self, commands: Collection[Command]) -> tuple[Edit, ...] | None:
        """The edits that take `commands` out and leave a correct script; None when nothing would be left.

        Takes the connector that belongs to each (`&&`, `;`, newline), its `|| true`, an `if` or group that
        would be empty, and the comment lines inside the RUN that stand directly above it. Nothing is left
        also when only `set`, `cd`, `echo` and tests would be.
        """
        if not commands:
            return ()
        if self.tree is None:
            return None
        spans = {command.span for command in commands}
        places = {
            simple.start for simple in _all(self.tree) if self.source.span(simple.start, simple.stop) in spans
        }
        edits = Pruner(self.text, self.source, places).prune(self.tree)
        return None if edits is None else (*edits, *self._orphaned_bodies(edits))

    def place_after(self, offset: int) -> int:
        """Where in the file the text ends that ends at `offset` of what the shell reads."""
        return self.source.place(offset - 1) + 1

    def certain(self, command: Command) -> bool:
        """Whether the command runs in every build that gets through the script.

        Not so in an if, a loop, a function, a pipeline, behind `||`, or behind a test and `&&`.
        """
        if self.tree is None:
            return True
        return any(self.source.span(s.start, s.stop) == command.span for s in _certain(self.tree))

    def _orphaned_bodies(self, edits: tuple[Edit, ...]) -> Iterator[Edit]:
        """The heredoc bodies whose `<<EOF` the edits take out."""
        if "\n" in self.source.value:
            return
        for opener, heredoc in zip(_openers(self.source.value), self.instruction.heredocs, strict=False):
            place = self.source.span(opener.span.start, opener.span.end)
            if any(edit.span.covers(place) for edit in edits):
                yield Edit(heredoc.span, "")


_NOT_POSIX = -1


def _is_posix(shell: tuple[str, ...]) -> bool:
    """Whether the SHELL is a POSIX shell that takes a script behind `-c`."""
    name = shell[0].rpartition("/")[2] if shell else ""
    return name in _SHELLS and re.fullmatch(r"-[a-zA-Z]*c", shell[-1]) is not None


def _openers(arguments: str) -> tuple[Opener, ...]:
    """The heredocs of a RUN's arguments, with spans in them."""
    shift = len("RUN ")
    return tuple(
        Opener(o.delimiter, o.expands, o.chomps, Span(o.span.start - shift, o.span.end - shift))
        for o in openers(f"RUN {arguments}")
    )


def _without_bodies(line: str, heredocs: tuple[Opener, ...]) -> str:
    """The line with `<< EOF` written as the plain redirect `<  EOF`, since the bodies are elsewhere."""
    for opener in heredocs:
        written = line[opener.span.start : opener.span.end]
        digits, _, name = written.partition("<<")
        dash = "-" if name.startswith("-") else ""
        plain = f"{digits}< {' ' if dash else ''}{name.removeprefix('-') if dash else name}"
        line = line[: opener.span.start] + plain + line[opener.span.end :]
    return line


def _body_of(instruction: Instruction, tree: Sequence, heredocs: tuple[Opener, ...]) -> int | None:
    """The index of the heredoc that is the script; None when the line is, -1 when no POSIX shell runs it."""
    if len(heredocs) != 1 or len(tree.items) != 1 or not isinstance(tree.items[0], Simple):
        return None
    command = tree.items[0]
    if not command.words and len(command.redirects) == 1 and instruction.value[:2] == "<<":
        return 0
    name = command.words[0].value.rpartition("/")[2] if command.words else ""
    if _OTHER_INTERPRETERS.fullmatch(name):
        return _NOT_POSIX
    options = [word.value for word in command.words[1:]]
    reads_stdin = all(option.startswith(("-", "+")) or option == "pipefail" for option in options)
    return (
        0 if name in _SHELLS and reads_stdin and not any("c" in o for o in options if o[:1] == "-") else None
    )


def _body(text: str, instruction: Instruction, index: int) -> Joined:
    """The heredoc's lines as the shell gets them.

    Raises:
        Unsupported: its shebang names another interpreter.
    """
    heredoc = instruction.heredocs[index]
    spans: list[Span] = []
    position = heredoc.body.start
    while position < heredoc.body.end:
        end = text.index("\n", position) + 1
        content = text[position:end]
        start = position + (len(content) - len(content.lstrip("\t")) if heredoc.chomps else 0)
        spans.append(Span(start, end))
        position = end
    joined = Joined.of(text, spans)
    shebang = _SHEBANG.match(joined.value)
    if shebang:
        program = shebang[2] if shebang[1].endswith("/env") and shebang[2] else shebang[1]
        if program.rpartition("/")[2] not in _SHELLS:
            raise Unsupported(f"the heredoc is run by {program}")
    return joined


def _all(tree: Tree) -> Iterator[Simple]:
    return (simple for simple, _, _ in _walk(tree, ignored=False, condition=False))


def _commands(tree: Tree, source: Joined) -> Iterator[Command]:
    for simple, ignored, condition in _walk(tree, ignored=False, condition=False):
        yield Command(
            span=source.span(simple.start, simple.stop),
            words=tuple(Word(word.value, source.span(word.start, word.end)) for word in simple.words),
            assignments=simple.assignments,
            redirects=tuple(redirect.value for redirect in simple.redirects),
            failure_ignored=ignored,
            condition=condition,
        )


def _walk(tree: Tree, *, ignored: bool, condition: bool) -> Iterator[tuple[Simple, bool, bool]]:
    """The simple commands with whether their failure is ignored and whether they are a condition."""
    match tree:
        case Simple():
            yield tree, ignored, condition
            for inside in tree.inner:
                yield from _walk(inside, ignored=ignored, condition=condition)
        case Negated():
            yield from _walk(tree.item, ignored=ignored, condition=condition)
        case Chain():
            for index, item in enumerate(tree.items):
                saved = any(
                    operator.value == "||" and _is_true(alternative)
                    for operator, alternative in zip(
                        tree.operators[index:], tree.items[index + 1 :], strict=True
                    )
                )
                yield from _walk(item, ignored=ignored or saved, condition=condition)
        case Compound():
            for inside in tree.inner:
                yield from _walk(inside, ignored=ignored, condition=condition)
            for part in tree.parts:
                tests = condition or part.role is Role.CONDITION
                yield from _walk(part.body, ignored=ignored, condition=tests)
        case _:
            for item in tree.items:
                yield from _walk(item, ignored=ignored, condition=condition)


def _certain(tree: Tree) -> Iterator[Simple]:
    match tree:
        case Simple():
            yield tree
        case Sequence():
            for item in tree.items:
                yield from _certain(item)
        case Chain():
            tested = False
            for item, operator in zip(
                tree.items, ("&&", *(operator.value for operator in tree.operators)), strict=True
            ):
                if operator == "&&" and not tested:
                    yield from _certain(item)
                tested = tested or (isinstance(item, Simple) and _is_test(item))
        case Compound(kind=Kind.GROUP):
            for part in tree.parts:
                yield from _certain(part.body)


def _is_test(simple: Simple) -> bool:
    words = [word.value for word in simple.words[:2]]
    return words[:1] in (["["], ["[["], ["test"]) or words == ["command", "-v"]


def _is_true(tree: Tree) -> bool:
    return isinstance(tree, Simple) and [word.value for word in tree.words] in (["true"], [":"])
