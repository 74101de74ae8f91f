"""The build below the tabs: the last steps and log lines; one status line where there is little room."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from phasewise.tui.present import build
from phasewise.tui.progress import Progress
from phasewise.tui.widgets.page import Page


class BuildPanel(Vertical):
    """Shows a job while it runs, and how it ended."""

    def compose(self) -> ComposeResult:
        yield Page(id="build-steps")
        yield Page(id="build-line")

    def show(
        self, progress: Progress | None, expected: Mapping[str, float], advice: Content, now: float
    ) -> None:
        """Draws the job as it is at `now`; `advice` says what to do where none runs."""
        steps, line = self.query_one("#build-steps", Page), self.query_one("#build-line", Page)
        rows = max(steps.size.height, 1)
        self.border_title = build.headline(progress, now) if progress else Content("Build")
        steps.show(lambda cells: build.panel(progress, expected, advice, now, cells, rows), keep=True)
        line.show(lambda cells: [build.status_line(progress, advice, now, cells)], keep=True)
