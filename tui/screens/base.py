"""What the main screen knows, and how it draws that; the layers above it act."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.notifications import SeverityLevel
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Input, TabbedContent, TabPane

from phasewise.migration.errors import NoEngine
from phasewise.model.elsewhere import Elsewhere
from phasewise.model.status import Row, Status
from phasewise.tui import advice, text
from phasewise.tui.desk import Desk
from phasewise.tui.jobs import BASELINE, JobRunner, Waiting
from phasewise.tui.keys import KEYS, Key
from phasewise.tui.present import bars, build, checks, effect, phases
from phasewise.tui.reasons import Situation, why_not
from phasewise.tui.screens.branch_modal import Destination
from phasewise.tui.widgets.build_panel import BuildPanel
from phasewise.tui.widgets.diff_tab import DiffTab
from phasewise.tui.widgets.key_bar import KeyBar
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.phase_list import ELSEWHERE, PhaseList
from phasewise.tui.widgets.title_bar import TitleBar
from phasewise.tui.widgets.why_tab import WhyTab

if TYPE_CHECKING:
    from phasewise.migration.session import Session

_REDRAW_SECONDS = 0.5


class Base(Screen[None]):
    """Holds the status, the cursor and the job; everything that is drawn follows from them."""

    status: reactive[Status | None] = reactive(None)
    chosen: reactive[str] = reactive("")
    """The id under the cursor of the list."""
    elsewhere: reactive[tuple[Elsewhere, ...]] = reactive(())
    """The phases of other targets that edit files which this one reads too, as far as that is known yet."""
    engine: reactive[bool | None] = reactive(None)
    """Whether an engine answers; None while that is not known."""

    def __init__(
        self, open_session: Callable[[], Session], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.clock = clock
        self.jobs = JobRunner(self, clock)
        self.open_session = open_session
        self.desk: Desk | None = None
        """Where the session answers, once it is open."""
        self.missing: NoEngine | None = None
        """What is known of an engine that is not there."""
        self.destination: Destination | None = None
        """Where the next phase is committed, when the user was asked."""
        self.next: Waiting | None = None
        """The job that begins when the one that runs is done."""
        self.leaving = False
        """Whether to leave as soon as the job is over."""
        self._diff = DiffTab()

    def compose(self) -> ComposeResult:
        yield TitleBar(id="title")
        with Container(id="body"):
            with Vertical(id="left"):
                yield Input(id="filter", placeholder="words in id, title, state or file", compact=True)
                yield PhaseList(id="phases")
            with TabbedContent(id="tabs", initial="diff"):
                with TabPane("Diff", id="diff"):
                    yield self._diff
                with TabPane("Why", id="why"):
                    yield WhyTab()
                with TabPane("Effect", id="effect"):
                    yield Page(id="effect-page")
                with TabPane("Checks", id="checks"):
                    yield Page(id="checks-page")
                with TabPane("Build", id="build"):
                    yield Page(id="build-page")
            yield Page(id="image")
            yield BuildPanel(id="panel")
        yield KeyBar(self.press, id="keys")

    def on_mount(self) -> None:
        self.query_one("#left").border_title = Content("Phases")
        self.query_one("#image").border_title = Content("Image")
        self.query_one("#filter").display = False
        self.query_one(PhaseList).focus()
        self.redraw = self.set_interval(_REDRAW_SECONDS, self.draw_job, pause=True)
        self.draw_job()

    @property
    def session(self) -> Session:
        """The session, once it is open."""
        assert self.desk is not None
        return self.desk.session

    @property
    def row(self) -> Row | None:
        """The phase under the cursor."""
        return self.status.row(self.chosen) if self.status else None

    @property
    def file(self) -> str:
        """The file that the diff shows."""
        return self._diff.file if self._diff.is_mounted else ""

    @property
    def hunk(self) -> str:
        """The id of the hunk under the cursor; empty while it is on the whole file."""
        return self._diff.hunk

    @property
    def situation(self) -> Situation:
        """What it depends on which keys can be used."""
        running = self.jobs.running
        title = running.title if running else ""
        can_wait = title == BASELINE and self.next is None and not self.leaving
        at_work = running.phase if running else ""
        return Situation(self.status, self.row, self.file, title, self.engine, can_wait, at_work, self.hunk)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual's question whether a key can be used now."""
        return None if why_not(action, self.situation) else True

    def watch_status(self, status: Status | None) -> None:
        if status is None:
            return
        title = self.query_one(TitleBar)
        title.started_on = title.started_on or status.branch
        title.status = status
        self.query_one(PhaseList).status = status
        self.query_one("#image", Page).show(lambda cells: bars.image_lines(status, cells), keep=True)
        self._show_row(keep=True)
        self.draw_job()

    def watch_chosen(self) -> None:
        self._show_row()

    def watch_elsewhere(self) -> None:
        self.query_one(PhaseList).elsewhere = len(self.elsewhere)
        self.query_one(WhyTab).elsewhere = self.elsewhere

    def watch_engine(self) -> None:
        self.draw_job()

    def _show_row(self, keep: bool = False) -> None:
        """Hands the chosen row to the tabs."""
        status, row = self.status, self.row
        if status is None:
            return
        why = self.query_one(WhyTab)
        self._diff.row = why.row = row
        self._diff.after = phases.drawn_after(status.rows, row) if row else ()
        why.declined = status.declined
        why.others = self.chosen == ELSEWHERE
        baseline = status.baseline_verification
        self.query_one("#effect-page", Page).show(
            lambda cells: effect.lines(status, row, cells) if row else [], keep=keep
        )
        self.query_one("#checks-page", Page).show(lambda cells: checks.lines(row, baseline, cells), keep=keep)
        self._show_keys()

    def _show_keys(self) -> None:
        situation = self.situation
        self.query_one(KeyBar).blocked = frozenset(
            key.action for key in KEYS if why_not(key.action, situation)
        )

    def draw_job(self) -> None:
        """Draws the job as it is at this moment."""
        progress = self.jobs.progress
        said = advice.sentence(self.status, self.engine, self.missing)
        expected, now = self._expected(), self.clock()
        self.query_one(BuildPanel).show(progress, expected, said, now)
        if self.query_one("#tabs", TabbedContent).active == "build":
            self.query_one("#build-page", Page).show(
                lambda cells: build.log_lines(progress, expected, said, now, cells), end=True
            )
        self._show_keys()

    def _expected(self) -> dict[str, float]:
        """Seconds by step, as the last builds took them."""
        known = (self.status.baseline_measurement, self.status.current_measurement) if self.status else ()
        return {step.name: step.seconds for one in known if one for step in one.steps if not step.cached}

    def press(self, key: Key) -> None:
        """Does what a key does, for the mouse and the palette."""
        reason = why_not(key.action, self.situation)
        if reason:
            self.say(reason, "warning")
        else:
            self.call_later(self.run_action, key.action)

    def say(self, message: str, severity: SeverityLevel = "information") -> None:
        """A toast; its text is data."""
        self.notify(text.visible(message), severity=severity, markup=False)

    def open_tab(self, id: str) -> None:
        """Shows a tab; the list of phases has the keys again."""
        if self.query_one("#tabs", TabbedContent).active != id:
            self.query_one("#tabs", TabbedContent).active = id
            self.query_one(PhaseList).focus()
