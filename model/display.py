"""Text from a repository as harmless text: whatever could act on a terminal or hide in it becomes visible signs."""

from __future__ import annotations

import re

_TAB_CELLS = 4
_COLOUR = re.compile(r"\x1b\[[0-9;:]*[mK]")
"""Colours, and erasing to the end of a line: what a log says stays the same without them."""


def _signs() -> dict[int, str]:
    """What stands for each character that could move the cursor, turn text around or hide in it."""
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
    table[0x7F] = "\N{SYMBOL FOR DELETE}"
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
    tags = [*range(0xE0000, 0xE0080), *range(0xE0100, 0xE01F0)]
    return table | {code: f"⟨U+{code:04X}⟩" for code in (*hidden, *other_surrogates, *tags)}


_SIGNS = _signs()


def visible(text: str) -> str:
    """`text` with every control, bidirectional and invisible character shown as a sign; newlines stay.

    Escape reads `␛`, a bidirectional override `⟨U+202E⟩`; tabs become spaces. Bytes that were not UTF-8
    (lone surrogates) read `\\xff`, so that any terminal can print them.
    """
    return text.translate(_SIGNS).expandtabs(_TAB_CELLS)


def one_line(text: str) -> str:
    """The same on a single line: newlines become a sign too."""
    return visible(text).replace("\n", "\N{SYMBOL FOR NEWLINE}")


def log_line(text: str) -> str:
    """A line of a build log: without its line ending and its colours, everything else made visible."""
    return one_line(_COLOUR.sub("", text.rstrip("\r\n")))
