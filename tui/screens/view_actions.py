"""The keys that only show something: tabs, files, filter, history, image, report, targets, help."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from textual import work
from textual.content import Content
from textual.widgets import Input, TabbedContent

from phasewise.tui import report_file, text
from phasewise.tui.present import elsewhere, help, history, image, rule_page, why
from phasewise.tui.screens.choose_modal import ChooseModal
from phasewise.tui.screens.page_modal import PageModal
from phasewise.tui.screens.reading import Reading
from phasewise.tui.widgets.diff_tab import DiffTab
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.phase_list import ELSEWHERE, PhaseList
from phasewise.tui.widgets.tick_list import TickList

TABS = ("diff", "why", "effect", "checks", "build")


class ViewActions(Reading):
    """A layer of the main screen: none of these changes the repository."""

    def action_next_tab(self) -> None:
        """Shows the next tab."""
        self._turn(1)

    def action_previous_tab(self) -> None:
        """Shows the previous tab."""
        self._turn(-1)

    def action_tab(self, number: int) -> None:
        """Shows the tab of that number, 1 first."""
        self.open_tab(TABS[number - 1])

    def action_enter_tab(self) -> None:
        """Moves to the tab's choices, files or text."""
        pane = self.query_one("#tabs", TabbedContent).active_pane
        lists = (
            [ticks for ticks in pane.query(TickList) if ticks.option_count > (ticks.id == "files")]
            if pane
            else []
        )
        if pane:
            (lists[0] if lists else pane.query(Page).last()).focus()

    def action_leave_tab(self) -> None:
        """Moves back to the list; clears the filter."""
        self.query_one(DiffTab).hunk = ""
        self.query_one("#filter", Input).clear()
        self.query_one("#filter").display = False
        self.query_one(PhaseList).focus()

    def action_next_file(self) -> None:
        """Shows the next file of the phase."""
        self.query_one(DiffTab).move(1)

    def action_previous_file(self) -> None:
        """Shows the previous file of the phase."""
        self.query_one(DiffTab).move(-1)

    def action_next_hunk(self) -> None:
        """Chooses the next hunk of the shown file."""
        self._move_hunk(1)

    def action_previous_hunk(self) -> None:
        """Chooses the previous hunk of the shown file."""
        self._move_hunk(-1)

    def _move_hunk(self, by: int) -> None:
        self.open_tab("diff")
        self.query_one(DiffTab).move_hunk(by)
        self._show_keys()

    def action_scroll(self, by: int) -> None:
        """Scrolls the tab by half its height."""
        pane = self.query_one("#tabs", TabbedContent).active_pane
        if pane:
            page = pane.query(Page).last()
            page.scroll_relative(y=by * max(page.size.height // 2, 1), animate=False)

    def action_side_by_side(self) -> None:
        """Turns between side by side and unified."""
        self.open_tab("diff")
        tab = self.query_one(DiffTab)
        tab.beside = not tab.beside

    def action_filter(self) -> None:
        """Opens the filter line."""
        line = self.query_one("#filter", Input)
        line.display = True
        line.focus()

    @work(group="ask")
    async def action_history(self) -> None:
        """Lists the commits that touched the Dockerfile."""
        entries = await self.ask(lambda session: session.history())
        if entries is not None and self.status:
            title = text.own("History of ", text.one_line(self.status.target.dockerfile))
            self.app.push_screen(PageModal(title, lambda cells: history.lines(entries, cells)))

    @work(group="ask")
    async def action_image(self) -> None:
        """Shows what is inside the image."""
        found = await self.ask(lambda session: (session.census(),))
        status = self.status
        if found is not None and status:
            self.app.push_screen(
                PageModal(Content("Inside the image"), lambda cells: image.lines(status, found[0], cells))
            )

    @work(group="ask")
    async def action_report(self) -> None:
        """Writes the pull-request text and shows where it is."""
        report = await self.ask(lambda session: session.report("md"))
        if report is None or self.status is None:
            return
        try:
            path = report_file.write(Path(self.status.path), report)
        except OSError as error:
            self.say(f"The report cannot be written: {error}", "error")
            return
        body = text.visible(report).split("\n")
        self.app.push_screen(
            PageModal(
                text.own("Written to ", text.one_line(str(path))),
                lambda cells: [piece for line in body for piece in text.wrapped(Content(line), cells)],
                copies=report,
            )
        )

    def action_declined(self) -> None:
        """Shows what is not proposed, and why."""
        declined = self.status.declined if self.status else ()
        self.app.push_screen(
            PageModal(
                Content(f"Declined ({len(declined)})"),
                lambda cells: why.declined_lines(declined, cells),
                rule_page=partial(self._choose_page, [one.id for one in declined]) if declined else None,
            )
        )

    def show_elsewhere(self) -> None:
        """Shows the phases of other targets that edit files which this one reads too."""
        others = self.elsewhere
        self.app.push_screen(
            PageModal(
                Content(f"Of other targets ({len(others)})"),
                lambda cells: elsewhere.lines(others, cells),
                rule_page=partial(self._choose_page, [one.phase.id for one in others]),
            )
        )

    @work(group="ask")
    async def action_page(self) -> None:
        """Shows the page of the chosen phase's rule; below the phases, asks for one of those that stand there."""
        if row := self.row:
            await self._open_page(row.id)
        elif self.chosen == ELSEWHERE:
            self._choose_page([one.phase.id for one in self.elsewhere])
        else:
            self._choose_page([one.id for one in self.status.declined] if self.status else [])

    @work(group="ask")
    async def _choose_page(self, ids: Sequence[str]) -> None:
        answers = [(id, "", text.plain(text.one_line(id))) for id in dict.fromkeys(ids)]
        said = Content("The page says what a rule does, and when it stays silent.")
        answer = await self.app.push_screen_wait(ChooseModal("Which rule's page?", said, answers))
        if answer is not None:
            await self._open_page(answer)

    async def _open_page(self, id: str) -> None:
        page = await self.ask(lambda session: session.page(id))
        if page is not None:
            self.app.push_screen(
                PageModal(
                    text.plain(text.one_line(id)),
                    lambda cells: rule_page.lines(page, cells),
                    copies=page,
                )
            )

    @work(group="ask")
    async def action_target(self) -> None:
        """Turns to another target."""
        status = self.status
        assert status
        answers = [
            (str(at), "", text.plain(text.one_line(one.label))) for at, one in enumerate(status.targets)
        ]
        said = text.own("Now: ", (text.one_line(status.target.label), "bold"))
        answer = await self.app.push_screen_wait(ChooseModal("Which target?", said, answers))
        if answer is not None:
            await self.change(lambda session: session.select(status.targets[int(answer)]))

    async def action_palette(self) -> None:
        """Opens the command palette."""
        self.app.action_command_palette()

    def action_help(self) -> None:
        """Explains every key."""
        self.app.push_screen(PageModal(Content("Help"), help.lines))

    def _turn(self, by: int) -> None:
        active = TABS.index(self.query_one("#tabs", TabbedContent).active)
        self.open_tab(TABS[(active + by) % len(TABS)])
