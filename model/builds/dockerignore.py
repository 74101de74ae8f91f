"""What a .dockerignore keeps out of the build context.

Source: the rules of the Dockerfile reference: one pattern a line, `#` comments, `!` takes back, the last
pattern that matches decides, a pattern that matches a folder matches all below it.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from itertools import groupby
from pathlib import PurePosixPath

from phasewise.model.repo import RepoView, normalise


def ignore_file(view: RepoView, dockerfile: str, context: str) -> str:
    """The path of the file whose patterns a build of `dockerfile` in `context` obeys, whether it is there or not.

    Source: BuildKit's `X.Dockerfile.dockerignore` replaces `.dockerignore`; the two are never read together.
    """
    own = f"{dockerfile}.dockerignore"
    return own if own in view.paths else normalise(f"{context}/.dockerignore")


def is_ignored(text: str, path: str) -> bool:
    """Whether the patterns in `text` keep `path`, relative to the build context, out of it."""
    ignored = False
    parents = [path, *(str(folder) for folder in PurePosixPath(path).parents if str(folder) != ".")]
    for negated, expression in _patterns(text):
        if any(expression.fullmatch(each) for each in parents):
            ignored = not negated
    return ignored


def taken_back(text: str) -> tuple[str, ...]:
    """The patterns behind `!`: what must come in although an earlier pattern keeps it out."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines() if not line.startswith("#"))
    return tuple(posixpath.normpath(line[1:].strip().lstrip("/")) for line in lines if line.startswith("!"))


def with_lines(text: str, lines: tuple[str, ...]) -> str:
    """The patterns with `lines` behind them, after a blank line, in the file's own line ends."""
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if text and not text.endswith("\n") else ""
    gap += newline if text.strip() else ""
    return text + gap + "".join(f"{line}{newline}" for line in lines)


def with_exception(text: str, path: str) -> str:
    """The patterns with `path` taken back at the end, in the file's own line ends."""
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if text and not text.endswith("\n") else ""
    return f"{text}{gap}!{path}{newline}"


@lru_cache(maxsize=512)
def _patterns(text: str) -> tuple[tuple[bool, re.Pattern[str]], ...]:
    """The patterns with whether they take back; those of one kind that follow each other are one expression."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines() if not line.startswith("#"))
    runs = groupby((line for line in lines if line), key=lambda line: line.startswith("!"))
    return tuple((negated, re.compile("|".join(map(_expression, run)))) for negated, run in runs)


def _expression(line: str) -> str:
    pattern = posixpath.normpath(line.removeprefix("!").strip().lstrip("/"))
    parts = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            position += 3
        elif rest.startswith("**"):
            parts.append(".*")
            position += 2
        elif bracket := re.match(r"\[[^\]]+\]", rest):
            parts.append(_class(bracket[0].replace("[!", "[^")))
            position += bracket.end()
        elif rest[0] == "\\" and len(rest) > 1:
            parts.append(re.escape(rest[1]))
            position += 2
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])))
            position += 1
    return "".join(parts)


def _class(written: str) -> str:
    """A class of characters; one that makes no sense, as `[z-a]`, stands for itself."""
    try:
        re.compile(written)
    except re.error:
        return re.escape(written)
    return written
