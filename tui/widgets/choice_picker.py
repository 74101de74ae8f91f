"""One question of a phase: one answer, or any number of them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from phasewise.model import units
from phasewise.model.phase import Choice, Option
from phasewise.tui import text
from phasewise.tui.widgets.tick_list import TickList


class ChoicePicker(Vertical):
    """Shows the options of a choice with the bytes that go with them."""

    choice: reactive[Choice] = reactive[Choice](None, init=False)  # type: ignore[arg-type]

    class Picked(Message):
        """The user answered."""

        def __init__(self, phase: str, choice: str, options: frozenset[str]) -> None:
            super().__init__()
            self.phase, self.choice, self.options = phase, choice, options

    def __init__(self, phase: str, choice: Choice) -> None:
        super().__init__()
        self.phase = phase
        self.set_reactive(ChoicePicker.choice, choice)

    def compose(self) -> ComposeResult:
        yield TickList(multiple=self.choice.multiple)

    def on_mount(self) -> None:
        self.watch_choice()

    def watch_choice(self) -> None:
        ticks = self.query_one(TickList)
        ticks.border_title = text.plain(text.one_line(self.choice.title))
        ticks.show(
            [(option.id, _label(option), option.id in self.choice.picked) for option in self.choice.options]
        )

    def on_tick_list_turned(self, event: TickList.Turned) -> None:
        event.stop()
        only = frozenset({event.id})
        if not self.choice.multiple:
            options = only
        else:
            options = self.choice.picked | only if event.on else self.choice.picked - only
        self.post_message(self.Picked(self.phase, self.choice.id, options))


def _label(option: Option) -> Content:
    figure = f"  {units.size(option.image_bytes)}" if option.image_bytes is not None else ""
    return text.own(text.one_line(option.label), (figure, "bold"))
