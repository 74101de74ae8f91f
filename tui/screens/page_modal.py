"""A window to read: help, history, the image, what was declined, the report."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from phasewise.tui.widgets.page import Lines, Page


class PageModal(ModalScreen[None]):
    """A title and a page; any of the closing keys leaves it."""

    BINDINGS = [Binding("escape,q,enter", "dismiss", "close")]

    def __init__(self, title: Content, lines: Lines, *, copies: str = "") -> None:
        super().__init__()
        self._title, self._lines, self._copies = title, lines, copies

    def compose(self) -> ComposeResult:
        with Vertical(classes="window") as window:
            window.border_title = self._title
            yield Page(self._lines)
            said = "y copies it   esc closes" if self._copies else "esc closes"
            yield Static(Content.styled(said, "$foreground 60%"), classes="hint")

    def key_y(self) -> None:
        """Copies the text to the clipboard, where the window has one to copy."""
        if self._copies:
            self.app.copy_to_clipboard(self._copies)
            self.notify("Copied.", markup=False)
