"""Divides the comment above an instruction between the two that come of it."""

from __future__ import annotations

import re
from collections.abc import Collection

_BUILDING = re.compile(r"compil|\bbuild|header|toolchain|wheel|from source", re.I)
_NEW_THOUGHT = re.compile(r"#\s*([A-Z-]|\S+(, \S+)*:|$)")


def divide(
    lines: Collection[str], staying: Collection[str], moving: Collection[str]
) -> tuple[list[str], list[str]]:
    """The comment lines that stay, and those that move on, by the names that they mention.

    A thought that runs over several lines is not torn apart. One that mentions nothing goes where building
    is spoken of, else it stays; with nothing left to speak of, everything moves.
    """
    stays: list[str] = []
    moves: list[str] = []
    for thought in _thoughts(lines):
        text = "\n".join(thought)
        about_staying = any(_mentions(text, name) for name in staying)
        about_moving = any(_mentions(text, name) for name in moving) or (
            not about_staying and bool(_BUILDING.search(text))
        )
        if staying and (about_staying or not about_moving):
            stays += thought
        if about_moving or not staying:
            moves += thought
    return stays, moves


def _thoughts(lines: Collection[str]) -> list[list[str]]:
    thoughts: list[list[str]] = []
    for line in lines:
        ended = not thoughts or thoughts[-1][-1].rstrip().endswith(".")
        if ended or _NEW_THOUGHT.match(line.lstrip()):
            thoughts.append([line])
        else:
            thoughts[-1].append(line)
    return thoughts


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w+-]){re.escape(name)}(?![\w+-])", text) is not None
