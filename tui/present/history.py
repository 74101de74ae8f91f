"""The commits that touched the target's Dockerfile, one a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from phasewise.tui import text
from phasewise.tui.present import units
from textual.content import Content


def lines(entries: Iterable[Any], cells: int) -> list[Content]:
    """Newest first: date, commit, author, subject, and the image's size where it was measured."""
    return [_line(entry, cells) for entry in entries] or [text.own(("No commit touched it.", "italic dim"))]


def _line(entry: Any, cells: int) -> Content:
    size_bytes = getattr(entry, "image_bytes", None)
    figure = Content.styled(units.size(size_bytes), "bold") if size_bytes is not None else Content("")
    left = text.own(
        (f"{entry.date:%Y-%m-%d}  ", "dim"),
        (f"{entry.commit[:7]}  ", "$text-accent"),
        (text.one_line(entry.author)[:14].ljust(16), "$text-secondary"),
        text.one_line(entry.subject),
    )
    return text.ends(left, figure, cells)
