"""A string put together from pieces of a text, which knows where each of its characters stands there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from msgspec import Struct

from phasewise.model.text import Span


class Joined(Struct, frozen=True):
    """The logical line that a builder or a shell reads, made of spans of the file's text."""

    value: str = ""
    pieces: tuple[tuple[int, int], ...] = ((0, 0),)
    """(offset in `value`, offset in the text) of each piece; the first is for offset 0."""

    @classmethod
    def of(cls, text: str, spans: Iterable[Span]) -> Joined:
        """The parts of `text` that `spans` cover, one after another."""
        parts: list[str] = []
        pieces: list[tuple[int, int]] = []
        length = 0
        for span in spans:
            if len(span) or not pieces:
                pieces = pieces if not pieces or pieces[-1][0] < length else pieces[:-1]
                pieces.append((length, span.start))
                parts.append(span.of(text))
                length += len(span)
        return cls("".join(parts), tuple(pieces) or ((0, 0),))

    def place(self, offset: int) -> int:
        """Where in the text the character at `offset` of `value` stands."""
        start, origin = self.pieces[bisect_right(self.pieces, (offset, float("inf"))) - 1]
        return origin + offset - start

    def span(self, start: int, end: int) -> Span:
        """The span of the text that holds `value[start:end]`, from its first to its last character."""
        first = self.place(start)
        return Span(first, self.place(end - 1) + 1) if end > start else Span(first, first)

    def part(self, start: int, end: int) -> Joined:
        """`value[start:end]` with its places."""
        inner = [(at - start, origin) for at, origin in self.pieces if start < at < end]
        return Joined(self.value[start:end], ((0, self.place(start)), *inner))
