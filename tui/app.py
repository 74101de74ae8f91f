"""The terminal UI's application: one main screen, opened before the repository is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

from phasewise.migration import glance
from phasewise.migration.errors import PhasewiseError
from phasewise.tui import theme_file
from phasewise.tui.commands import Commands
from phasewise.tui.screens.main import MainScreen
from phasewise.tui.screens.reading import NothingToShow

if TYPE_CHECKING:
    from phasewise.migration.session import Session


class PhasewiseApp(App[None]):
    """Shows the session that `open_session` makes; it is called in a worker thread, after the first frame."""

    TITLE = "phasewise"
    CSS_PATH = "app.tcss"
    COMMANDS = App.COMMANDS | {Commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    def __init__(
        self, open_session: Callable[[], Session], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        # Keys answer at once: nothing slides into place.
        self.animation_level = "none"
        kept = theme_file.read()
        if kept in self.available_themes:
            self.theme = kept
        self.main = MainScreen(open_session, clock)
        self.failure: PhasewiseError | None = None
        """Why the repository could not be opened."""

    def get_default_screen(self) -> Screen[Any]:
        """The main screen is there from the start, so that the first frame is its own."""
        return self.main

    def on_mount(self) -> None:
        self.watch(self, "theme", theme_file.write, init=False)

    def on_nothing_to_show(self, message: NothingToShow) -> None:
        """Leaves."""
        self.failure = message.error
        self.exit(return_code=message.error.exit_status)

    async def action_quit(self) -> None:
        """Leaves by way of the main screen, which asks while a job runs."""
        self.main.action_quit()


def run(path: Path, dockerfile: str | None = None, stage: str | None = None) -> None:
    """Opens the terminal UI on the repository that holds `path`; returns when the user leaves.

    Where a glance does not show that there is something to open, the closer look comes before the screen:
    a terminal that turns to another screen and back hides what was wrong.

    Raises:
        PhasewiseError: there is nothing to show, and why.
    """

    def open_session() -> Session:
        # Imported here: git and the engine are not needed for the first frame.
        from phasewise.migration.session import Session

        return Session.open(path, dockerfile=dockerfile, stage=stage)

    if stage is None and glance.certain(path, dockerfile):
        app = PhasewiseApp(open_session)
    else:
        session = open_session()
        app = PhasewiseApp(lambda: session)
    app.run()
    if app.failure is not None:
        raise app.failure
