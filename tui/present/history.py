"""The commits that touched the target's Dockerfile, one a line."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from phasewise.model import units
from phasewise.model.history import HistoryEntry
from phasewise.tui import text

_AUTHOR_CELLS = 14


def lines(entries: Iterable[HistoryEntry], cells: int) -> list[Content]:
    """Newest first: date, commit, author, subject, and the image's size where the commit was measured."""
    return [_line(entry, cells) for entry in entries] or [text.own(("No commit touched it.", "italic dim"))]


def _line(entry: HistoryEntry, cells: int) -> Content:
    size_bytes = entry.image_bytes
    figure = Content.styled(units.size(size_bytes), "bold") if size_bytes is not None else Content("")
    author = text.fit(text.own((text.one_line(entry.author), "$text-secondary")), _AUTHOR_CELLS)
    left = text.own((f"{entry.date:%Y-%m-%d}  ", "dim"), (f"{entry.commit[:7]}  ", "$text-accent"))
    return text.ends(left + author + text.own("  ", text.one_line(entry.subject)), figure, cells)
