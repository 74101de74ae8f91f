"""Asks once per repository where the commits go: a new branch, or the one that is checked out."""

from __future__ import annotations

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from phasewise.tui import text


class Destination(Struct, frozen=True):
    """Where commits go; `branch` is the name of a new branch, empty for the present one."""

    branch: str = ""


class BranchModal(ModalScreen[Destination | None]):
    """Returns the destination; None when the user goes back and nothing is to be committed."""

    BINDINGS = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, present: str, proposed: str) -> None:
        super().__init__()
        self._present, self._proposed = present, proposed

    def compose(self) -> ComposeResult:
        with Vertical(classes="window small") as window:
            window.border_title = Content("Where do the commits go?")
            said = "Every phase is one commit; nothing is ever pushed. You are asked once in this repository."
            yield Static(Content(said), classes="question")
            yield Static(Content.styled("A new branch named", "bold"))
            yield Input(self._proposed, id="branch-name")
            with Horizontal(classes="buttons"):
                yield Button(Content("Commit on the new branch"), variant="primary", id="new")
                if self._present != "HEAD":
                    yield Button(text.own("Commit on ", text.one_line(self._present)), id="here")
            yield Static(
                Content.styled(
                    "enter takes the new branch   tab to the others   esc goes back", "$foreground 60%"
                ),
                classes="hint",
            )

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self) -> None:
        self._new()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "here":
            self.dismiss(Destination())
        else:
            self._new()

    def _new(self) -> None:
        name = self.query_one(Input).value.strip()
        if name:
            self.dismiss(Destination(name))
        else:
            self.notify("A branch needs a name.", severity="warning", markup=False)
