"""An instruction's flags and arguments, split as BuildKit's `parser` package splits them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from phasewise.model.syntax.instruction import Flag, Word
from phasewise.model.syntax.joined import Joined
from phasewise.model.syntax.lexer import SPACE, dequote
from phasewise.model.syntax.masking import GAP

JSON_FORMS = {"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"}
PAIRS = {"ARG", "ENV", "LABEL"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BLANK = re.compile(rf"[{SPACE}]*")


def split_flags(line: Joined) -> tuple[tuple[Flag, ...], Joined]:
    """The `--flags` at the front of the arguments, and the rest without the space around it.

    Source: BuildKit's extractBuilderFlags; `--` alone ends the flags and belongs to the rest.
    """
    flags: list[Flag] = []
    text, position = line.value, _skip(line.value, 0)
    while text.startswith("--", position):
        value, end = _flag_word(text, position)
        if value == "--":
            if end < len(text):
                position = _skip(text, end)
            break
        name, _, argument = value[2:].partition("=")
        flags.append(Flag(name, argument, line.span(position, end)))
        position = _skip(text, end)
    stop = len(text.rstrip(SPACE))
    return tuple(flags), line.part(min(position, stop), stop)


def _flag_word(text: str, position: int) -> tuple[str, int]:
    """The word at `position` without quotes and escapes, and where it ends."""
    word: list[str] = []
    quote = ""
    while position < len(text) and (quote or text[position] not in SPACE):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            position += 1
            word.append(text[position])
        elif quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char != "\\":
            word.append(char)
        position += 1
    return "".join(word), position


def split_words(keyword: str, joined: Joined, escape: str) -> tuple[Word, ...]:
    """The arguments of `keyword` as words with spans; quotes are part of the span, not of the value."""
    if keyword == "HEALTHCHECK":
        head, rest = _first_word(joined)
        return (*head, *split_words("CMD", rest, escape)) if head and head[0].value.upper() == "CMD" else head
    strings = json_words(joined) if keyword in JSON_FORMS else None
    if strings is not None:
        return strings
    if keyword in ("COPY", "ADD", "EXPOSE", "FROM", "VOLUME"):
        pieces = _at_gaps(joined.value)
    elif keyword in ("USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"):
        pieces = iter([(0, len(joined.value))] if joined.value else [])
    else:
        pieces = iter(_pairs(joined.value, escape) if keyword in PAIRS else _quoted(joined.value, escape))
    return tuple(Word(dequote(joined.value[s:e], escape), joined.span(s, e)) for s, e in pieces)


def json_words(joined: Joined) -> tuple[Word, ...] | None:
    """The strings of a JSON array with their spans; None where the arguments are no JSON array of strings.

    What follows the array is ignored, as BuildKit's decoder ignores it.

    Raises:
        TypeError: a JSON array that holds something else than strings, which the builder refuses.
    """
    start = _skip(joined.value, 0)
    if not joined.value.startswith("[", start):
        return None
    try:
        values, end = json.JSONDecoder().raw_decode(joined.value, start)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values):
        raise TypeError("a JSON array must hold only strings")
    found = _STRING.finditer(joined.value, start, end)
    return tuple(Word(v, joined.span(*m.span())) for v, m in zip(values, found, strict=True))


def key_values(value: str, escape: str) -> tuple[tuple[str, str | None], ...]:
    """The `KEY=value` pairs of ENV, ARG or LABEL, values as written; None for an ARG without default."""
    pairs = [value[start:end] for start, end in _pairs(value, escape)]
    if pairs and "=" not in pairs[0]:
        legacy = GAP.split(value, maxsplit=1)
        if len(legacy) == 2 and len(pairs) == 2 and pairs[1] == legacy[1]:
            return ((legacy[0], legacy[1]),)
    split = (pair.partition("=") for pair in pairs)
    return tuple((dequote(key, escape), written if equals else None) for key, equals, written in split)


def _first_word(joined: Joined) -> tuple[tuple[Word, ...], Joined]:
    start = _skip(joined.value, 0)
    gap = GAP.search(joined.value, start)
    end = gap.start() if gap else len(joined.value)
    after = gap.end() if gap else end
    words = (Word(joined.value[start:end], joined.span(start, end)),) if end > start else ()
    return words, joined.part(after, len(joined.value))


def _at_gaps(value: str) -> Iterator[tuple[int, int]]:
    position = 0
    for gap in GAP.finditer(value):
        if gap.start() > position:
            yield position, gap.start()
        position = gap.end()
    if position < len(value):
        yield position, len(value)


def _pairs(value: str, escape: str) -> list[tuple[int, int]]:
    """Words that respect quotes; for the legacy `ENV KEY the rest` the key and the rest."""
    words = list(_quoted(value, escape))
    if len(words) > 1 and "=" not in value[slice(*words[0])]:
        gap = GAP.search(value, words[0][0])
        if gap:
            return [(words[0][0], gap.start()), (gap.end(), len(value))]
    return words


def _quoted(value: str, escape: str) -> Iterator[tuple[int, int]]:
    """Where the words are that BuildKit's parseWords finds."""
    position = _skip(value, 0)
    while position < len(value):
        start, quote = position, ""
        while position < len(value) and (quote or value[position] not in SPACE):
            char = value[position]
            if char == escape and quote != "'":
                position += 1
            elif char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            position += 1
        position = min(position, len(value))
        yield start, position
        position = _skip(value, position)


def _skip(value: str, position: int) -> int:
    """The offset of the next character that is no space."""
    match = _BLANK.match(value, position)
    return match.end() if match else position
