"""A rule's page, which comes as Markdown, as lines for reading in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from textual.content import Content

from phasewise.tui import text

_FENCE = re.compile(r"`{3,}")
_HEADING = re.compile(r"#{1,3} ")
_BULLET = re.compile(r" *- ")
_ESCAPED = re.compile(r"\\([\\`*<>\[\]_])")
_DIFF = {"+++": "dim", "---": "dim", "@@": "dim", "+": "$text-success", "-": "$text-error"}
_MARGIN = Content("  ")


def lines(page: str, cells: int) -> list[Content]:
    """The page on lines of `cells`: headings, paragraphs and bullets wrapped, diffs coloured.

    Only what `phasewise.rules.page` writes is understood; anything else is shown as it stands.
    """
    result: list[Content] = []
    for block in _blocks(page):
        result += [*_drawn(block, cells), Content("")]
    return result[:-1]


def _blocks(page: str) -> Iterator[list[str]]:
    """The lines between blank ones; a fenced block is one, with its fence and its blank lines."""
    block: list[str] = []
    fence = ""
    for line in page.rstrip("\n").split("\n"):
        begins = _FENCE.match(line)
        if not fence and begins:
            fence = begins[0]
        elif fence and line == fence:
            fence = ""
        if line or fence:
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _drawn(block: list[str], cells: int) -> list[Content]:
    first = block[0]
    if _FENCE.match(first):
        return [_MARGIN + piece for line in block[1:-1] for piece in text.folded(_code(line), cells - 2)]
    if heading := _HEADING.match(first):
        style = "bold $text-accent" if len(heading[0]) < 4 else "bold"
        return text.wrapped(text.plain(_unescaped(first[heading.end() :]), style), cells)
    if _BULLET.match(first):
        return [piece for line in block for piece in _bullet(line, cells)]
    return text.wrapped(_prose(" ".join(block)), cells)


def _bullet(line: str, cells: int) -> list[Content]:
    """One bullet, its further lines below its first word."""
    mark = _BULLET.match(line)
    if mark is None:
        return text.wrapped(_prose(line), cells)
    body = text.wrapped(_prose(line[mark.end() :]), cells, mark.end())
    return [Content.styled(mark[0], "dim") + body[0][mark.end() :], *body[1:]]


def _prose(said: str) -> Content:
    """A paragraph whose code spans are coloured instead of quoted."""
    parts = said.split("`")
    if len(parts) % 2 == 0:
        return text.plain(_unescaped(said))
    return text.own(
        *((part, "$text-primary") if at % 2 else _unescaped(part) for at, part in enumerate(parts))
    )


def _code(line: str) -> Content:
    style = next((style for start, style in _DIFF.items() if line.startswith(start)), "")
    return text.plain(line, style)


def _unescaped(said: str) -> str:
    return _ESCAPED.sub(r"\1", said)
