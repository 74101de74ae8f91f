"""The keys at the bottom: as many as fit, the most useful first; help is always there."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from phasewise.tui.keys import KEYS, Key, key_of


class KeyBar(Widget):
    """Disabled keys are dim; a click does what the key does, or says why it cannot."""

    blocked: reactive[frozenset[str]] = reactive(frozenset())
    """The actions that can do nothing now."""

    def __init__(self, press: Callable[[Key], None], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._press = press
        self._places: list[tuple[int, int, Key]] = []

    def render(self) -> Content:
        shown = fitting(self.size.width - 1, without=frozenset({"cancel"}) & self.blocked)
        parts, at = [Content(" ")], 1
        self._places = []
        for key in shown:
            piece = self._piece(key)
            self._places.append((at, at + piece.cell_length, key))
            parts.append(piece)
            at += piece.cell_length
        return Content("").join(parts)

    def on_click(self, event: object) -> None:
        x = event.x  # type: ignore[attr-defined]
        for start, end, key in self._places:
            if start <= x < end:
                self._press(key)

    def _piece(self, key: Key) -> Content:
        if key.action in self.blocked:
            return Content.styled(f"{key.shown} {key.label}  ", "$foreground 40%")
        return Content.assemble((key.shown, "bold $text-accent"), f" {key.label}  ")


def fitting(cells: int, without: frozenset[str] = frozenset()) -> list[Key]:
    """The footer's keys that fit on `cells`, in the order of their places; `?` always.

    `without` are actions that are left out: nobody looks for a key that stops a job while none runs.
    """
    last = key_of("help")
    room, shown = cells - _cells(last), []
    placed = [key for key in KEYS if key.footer and key.action not in without]
    for key in sorted(placed, key=lambda key: key.footer):
        if _cells(key) > room:
            break
        room -= _cells(key)
        shown.append(key)
    return [*shown, last]


def _cells(key: Key) -> int:
    return len(key.shown) + len(key.label) + 3
