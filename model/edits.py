"""Edits that several rules make: take a whole instruction out, drop a word, insert lines."""

from __future__ import annotations

from collections.abc import Sequence

from phasewise.model.dockerfile import Dockerfile, Instruction, Word
from phasewise.model.text import Edit, Span


def drop_instruction(dockerfile: Dockerfile, instruction: Instruction) -> Edit:
    """Takes out an instruction, the comment lines that stand directly above it, and one blank line that
    would double the one before."""
    text, span = dockerfile.text, dockerfile.lines(instruction)
    blank_before = span.start == 0 or text[: span.start].endswith(("\n\n", "\n\r\n"))
    following = text[span.end :]
    blank_after = next((blank for blank in ("\n", "\r\n") if following.startswith(blank)), "")
    return Edit(Span(span.start, span.end + len(blank_after) if blank_before else span.end), "")


def drop_word(text: str, word: Span) -> Edit:
    """Takes out one word of a line, with the blanks in front of it; at a line's start, with those behind it."""
    start, end = word.start, word.end
    while start and text[start - 1] in " \t":
        start -= 1
    if start == 0 or text[start - 1] == "\n":
        start = word.start
        while end < len(text) and text[end] in " \t":
            end += 1
    return Edit(Span(start, end), "")


def drop_pair(words: Sequence[Word], word: Word) -> Edit:
    """Takes one of several `NAME=value` words out of an instruction, with the continuation next to it."""
    index = words.index(word)
    if index + 1 < len(words):
        return Edit(Span(word.span.start, words[index + 1].span.start), "")
    return Edit(Span(words[index - 1].span.end, word.span.end), "")


def insert_after(dockerfile: Dockerfile, instruction: Instruction, lines: str) -> Edit:
    """Puts `lines`, each with its newline, behind an instruction; the file's line ending is used."""
    end = dockerfile.lines(instruction).end
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    missing = "" if dockerfile.text[:end].endswith("\n") else newline
    return Edit(Span(end, end), missing + lines.replace("\n", newline))


def insert_paragraph(dockerfile: Dockerfile, instruction: Instruction, lines: str) -> Edit:
    """`insert_after` with a blank line in front, and one behind where none stands there."""
    place = insert_after(dockerfile, instruction, f"\n{lines}")
    if dockerfile.text[place.span.end :].startswith(("\n", "\r\n")):
        return place
    return insert_after(dockerfile, instruction, f"\n{lines}\n")
