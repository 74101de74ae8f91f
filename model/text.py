"""Spans of text and the edits that replace them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class Span(Struct, frozen=True, order=True):
    """A half-open range `[start, end)` of character offsets into one file's text.

    Text is decoded as UTF-8 with `surrogateescape` and newlines kept, so that encoding it again gives
    the file's bytes back; offsets are therefore exact for every input.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, text: str) -> str:
        """The part of `text` that the span covers."""
        return text[self.start : self.end]

    def covers(self, other: Span) -> bool:
        """Whether `other` lies within this span."""
        return self.start <= other.start and other.end <= self.end


class Edit(Struct, frozen=True, order=True):
    """Replace what `span` covers with `replacement`; an empty span inserts."""

    span: Span
    replacement: str


class OverlappingEdits(ValueError):
    """Two edits of one file touch the same characters."""


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with all `edits` made; what they do not cover is unchanged, character for character.

    Insertions at one offset keep the order in which they were given.

    Raises:
        OverlappingEdits: two replaced spans overlap.
        ValueError: a span ends behind the text.
    """
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end)):
        if edit.span.end > len(text):
            raise ValueError(f"edit ends at {edit.span.end}, the text at {len(text)}")
        if edit.span.start < position:
            raise OverlappingEdits(f"two edits touch character {edit.span.start}")
        pieces += [text[position : edit.span.start], edit.replacement]
        position = edit.span.end
    pieces.append(text[position:])
    return "".join(pieces)


def decode(raw: bytes) -> str:
    """A file's bytes as text that `encode` turns back into the same bytes."""
    return raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes of text that came from `decode`, or was edited since."""
    return text.encode("utf-8", "surrogateescape")
