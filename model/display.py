"""Text from a repository as harmless text: control sequences and direction overrides become visible signs."""

from __future__ import annotations

import re

_CSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_DIRECTION = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str, tab_size: int = 4) -> str:
    """`text` with tabs expanded and every control character shown as its picture (`␛`), newlines kept.

    Bidirectional overrides, which can make code read differently from what it does, and undecodable
    bytes become `�`. Carriage returns before a newline are dropped.
    """
    return "\n".join(_line(line.removesuffix("\r").expandtabs(tab_size)) for line in text.split("\n"))


def plain_log(text: str) -> str:
    """One line of a build log: colours and cursor movements removed, then made visible.

    Of a progress bar that overwrites itself with carriage returns, the last state is kept.
    """
    return visible(_CSI.sub("", text).rstrip("\r\n").rpartition("\r")[2])


def _line(line: str) -> str:
    return "".join(map(_character, line))


def _character(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code < 0xA0 or character in _DIRECTION or 0xD800 <= code < 0xE000 or code in (0x2028, 0x2029):
        return "\N{REPLACEMENT CHARACTER}"
    return character
