"""Runs one long job of the session in a worker thread and hands its events to the UI thread."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from textual.message import Message

from phasewise.migration.errors import Cancelled, PhasewiseError
from phasewise.migration.events import Cancel, Committed, Event, Finished, LogLine, Measured, Verified
from phasewise.tui.progress import Progress

if TYPE_CHECKING:
    from textual.screen import Screen

    from phasewise.migration.session import Session
    from phasewise.model.status import Status
    from phasewise.tui.desk import Desk

Start = Callable[[Cancel], Iterator[Event]]
"""Begins a job of the session."""


BASELINE = "building the baseline"
"""The title of the job that other jobs can wait for."""


class Waiting(Struct, frozen=True):
    """A job that begins when the one before it is done."""

    title: str
    phase: str
    begin: Start
    leads_on: bool


class JobProgressed(Message):
    """Events are waiting in the runner."""


class StatusRead(Message):
    """The repository was read again, on the job's thread."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self.status = status


class JobEnded(Message):
    """The job is over; `error` is what stopped it, if anything did."""

    def __init__(self, progress: Progress, error: BaseException | None) -> None:
        super().__init__()
        self.progress, self.error = progress, error


def _status(session: Session) -> Status:
    return session.status()


class JobRunner:
    """At most one job at a time. Its thread only posts messages; widgets are touched by who receives them."""

    def __init__(self, screen: Screen[Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.progress: Progress | None = None
        """The job that runs, or the last one that ran."""
        self._screen = screen
        self._cancel = Cancel()
        self._waiting: deque[tuple[Event, float]] = deque()
        self._announced = False

    @property
    def running(self) -> Progress | None:
        """The job that runs now."""
        return self.progress if self.progress and self.progress.ended is None else None

    def start(self, title: str, phase: str, desk: Desk, begin: Start, leads_on: bool = False) -> Progress:
        """Starts a job; the caller has made sure that none runs."""
        assert self.running is None, "one job at a time"
        self._cancel, self._announced = Cancel(), False
        self.progress = progress = Progress(title, phase, self.clock(), leads_on=leads_on)
        cancel = self._cancel

        def work() -> None:
            self._work(progress, desk, begin, cancel)

        self._screen.run_worker(work, thread=True, group="job", exit_on_error=False)
        return progress

    def stop(self) -> None:
        """Asks the job to stop as soon as it can."""
        if self.running:
            self.running.stopping = True
            self._cancel.ask()

    def drain(self) -> list[Event]:
        """Takes the waiting events into the progress and returns them; for the UI thread."""
        self._announced = False
        taken: list[Event] = []
        while self._waiting and self.progress:
            event, at = self._waiting.popleft()
            self.progress.take(event, at)
            taken.append(event)
        return taken

    def _work(self, progress: Progress, desk: Desk, begin: Start, cancel: Cancel) -> None:
        """The thread: passes events on; reads the status again where one changes it."""
        error: BaseException | None = None
        try:
            for event in begin(cancel):
                self._pass_on(event)
                if isinstance(event, Committed | Measured | Verified):
                    self._screen.post_message(StatusRead(desk.ask_here(_status)))
        except Cancelled as stopped:
            self._pass_on(Finished(False, f"stopped: {stopped.message}" if stopped.message else "stopped"))
        except PhasewiseError as refused:
            error = refused
            self._pass_on(Finished(False, refused.message))
        except Exception as failure:
            error = failure
            for line in traceback.format_exception(failure):
                self._pass_on(LogLine("", line))
            self._pass_on(Finished(False, f"{type(failure).__name__}: {failure}"))
        try:
            self._screen.post_message(StatusRead(desk.ask_here(_status)))
        except Exception as failure:
            error = error or failure
        self._screen.post_message(JobEnded(progress, error))

    def _pass_on(self, event: Event) -> None:
        """Queues the event; one message announces many, so that a chatty build cannot flood the screen."""
        self._waiting.append((event, self.clock()))
        if not self._announced:
            self._announced = True
            self._screen.post_message(JobProgressed())
