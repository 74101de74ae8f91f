"""What a phase edits: its files with ticks, and the diff of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive

from phasewise.model.hunks import hunks
from phasewise.model.phase import FileEdit
from phasewise.model.status import Row
from phasewise.tui import text
from phasewise.tui.present import diff
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.tick_list import TickList


class DiffTab(Vertical):
    """The edits of one row."""

    row: reactive[Row | None] = reactive(None)
    after: reactive[tuple[str, ...]] = reactive(())
    """The ids of the phases that are not applied, and on whose edits the row's are drawn."""
    beside: reactive[bool] = reactive(False)
    """Side by side, or unified."""
    hunk: reactive[str] = reactive("")
    """The id of the hunk under the cursor; empty while the cursor is on the whole file."""

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

    def move_hunk(self, by: int) -> None:
        """Puts the cursor on the next or previous hunk of the file, where there is more than one."""
        edit = self._edit()
        ids = [hunk.id for hunk in hunks(edit)] if edit else []
        if len(ids) > 1:
            at = ids.index(self.hunk) if self.hunk in ids else -1 if by > 0 else 0
            self.hunk = ids[(at + by) % len(ids)]
        self.query_one(Page).focus()

    def watch_row(self, before: Row | None, row: Row | None) -> None:
        edits = self._edits()
        unticked = row.unticked if row else frozenset()
        left_out = row.left_out if row else {}
        self.query_one(TickList).show(
            [
                (
                    edit.path,
                    _label(edit, left_out.get(edit.path, frozenset()), bool(row and row.commit)),
                    edit.path not in unticked,
                )
                for edit in edits
            ]
        )
        same = before is not None and row is not None and before.id == row.id
        edit = self._edit()
        if not same or not edit or self.hunk not in {hunk.id for hunk in hunks(edit)}:
            self.hunk = ""
        self._show(keep=same)

    def watch_after(self) -> None:
        self._show(keep=True)

    def watch_beside(self) -> None:
        self._show(keep=True)

    def watch_hunk(self) -> None:
        self._show(keep=True)
        page = self.query_one(Page)
        at = next((at for at, line in enumerate(page.lines) if line.plain.startswith(diff.CURSOR)), None)
        if at is not None:
            page.scroll_to(0, max(at - 3, 0), animate=False)

    def on_option_list_option_highlighted(self) -> None:
        self.hunk = ""
        self._show()

    def _edits(self) -> Sequence[FileEdit]:
        return self.row.phase.edits if self.row and self.row.phase else ()

    def _edit(self) -> FileEdit | None:
        """The edit that is shown."""
        return next((edit for edit in self._edits() if edit.path == self.file), None)

    def _show(self, keep: bool = False) -> None:
        edit, row = self._edit(), self.row
        draw = diff.side_by_side if self.beside else diff.unified
        said = (
            "No file to show." if row else "No phase is chosen: enter shows what this line of the list holds."
        )
        nothing = Content.styled(said, "italic dim")
        ticks = (
            diff.Ticks(row.left_out.get(self.file, frozenset()), self.hunk)
            if row and not row.commit
            else None
        )
        after = self.after
        self.query_one(Page).show(
            lambda cells: [*_ground(after, cells), *draw(edit, cells, ticks)] if edit else [nothing],
            keep=keep,
        )


def _ground(after: Sequence[str], cells: int) -> list[Content]:
    """What the edits are drawn on, where that is not the text as it is; nothing otherwise."""
    if not after:
        return []
    what = after[0] if len(after) == 1 else f"{len(after)} phases"
    verb = "is" if len(after) == 1 else "are"
    said = text.own(
        (f"Drawn after {what}, which {verb} not applied; ", "dim"),
        ("a", "bold $text-accent"),
        (" plans it on the text as it is.", "dim"),
    )
    return text.wrapped(said, cells)


def _label(edit: FileEdit, left_out: frozenset[str], applied: bool) -> Content:
    """`backend/Dockerfile  new  +12 −3  2 of 3 hunks`; where all are in, and may still be left out, how."""
    added, removed = diff.counts(edit)
    found = hunks(edit)
    gone = [hunk for hunk in found if hunk.id in left_out]
    kind = "new  " if edit.before is None else "deleted  " if edit.after is None else ""
    return text.own(
        (text.one_line(edit.path), "bold"),
        "  ",
        (kind, "italic"),
        (f"+{added} ", "$text-success"),
        (f"−{removed}", "$text-error"),
        (f"  {len(found) - len(gone)} of {len(found)} hunks" if gone else "", "$text-warning"),
        (
            f"  {len(found)} hunks, n chooses one" if len(found) > 1 and not gone and not applied else "",
            "dim",
        ),
    )
