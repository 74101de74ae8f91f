"""Reading the session: opening it, asking it, telling it the user's wishes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from textual import work
from textual.message import Message

from phasewise.migration.errors import NoEngine, PhasewiseError
from phasewise.tui import text
from phasewise.tui.desk import Desk
from phasewise.tui.jobs import BASELINE
from phasewise.tui.screens.job_control import JobControl
from phasewise.tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from phasewise.migration.session import Session
    from phasewise.model.elsewhere import Elsewhere
    from phasewise.model.repo import Target
    from phasewise.model.status import Status

Answer = TypeVar("Answer")


def _reaching_from(other: Target, session: Session) -> tuple[Elsewhere, ...]:
    """The phases of `other` that reach the session's target."""
    return session.elsewhere((other,))


class NothingToShow(Message):
    """The repository cannot be opened; the application has to go."""

    def __init__(self, error: PhasewiseError) -> None:
        super().__init__()
        self.error = error


class Reading(JobControl):
    """A layer of the main screen: every question is answered in a thread."""

    _looked_for: Target | None = None
    """The target that `elsewhere` is about."""

    @work(group="open")
    async def open(self) -> None:
        """Opens the session; leaves when there is nothing to show."""
        try:
            desk = self.desk = Desk(await asyncio.to_thread(self.open_session))
            self.status = await desk.ask(lambda session: session.status())
        except PhasewiseError as error:
            self.post_message(NothingToShow(error))
            return
        await self.catch_up()

    async def catch_up(self) -> None:
        """Looks for an engine, and builds the baseline where that was never done."""
        if not self.engine:
            await self._look_for_engine()
        status = self.status
        known = status and status.baseline_measurement and status.baseline_verification
        readable = status and not status.unreadable
        if self.engine and readable and not known and not self.jobs.running:
            self.start_job(BASELINE, "", self.session.prepare)

    def watch_status(self, status: Status | None) -> None:
        super().watch_status(status)
        if status is not None:
            self._look_elsewhere(status)

    @work(group="elsewhere", exclusive=True)
    async def _look_elsewhere(self, status: Status) -> None:
        """Plans the other targets, after this one is on the screen."""
        if self._looked_for != status.target:
            self.elsewhere = ()
        self._looked_for = status.target
        found: list[Elsewhere] = []
        for target in status.targets:
            # One by one, so that the user's own questions need not wait for all of them.
            found += await self.ask(partial(_reaching_from, target)) or ()
        self.elsewhere = tuple(found)

    async def ask(self, question: Callable[[Session], Answer]) -> Answer | None:
        """What the session answers; None, and a toast, when it refuses."""
        if self.desk is None:
            return None
        try:
            return await self.desk.ask(question)
        except PhasewiseError as error:
            self.say(f"{error.message}\n{error.hint}".strip(), "error")
            return None

    async def change(self, wish: Callable[[Session], None]) -> None:
        """Tells the session a wish of the user, and shows what follows from it."""

        def wished(session: Session) -> Status:
            wish(session)
            return session.status()

        self.status = await self.ask(wished) or self.status

    @work(group="ask")
    async def action_refresh(self) -> None:
        """Reads the repository again, and looks for an engine again where there was none."""
        self.status = await self.ask(lambda session: session.status()) or self.status
        await self.catch_up()

    def came_back(self, focused: bool) -> None:
        """The terminal has the focus again: the repository may have changed meanwhile."""
        if focused and self.status and not self.jobs.running:
            self._read_again()

    @work(group="ask")
    async def _read_again(self) -> None:
        self.status = await self.ask(lambda session: session.status()) or self.status

    async def _look_for_engine(self) -> None:
        assert self.desk is not None
        title = self.query_one(TitleBar)
        try:
            label = await self.desk.ask(lambda session: session.engine_label())
        except NoEngine as error:
            self.missing, self.engine = error, False
            title.engine = text.own(("no engine", "$text-warning"))
        else:
            self.missing, self.engine = None, True
            title.engine = text.own((text.one_line(label), "dim"))
