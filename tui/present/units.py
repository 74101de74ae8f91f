"""Figures for the screen: those of the model, and the ones that only a live display needs."""

from __future__ import annotations

from phasewise.model.units import duration as seconds
from phasewise.model.units import percent_change as percent
from phasewise.model.units import size
from phasewise.model.units import size_change as signed_size

__all__ = ["clock", "exact_bytes", "percent", "seconds", "signed_seconds", "signed_size", "size"]

MINUS = "−"


def exact_bytes(size_bytes: int) -> str:
    """`11 890 123 456 B`: every byte, in groups of three."""
    return f"{size_bytes:,} B".replace(",", " ").replace("-", MINUS)


def signed_seconds(duration_seconds: float) -> str:
    """`−38 s`, `+4.1 s`, `0.0 s`."""
    sign = "+" if duration_seconds >= 0.05 else MINUS if duration_seconds <= -0.05 else ""
    return f"{sign}{seconds(abs(duration_seconds))}"


def clock(duration_seconds: float) -> str:
    """`00:14`, `12:03`, `1:02:03`: time that goes by."""
    minutes, rest = divmod(int(duration_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
