"""Words as BuildKit's own lexer reads them: quotes, escapes and variables.

Follows `frontend/dockerfile/shell/lex.go` of BuildKit, which decides what a heredoc is, what ENV stores
and what a variable becomes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's unicode.IsSpace accepts; Python's str.isspace also takes \\x1c-\\x1f."""
SPECIAL = "@*#?-$!0"
_SPACES = re.compile(rf"([{SPACE}]+)")
_PLAIN = re.compile(r"""[^$'"\\`}]+""")
"""No quote, variable or end of one, and neither of the characters that can be the escape."""


class LexError(ValueError):
    """A word with an unclosed quote or brace, or a substitution that Docker does not know."""


class Lexer(Struct):
    """Reads one line."""

    text: str
    variables: Mapping[str, str] = field(default_factory=dict)
    escape: str = "\\"
    raw: bool = False
    """Leave quotes and escapes in the result."""
    keep_unset: bool = False
    """Leave variables without a value as written."""
    defaults: bool = False
    """With `keep_unset`: still take the word of `${x:-word}`."""
    missing: set[str] = field(default_factory=set)
    """The variables that were asked for and have no value."""
    position: int = 0

    def run(self) -> tuple[str, list[str]]:
        """The processed text, and the words it splits into at unquoted space.

        Raises:
            LexError: it does not lex.
        """
        return self._until("", self.raw)

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _next(self) -> str:
        char = self._peek()
        self.position += len(char)
        return char

    def _until(self, stop: str, raw_escapes: bool) -> tuple[str, list[str]]:
        result: list[str] = []
        words = _Words()
        while char := self._peek():
            if char == stop:
                self._next()
                return "".join(result), words.done()
            if char == "$":
                part = self._dollar()
                words.split(part)
            elif char in "'\"":
                part = self._single() if char == "'" else self._double(raw_escapes)
                words.add(part)
            elif char == self.escape:
                self._next()
                part = (char if raw_escapes else "") + self._next()
                words.add(part)
            else:
                part = self._plain()
                words.split(part)
            result.append(part)
        if stop:
            raise LexError(f"missing {stop!r}")
        return "".join(result), words.done()

    def _plain(self) -> str:
        """The next characters that mean nothing but themselves, one at least."""
        plain = _PLAIN.match(self.text, self.position)
        if plain is None:
            return self._next()
        self.position = plain.end()
        return plain[0]

    def _single(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise LexError("missing closing single quote")
        part = self.text[self.position : end + 1]
        self.position = end + 1
        return part if self.raw else part[1:-1]

    def _double(self, raw_escapes: bool) -> str:
        quote = self._next()
        result = [quote] if self.raw else []
        while char := self._peek():
            if char == '"':
                self._next()
                return "".join([*result, quote] if self.raw else result)
            if char == "$":
                result.append(self._dollar())
                continue
            self._next()
            if char == self.escape:
                if raw_escapes:
                    result.append(char)
                follower = self._peek()
                if follower and follower in ('"', "$", self.escape):
                    char = self._next()
                elif raw_escapes or not follower:
                    continue
            result.append(char)
        raise LexError("missing closing double quote")

    def _name(self) -> str:
        start = self.position
        first = self._peek()
        if first.isdigit():
            while self._peek().isdigit():
                self._next()
        elif first and first in SPECIAL:
            self._next()
        else:
            while (char := self._peek()) and (char.isalpha() or char.isdecimal() or char == "_"):
                self._next()
        return self.text[start : self.position]

    def _dollar(self) -> str:
        start = self.position
        self._next()
        if self._peek() != "{":
            name = self._name()
            return self._value(name, f"${name}") if name else "$"
        self._next()
        if not self._peek() or self._peek() in "{}:":
            raise LexError("bad substitution")
        name = self._name()
        operator = self._next()
        if operator == "}":
            return self._value(name, self.text[start : self.position])
        return self._substitution(start, name, operator)

    def _substitution(self, start: int, name: str, operator: str) -> str:
        colon = operator == ":"
        if colon:
            operator = self._next()
        if not operator or operator not in ("+-?" if colon else "+-?#%/"):
            raise LexError(f"unsupported modifier in ${{{name}}}")
        word, _ = self._until("}", raw_escapes=operator in "#%/")
        value = self.variables.get(name)
        if value is None and self.keep_unset and not self.defaults:
            self.missing.add(name)
            return self.text[start : self.position]
        present = bool(value) if colon else value is not None
        if operator == "+":
            return word if present else ""
        if operator == "-":
            return value or "" if present else word
        if not present or operator != "?":
            self.missing.add(name)
            return self.text[start : self.position]
        return value or ""

    def _value(self, name: str, written: str) -> str:
        value = self.variables.get(name)
        if value is None:
            self.missing.add(name)
            return written if self.keep_unset else ""
        return value


class _Words:
    def __init__(self) -> None:
        self.words: list[str] = []
        self.word: list[str] = []
        self.inside = False

    def add(self, part: str) -> None:
        self.word.append(part)
        self.inside = True

    def split(self, part: str) -> None:
        for piece in _SPACES.split(part):
            if piece and piece[0] not in SPACE:
                self.add(piece)
            elif piece and self.inside and any(self.word):
                self.done()

    def done(self) -> list[str]:
        if self.inside and any(self.word):
            self.words.append("".join(self.word))
        self.word, self.inside = [], False
        return self.words


def dequote(word: str, escape: str = "\\") -> str:
    """`word` without quotes and escapes, variables as written; unchanged where it does not lex."""
    try:
        return Lexer(word, escape=escape, keep_unset=True).run()[0]
    except LexError:
        return word
