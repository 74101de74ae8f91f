"""Drives the real application over a fake session, without a terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fake_session import FakeSession
from textual.pilot import Pilot
from textual.widgets import Static, TabbedContent

from phasewise.tui.app import PhasewiseApp
from phasewise.tui.screens.main import MainScreen
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.phase_list import PhaseList

WIDE, NARROW = (140, 45), (80, 24)
_TRIES = 1000


class Driver:
    """The pilot, and what the screen says."""

    def __init__(self, pilot: Pilot[None], app: PhasewiseApp) -> None:
        self.pilot, self.app = pilot, app

    @property
    def main(self) -> MainScreen:
        return self.app.main

    async def until(self, condition: Callable[[], object]) -> None:
        """Lets the application work until the condition holds; fails when it never does."""
        for _ in range(_TRIES):
            if condition():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.005)
        raise AssertionError(f"never happened; the screen says:\n{self.text}\ntoasts: {self.toasts}")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def choose(self, id: str) -> None:
        """Puts the cursor on a phase."""
        self.main.query_one(PhaseList).choose(id)
        await self.until(lambda: self.main.chosen == id)

    @property
    def lines(self) -> list[str]:
        """The screen as it is, line by line."""
        return [
            "".join(segment.text for segment in strip)
            for strip in self.app.screen._compositor.render_strips()
        ]

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def toasts(self) -> list[str]:
        return [note.message for note in self.app._notifications]

    @property
    def tab(self) -> str:
        return self.main.query_one("#tabs", TabbedContent).active

    def page(self, id: str) -> str:
        """The text of a page of the main screen."""
        return self.main.query_one(f"#{id}", Page).text

    @property
    def window(self) -> str:
        """The text of the page in the window on top."""
        return self.app.screen.query_one(Page).text

    @property
    def question(self) -> str:
        """What the window on top asks."""
        return str(self.app.screen.query_one(".question", Static).content)

    def on_top(self, kind: type) -> bool:
        return isinstance(self.app.screen, kind)


@asynccontextmanager
async def driving(
    session: FakeSession, size: tuple[int, int] = WIDE, theme: str = "textual-dark"
) -> AsyncIterator[Driver]:
    """The application on that session, once it has been read; checks the session's calls at the end."""
    app = PhasewiseApp(lambda: session, clock=lambda: 0.0)  # type: ignore[arg-type, return-value]
    app.theme = theme
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(pilot, app)
        await driver.until(lambda: driver.main.engine is not None and driver.main.chosen)
        yield driver
    session.check()
