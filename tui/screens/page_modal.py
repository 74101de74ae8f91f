"""A window to read: help, history, the image, what was declined, the report."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from phasewise.tui.widgets.page import Lines, Page


class PageModal(ModalScreen[None]):
    """A title and a page; any of the closing keys leaves it.

    `copies` is what `y` copies. `rule_page` is what `p` does, where the page is about rules.
    """

    BINDINGS = [Binding("escape,q,enter", "dismiss", "close")]

    def __init__(
        self,
        title: Content,
        lines: Lines,
        *,
        copies: str = "",
        rule_page: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._lines, self._copies, self._rule_page = title, lines, copies, rule_page

    def compose(self) -> ComposeResult:
        with Vertical(classes="window") as window:
            window.border_title = self._title
            yield Page(self._lines)
            said = ["p opens a rule's page"] if self._rule_page else []
            said += ["y copies it"] if self._copies else []
            yield Static(Content.styled("   ".join([*said, "esc closes"]), "$foreground 60%"), classes="hint")

    def key_p(self) -> None:
        """Opens a rule's page above this one, where the window has any to offer."""
        if self._rule_page:
            self._rule_page()

    def key_y(self) -> None:
        """Copies the text to the clipboard, where the window has one to copy."""
        if self._copies:
            self.app.copy_to_clipboard(self._copies)
            self.notify("Copied.", markup=False)
