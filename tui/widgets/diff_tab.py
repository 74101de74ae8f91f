"""What a phase edits: its files with ticks, and the diff of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive

from phasewise.model.phase import FileEdit
from phasewise.model.status import Row
from phasewise.tui import text
from phasewise.tui.present import diff
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.tick_list import TickList


class DiffTab(Vertical):
    """The edits of one row."""

    row: reactive[Row | None] = reactive(None)
    beside: reactive[bool] = reactive(False)
    """Side by side, or unified."""

    def compose(self) -> ComposeResult:
        yield TickList(id="files")
        yield Page(id="diff-page")

    @property
    def file(self) -> str:
        """The path that is shown; empty when there is none."""
        return self.query_one(TickList).current

    def move(self, by: int) -> None:
        """Shows the next or previous file."""
        files = self.query_one(TickList)
        if files.option_count:
            files.highlighted = ((files.highlighted or 0) + by) % files.option_count

    def watch_row(self, before: Row | None, row: Row | None) -> None:
        edits = self._edits()
        unticked = row.unticked if row else frozenset()
        self.query_one(TickList).show(
            [(edit.path, _label(edit), edit.path not in unticked) for edit in edits]
        )
        same = before is not None and row is not None and before.id == row.id
        self._show(keep=same)

    def watch_beside(self) -> None:
        self._show(keep=True)

    def on_option_list_option_highlighted(self) -> None:
        self._show()

    def _edits(self) -> Sequence[FileEdit]:
        return self.row.phase.edits if self.row and self.row.phase else ()

    def _show(self, keep: bool = False) -> None:
        edit = next((edit for edit in self._edits() if edit.path == self.file), None)
        draw = diff.side_by_side if self.beside else diff.unified
        nothing = Content.styled("No file to show.", "italic dim")
        self.query_one(Page).show(lambda cells: draw(edit, cells) if edit else [nothing], keep=keep)


def _label(edit: FileEdit) -> Content:
    """`backend/Dockerfile  new  +12 −3`."""
    added, removed = diff.counts(edit)
    kind = "new  " if edit.before is None else "deleted  " if edit.after is None else ""
    return text.own(
        (text.one_line(edit.path), "bold"),
        "  ",
        (kind, "italic"),
        (f"+{added} ", "$text-success"),
        (f"−{removed}", "$text-error"),
    )
