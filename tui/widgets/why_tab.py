"""Why a phase is proposed, and the choices that it leaves to the user."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.reactive import reactive

from phasewise.model.elsewhere import Elsewhere
from phasewise.model.phase import Choice, Declined
from phasewise.model.status import Row
from phasewise.tui.present import elsewhere, why
from phasewise.tui.widgets.choice_picker import ChoicePicker
from phasewise.tui.widgets.page import Page


class WhyTab(Vertical):
    """The reasons of one row; of all phases of other targets, or of everything declined, when there is no row."""

    row: reactive[Row | None] = reactive(None)
    declined: reactive[tuple[Declined, ...]] = reactive(())
    elsewhere: reactive[tuple[Elsewhere, ...]] = reactive(())
    """The phases of other targets that edit files which this one reads too."""
    others: reactive[bool] = reactive(False)
    """Whether those are what is asked for, where there is no row."""

    def compose(self) -> ComposeResult:
        yield Page(id="reasons")
        yield Vertical(id="choices")

    def watch_declined(self) -> None:
        self._show()

    def watch_elsewhere(self) -> None:
        self._show(keep=True)

    def watch_others(self) -> None:
        self._show()

    async def watch_row(self, before: Row | None, row: Row | None) -> None:
        self._show(keep=bool(before and row and before.id == row.id))
        await self._show_choices(_open_choices(row))

    def _show(self, keep: bool = False) -> None:
        row, declined, others = self.row, self.declined, self.elsewhere
        if row:
            self.query_one(Page).show(lambda cells: why.lines(row, cells, others), keep=keep)
        elif self.others:
            self.query_one(Page).show(lambda cells: elsewhere.lines(others, cells), keep=keep)
        else:
            self.query_one(Page).show(lambda cells: why.declined_lines(declined, cells), keep=keep)

    async def _show_choices(self, choices: Sequence[Choice]) -> None:
        """Fills the pickers that are there; makes new ones only for other questions, so that focus stays."""
        box = self.query_one("#choices", Vertical)
        pickers = list(box.query(ChoicePicker))
        phase = self.row.id if self.row else ""
        if [(picker.phase, picker.choice.id) for picker in pickers] == [
            (phase, choice.id) for choice in choices
        ]:
            for picker, choice in zip(pickers, choices, strict=True):
                picker.choice = choice
            return
        async with self.batch():
            await box.remove_children()
            await box.mount_all(ChoicePicker(phase, choice) for choice in choices)
        box.display = bool(choices)


def _open_choices(row: Row | None) -> Sequence[Choice]:
    """The questions of a phase that is not applied yet."""
    return row.phase.choices if row and row.phase and row.commit is None else ()
