"""Drives the real terminal UI over a real session: presses keys and waits for what the screen shows."""

from collections.abc import Callable

from textual.pilot import Pilot

from phasewise.model.status import Status
from phasewise.tui.app import PhasewiseApp


class Keyboard:
    """The keys of one application; a job that never ends ends with the test run."""

    def __init__(self, app: PhasewiseApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def status(self) -> Status:
        assert self.app.main.status is not None
        return self.app.main.status

    @property
    def lines(self) -> list[str]:
        """The screen as it is, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await self.pilot.pause(0.05)
        await self.pilot.pause()

    async def opened(self) -> None:
        await self.until(lambda: self.app.main.status and self.app.main.engine is not None)

    async def started(self) -> None:
        await self.until(lambda: self.app.main.jobs.running)

    async def idle(self) -> None:
        await self.until(lambda: not self.app.main.jobs.running)

    async def go_to(self, id: str) -> None:
        """Moves the cursor with the arrow keys."""
        await self.pilot.press("home")
        while self.app.main.chosen != id:
            before = self.app.main.chosen
            await self.pilot.press("down")
            assert self.app.main.chosen != before, f"{id} is not in the list"

    async def answer(self, key: str) -> None:
        """Presses a key in the window that a question opens."""
        await self.until(lambda: self.app.screen is not self.app.main)
        await self.pilot.press(key)
        await self.until(lambda: self.app.screen is self.app.main)
