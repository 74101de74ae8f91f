"""The job that runs: starting it, following it, and what its end means for the screen."""

from __future__ import annotations

from textual.widgets import Input

from phasewise.migration.errors import NoEngine, PhasewiseError
from phasewise.migration.events import Committed
from phasewise.model.status import State
from phasewise.tui.jobs import BASELINE, JobEnded, Start, StatusRead, Waiting
from phasewise.tui.present import phases
from phasewise.tui.screens.base import Base
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.phase_list import PhaseList


class JobControl(Base):
    """A layer of the main screen; all of it runs on the UI thread."""

    def start_job(self, title: str, phase: str, begin: Start, leads_on: bool = False) -> None:
        """Starts a job; while the baseline is built, it begins after that.

        `leads_on`: where it ends well, the cursor goes on from its phase to the next one.
        """
        assert self.desk is not None
        running = self.jobs.running
        if running and running.title == BASELINE and self.next is None:
            self.next, running.then = Waiting(title, phase, begin, leads_on), title
        elif running:
            self.say(f"{running.title} is still running; c stops it", "warning")
        else:
            self.jobs.start(title, phase, self.desk, begin, leads_on)
            self.query_one(PhaseList).running = phase
            self.query_one("#build-page", Page).follow()
            self.redraw.resume()
        self.draw_job()

    def stop_job(self) -> None:
        """Stops the job that runs; the one that waits for it does not begin."""
        self.next = None
        if self.jobs.running:
            self.jobs.running.then = ""
        self.jobs.stop()
        self.draw_job()

    def leave_when_done(self, stop: bool) -> None:
        """Leaves as soon as the job is over; at once when it is over already."""
        if self.jobs.running is None:
            self.app.exit()
            return
        self.leaving = True
        if stop:
            self.stop_job()

    def on_unmount(self) -> None:
        # Also when the screen goes down with an error: the program must not wait for a build.
        self.jobs.stop()

    def on_job_progressed(self) -> None:
        if any(isinstance(event, Committed) for event in self.jobs.drain()):
            # The new branch is there now; the next phase goes on it.
            self.destination = None
        self.draw_job()

    def on_status_read(self, message: StatusRead) -> None:
        self.status = message.status

    def on_job_ended(self, message: JobEnded) -> None:
        self.jobs.drain()
        self.redraw.pause()
        self.query_one(PhaseList).running = ""
        waiting, self.next = self.next, None
        ended_well = message.error is None and message.progress.finished and message.progress.finished.ok
        if not ended_well:
            self._show_failure(message)
        elif message.progress.leads_on:
            self._go_on_from(message.progress.phase)
        if waiting and ended_well:
            self.start_job(waiting.title, waiting.phase, waiting.begin, waiting.leads_on)
        elif self.leaving:
            self.app.exit()
        self.draw_job()

    def _go_on_from(self, phase: str) -> None:
        """Puts the cursor on the phase that comes next, unless the user has moved it meanwhile."""
        shown = self.query_one(PhaseList)
        following = phases.following(self.status.rows, phase) if self.status else ""
        if following and shown.chosen == phase and shown.has(following):
            shown.choose(following)

    def _show_failure(self, message: JobEnded) -> None:
        """Says what went wrong; a phase that failed is shown with what broke."""
        progress, error = message.progress, message.error
        if isinstance(error, NoEngine):
            # f5 looks for it again.
            self.missing, self.engine = error, False
        if isinstance(error, PhasewiseError):
            self.say(f"{error.message}\n{error.hint}".strip(), "error")
        else:
            summary = progress.finished.summary if progress.finished else "it ended without a word"
            again = "; f5 begins again" if progress.title == BASELINE else ""
            self.say(f"{progress.title}: {summary}{again}", "warning" if progress.stopping else "error")
        row = self.status.row(progress.phase) if self.status else None
        if row is not None and row.state is State.FAILED and not progress.stopping:
            self.query_one("#filter", Input).clear()
            self.query_one(PhaseList).wanted = ""
            self.query_one(PhaseList).choose(row.id)
            self.open_tab("checks" if row.broken else "build")
