"""What a .dockerignore keeps out of the build context.

Source: the rules of the Dockerfile reference: one pattern a line, `#` comments, `!` takes back, the last
pattern that matches decides, a pattern that matches a folder matches all below it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePosixPath


def is_ignored(text: str, path: str) -> bool:
    """Whether the patterns in `text` keep `path`, relative to the build context, out of it."""
    ignored = False
    parents = [path, *(str(folder) for folder in PurePosixPath(path).parents if str(folder) != ".")]
    for line in text.lstrip("\ufeff").splitlines():
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        negated = pattern.startswith("!")
        expression = _expression(posixpath.normpath(pattern.removeprefix("!").strip().lstrip("/")))
        if any(expression.fullmatch(each) for each in parents):
            ignored = not negated
    return ignored


def with_exception(text: str, path: str) -> str:
    """The patterns with `path` taken back at the end, in the file's own line ends."""
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if text and not text.endswith("\n") else ""
    return f"{text}{gap}!{path}{newline}"


def _expression(pattern: str) -> re.Pattern[str]:
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
            parts.append(bracket[0].replace("[!", "[^"))
            position += bracket.end()
        elif rest[0] == "\\" and len(rest) > 1:
            parts.append(re.escape(rest[1]))
            position += 2
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])))
            position += 1
    return re.compile("".join(parts))
