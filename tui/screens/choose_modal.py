"""A window that asks one question with a few answers."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option


class ChooseModal(ModalScreen[str | None]):
    """Returns the id of the answer; None when the user goes back.

    Each answer is (id, key, label); a key of `""` is chosen with the cursor only.
    """

    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, title: str, said: Content, answers: Sequence[tuple[str, str, Content]]) -> None:
        super().__init__()
        self._title, self._said, self._answers = title, said, answers

    def compose(self) -> ComposeResult:
        with Vertical(classes="window small") as window:
            window.border_title = Content(self._title)
            yield Static(self._said, classes="question")
            yield OptionList(*(Option(_prompt(key, label), id=id) for id, key, label in self._answers))
            yield Static(Content.styled("enter chooses   esc goes back", "$foreground 60%"), classes="hint")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def on_key(self, event: events.Key) -> None:
        for id, key, _ in self._answers:
            if key and event.key == key:
                event.stop()
                self.dismiss(id)


def _prompt(key: str, label: Content) -> Content:
    return Content.styled(f"{key}  ", "bold $text-accent") + label if key else label
