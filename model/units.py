"""Figures as people read them: decimal units, a true minus sign, a sign where it is a change."""

from __future__ import annotations

import re

_MINUS = "\N{MINUS SIGN}"
_UNITS = (("GB", 10**9, 2), ("MB", 10**6, 0), ("kB", 10**3, 0))


def size(number_bytes: int) -> str:
    """`5.84 GB`, `410 MB`, `0 B`: decimal units, as `docker images` prints them."""
    for unit, factor, digits in _UNITS:
        # The next smaller unit would need a fourth digit.
        if round(abs(number_bytes) * 1000 / factor) >= 1000:
            return f"{_minus(number_bytes / factor, digits)} {unit}"
    return f"{_minus(number_bytes, 0)} B"


def bytes_of(written: str) -> int:
    """The bytes that `500MB`, `1.5 GB`, `750 MiB` or `524288000` stand for; MB is decimal, MiB binary.

    Raises:
        ValueError: it is not a size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt]?)(i?)b?)?\s*", written, re.IGNORECASE)
    if found is None or (found[3] and not found[2]):
        raise ValueError(f"not a size: {written}")
    power = " kmgt".index((found[2] or " ").lower())
    factor: int = (1024 if found[3] else 1000) ** power
    return round(float(found[1]) * factor)


def size_change(number_bytes: int) -> str:
    """`−5.84 GB`, `+12 MB`, `0 B`."""
    return f"+{size(number_bytes)}" if number_bytes > 0 else size(number_bytes)


def exact_bytes(number_bytes: int) -> str:
    """`11 890 123 456 B`: every byte, in groups of three."""
    return f"{number_bytes:,} B".replace(",", " ").replace("-", _MINUS)


def percent_change(before: float, after: float) -> str:
    """`−49 %`; empty when there is nothing to compare with."""
    if not before:
        return ""
    change = 100 * (after - before) / before
    return f"{'+' if round(change) > 0 else ''}{_minus(change, 0)} %"


def duration(seconds: float) -> str:
    """`0.4 s`, `41 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 9.95:
        return f"{_minus(seconds, 1)} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def duration_change(seconds: float) -> str:
    """`−38 s`, `+4.1 s`, `0.0 s`."""
    sign = "+" if seconds >= 0.05 else _MINUS if seconds <= -0.05 else ""
    return f"{sign}{duration(abs(seconds))}"


def clock(seconds: float) -> str:
    """`00:14`, `12:03`, `1:02:03`: time that goes by."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def _minus(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return "0" if float(text) == 0 and digits == 0 else text.replace("-", _MINUS)
