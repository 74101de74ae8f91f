"""The only way for foreign text onto the screen: never parsed as markup, control sequences visible."""

from __future__ import annotations

import re

from textual.content import Content

_TAB_CELLS = 4
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
"""Colours only; the one kind of sequence that can be dropped from a log without changing what it says."""


def _pictures() -> dict[int, str]:
    """What stands for each character that could move the cursor, turn text around or hide in it."""
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
    table[0x7F] = "␡"
    table |= {code: f"\\x{code:02x}" for code in range(0x80, 0xA0)}
    table |= {code: f"\\x{code - 0xDC00:02x}" for code in range(0xDC80, 0xDD00)}
    hidden = [
        0x00AD,
        0x061C,
        0x180E,
        0xFEFF,
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
    ]
    other_surrogates = [code for code in range(0xD800, 0xE000) if code not in table]
    tags = range(0xE0000, 0xE0080)
    return table | {code: f"⟨U+{code:04X}⟩" for code in (*hidden, *other_surrogates, *tags)}


_PICTURES = _pictures()


def visible(text: str) -> str:
    """`text` with every control, bidirectional and invisible character shown as a symbol; newlines stay.

    Tabs become spaces. Bytes that were not UTF-8 (lone surrogates) read `\\xff`, so that any terminal can
    print them.
    """
    return text.translate(_PICTURES).expandtabs(_TAB_CELLS)


def one_line(text: str) -> str:
    """The same on a single line: newlines become a symbol too."""
    return visible(text).replace("\n", "␤")


def log_line(text: str) -> str:
    """A line of a build log: without its line ending and its colours, everything else made visible."""
    return one_line(_SGR.sub("", text.rstrip("\r\n")))


def plain(text: str, style: str = "") -> Content:
    """`text` from outside as content of one style; the text is never parsed."""
    return Content.styled(visible(text), style) if style else Content(visible(text))


def own(*parts: str | tuple[str, str]) -> Content:
    """Content from texts and (text, style) pairs, none of it parsed as markup, all of it made visible."""
    return Content.assemble(
        *(visible(part) if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts)
    )


def fit(content: Content, cells: int) -> Content:
    """`content` on exactly `cells` cells: cut with an ellipsis, or padded."""
    return content.truncate(max(cells, 0), ellipsis=True, pad=True)


def ends(left: Content, right: Content, cells: int) -> Content:
    """`left` and `right` at the two ends of a line; where both do not fit, `left` is cut."""
    room = cells - right.cell_length
    if right.cell_length == 0:
        return fit(left, cells)
    return fit(left, max(room - 1, 0)) + Content(" ") + right if room > 1 else fit(right, cells)


def wrapped(content: Content, cells: int, indent: int = 0) -> list[Content]:
    """`content` over as many lines as it takes, word by word, each behind `indent` spaces."""
    margin = Content(" " * indent)
    width = max(cells - indent, 10)
    return [margin + line for line in content.wrap(width)] or [Content("")]


def folded(content: Content, cells: int) -> list[Content]:
    """`content` over as many lines as it takes, broken wherever the line is full, as a terminal does."""
    if content.cell_length <= cells:
        return [content]
    return content.fold(max(cells, 1))
