"""The line at the top of the screen; a click on it turns to another target."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from phasewise.model.status import Status
from phasewise.tui.present import header


class TitleBar(Widget):
    """Repository, branch, target, engine and totals."""

    status: reactive[Status | None] = reactive(None)
    engine: reactive[Content] = reactive(Content(""))
    started_on: reactive[str] = reactive("")
    """The branch that was checked out when the program started."""

    def render(self) -> Content:
        return header.line(self.status, self.engine, self.started_on, self.size.width)

    async def on_click(self) -> None:
        await self.screen.run_action("target")
