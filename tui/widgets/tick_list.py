"""A list of things to tick (any number) or to pick (one)."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from phasewise.tui.keys import VIM_KEYS

_TICKS = {(True, True): "☑", (True, False): "☐", (False, True): "◉", (False, False): "○"}


class TickList(OptionList):
    """Shows (id, label, on) items; `space` and `enter` ask for one to be turned, the owner decides."""

    BINDINGS = [*VIM_KEYS, Binding("space", "select", "tick", show=False)]

    class Turned(Message):
        """The user wants the item the other way round."""

        def __init__(self, source: TickList, id: str, on: bool) -> None:
            super().__init__()
            self.source, self.id, self.on = source, id, on

        @property
        def control(self) -> TickList:
            """The list."""
            return self.source

    def __init__(self, *, multiple: bool = True, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.multiple = multiple
        self.on_ids: frozenset[str] = frozenset()
        """The ids that are ticked."""

    def show(self, items: Sequence[tuple[str, Content, bool]]) -> None:
        """Shows other items; the cursor stays on its id where that is still there."""
        before = self.current
        self.on_ids = frozenset(id for id, _, on in items if on)
        with self.prevent(OptionList.OptionHighlighted):
            self.set_options(
                Option(Content(f"{_TICKS[self.multiple, on]} ") + label, id=id) for id, label, on in items
            )
            ids = [id for id, _, _ in items]
            self.highlighted = ids.index(before) if before in ids else 0 if ids else None

    @property
    def current(self) -> str:
        """The id under the cursor; empty when there is none."""
        return (self.get_option_at_index(self.highlighted).id or "") if self.highlighted is not None else ""

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        id = event.option.id or ""
        self.post_message(self.Turned(self, id, id not in self.on_ids))
