"""Physical lines to logical lines: continuations, comments, directives and heredocs.

dockerfile-parse takes heredoc bodies for instructions and lets a blank line end a continuation. The scan
here follows BuildKit's `parser.Parse`, and `masked` gives dockerfile-parse a text with the same line
numbers in which nothing is left that it mis-reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from phasewise.model.syntax.instruction import Comment, DockerfileError, Heredoc
from phasewise.model.syntax.joined import Joined
from phasewise.model.syntax.lexer import SPACE, Lexer, LexError
from phasewise.model.text import Span

DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*", re.ASCII)
HEREDOC = re.compile(r"(\d*)<<(-?)([^<]+)", re.ASCII)
GAP = re.compile(r"[\t\v\f\r ]+")
"""What separates a keyword from its arguments, and the words of COPY."""
HOLDS_HEREDOC = {"ADD", "COPY", "RUN"}


class Line(Struct, frozen=True):
    """One physical line; lines end at `\\n` only, as they do for BuildKit."""

    number: int
    span: Span
    """Without the newline and the `\\r` before it."""
    end: int
    """Behind the newline."""


class Block(Struct, frozen=True):
    """The physical lines of one instruction."""

    line: int
    end_line: int
    span: Span
    content_end: int
    """Where the last continuation line ends; heredoc bodies come behind it."""
    joined: Joined
    """Keyword, flags and arguments on one line."""
    heredocs: tuple[Heredoc, ...]
    masked: tuple[str, ...]
    """One line for each physical line."""


class Scan:
    """A Dockerfile's lines, sorted into what they are."""

    directives: Mapping[str, str]
    comments: list[Comment]
    blocks: list[Block]
    masked: str
    """The text for dockerfile-parse, line for line."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.comments, self.blocks = [], []
        self._lines = list(physical_lines(text))
        at = self._read_directives()
        masked = ["\n"] * at
        while at < len(self._lines):
            line = self._lines[at]
            content = line.span.of(self.text).lstrip(SPACE)
            if content and not content.startswith("#"):
                block = self._block(at)
                self.blocks.append(block)
                masked += block.masked
                at += len(block.masked)
                continue
            if content:
                start = line.span.end - len(content)
                self.comments.append(
                    Comment(content[1:].strip(SPACE), Span(start, line.span.end), line.number)
                )
            masked.append("\n")
            at += 1
        self.masked = "".join(masked)

    @property
    def escape(self) -> str:
        """The character that continues a line."""
        return self.directives.get("escape", "\\")

    def _read_directives(self) -> int:
        """Reads the parser directives at the very top; how many lines they take."""
        found: dict[str, str] = {}
        for line in self._lines:
            match = DIRECTIVE.fullmatch(line.span.of(self.text).lstrip(SPACE))
            name = match[1].lower() if match else ""
            if not match or name not in ("syntax", "escape", "check"):
                break
            if name in found:
                raise DockerfileError(self.path, line.number, f"the directive {name} is given twice")
            if name == "escape" and match[2] not in ("\\", "`"):
                raise DockerfileError(self.path, line.number, f"escape can be \\ or `, not {match[2]}")
            found[name] = match[2]
        self.directives = found
        return len(found)

    def _block(self, at: int) -> Block:
        """The instruction that begins on the line with index `at`."""
        first = self._lines[at]
        content = first.span.of(self.text)
        start = first.span.end - len(content.lstrip(SPACE))
        pieces: list[Span] = []
        masked: list[str] = []
        continues, end = True, at
        for end in range(at, len(self._lines)):
            span = self._lines[end].span if end > at else Span(start, first.span.end)
            stripped = span.of(self.text).lstrip(SPACE)
            if end > at and (not stripped or stripped.startswith("#")):
                masked.append("#\n")
                continue
            piece, continues = self._without_continuation(span)
            pieces.append(piece)
            masked.append(_masked_line(piece.of(self.text), continues))
            if not continues:
                break
        line = Joined.of(self.text, pieces)
        joined = line.part(len(line.value) - len(line.value.lstrip(SPACE)), len(line.value))
        content_end = self._lines[end].span.end
        if continues:
            last = max(index for index, line in enumerate(masked) if line != "#\n")
            masked[last] = _masked_line(pieces[-1].of(self.text), continues=False)
        heredocs, after = self._heredocs(joined.value, first.number, end + 1)
        masked[0] = _masked_first(masked[0], joined.value)
        masked += ["#\n"] * (after - end - 1)
        span = Span(start, self._lines[after - 1].span.end)
        return Block(first.number, after, span, content_end, joined, heredocs, tuple(masked))

    def _without_continuation(self, span: Span) -> tuple[Span, bool]:
        """The line without its continuation character, and whether it has one."""
        content = span.of(self.text).rstrip(" \t")
        if content.endswith(self.escape) and content[-2:-1] != self.escape:
            return Span(span.start, span.start + len(content) - 1), True
        return span, False

    def _heredocs(self, joined: str, number: int, at: int) -> tuple[tuple[Heredoc, ...], int]:
        """The heredocs that the logical line opens, from line index `at`; and the index behind them."""
        found: list[Heredoc] = []
        for opener in openers(joined):
            body_start = at
            while at < len(self._lines):
                content = self._lines[at].span.of(self.text)
                at += 1
                if (content.lstrip("\t") if opener.chomps else content) == opener.delimiter:
                    break
            else:
                raise DockerfileError(self.path, number, f"the heredoc <<{opener.delimiter} never ends")
            start, end = self._lines[body_start].span.start, self._lines[at - 1]
            body, span = Span(start, end.span.start), Span(start, end.end)
            found.append(Heredoc(opener.delimiter, opener.expands, body, span, opener.chomps))
        return tuple(found), at


class Opener(Struct, frozen=True):
    """`<<EOF` as it stands on a line."""

    delimiter: str
    expands: bool
    chomps: bool
    span: Span
    """Where it stands in the logical line."""


def openers(line: str) -> tuple[Opener, ...]:
    """The heredocs that a logical line opens; none where it does not lex or is no RUN, COPY or ADD."""
    keyword, arguments = split_keyword(line)
    if keyword == "ONBUILD":
        keyword, arguments = split_keyword(arguments)
    if keyword not in HOLDS_HEREDOC or "<<" not in line:
        return ()
    try:
        words = Lexer(line, raw=True, keep_unset=True).run()[1]
    except LexError:
        return ()
    found: list[Opener] = []
    position = 0
    for word in words:
        position = line.find(word, position) if word in line[position:] else position
        opener = _opener(word, Span(position, position + len(word)))
        if opener:
            found.append(opener)
        position += len(word)
    return tuple(found)


def _opener(word: str, span: Span) -> Opener | None:
    match = HEREDOC.fullmatch(word)
    if not match:
        return None
    try:
        plain = Lexer(match[3], keep_unset=True).run()[1]
        raw = Lexer(match[3], raw=True, keep_unset=True).run()[1]
    except LexError:
        return None
    return Opener(plain[0], plain == raw, bool(match[2]), span) if len(plain) == 1 else None


def split_keyword(line: str) -> tuple[str, str]:
    """A logical line's keyword in upper case, and what follows."""
    parts = GAP.split(line.strip(SPACE), maxsplit=1)
    return parts[0].upper(), parts[1] if len(parts) == 2 else ""


def physical_lines(text: str) -> Iterator[Line]:
    """The lines of `text`; a byte order mark belongs to none."""
    position = 1 if text.startswith("\ufeff") else 0
    number = 0
    while position < len(text):
        number += 1
        newline = text.find("\n", position)
        end = newline if newline >= 0 else len(text)
        content = text[position:end].rstrip("\r")
        yield Line(number, Span(position, position + len(content)), end + 1 if newline >= 0 else end)
        position = end + 1


def _masked_line(content: str, continues: bool) -> str:
    """The line with a continuation that dockerfile-parse reads as BuildKit reads the original."""
    if continues:
        return content.rstrip(SPACE + "\\") + " \\\n"
    return content + (" .\n" if content.rstrip().endswith("\\") else "\n")


def _masked_first(masked: str, joined: str) -> str:
    """The first line with the whole keyword on it, which a continuation may have cut."""
    keyword = split_keyword(joined)[0]
    if re.match(re.escape(keyword) + r"\s", masked, re.IGNORECASE):
        return masked
    return f"{keyword} \\\n" if masked.endswith("\\\n") else f"{keyword}\n"
