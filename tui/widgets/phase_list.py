"""The list of phases; the last lines stand for those of other targets, and for what was declined."""

from __future__ import annotations

from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from phasewise.model.status import Row, Status
from phasewise.tui import text
from phasewise.tui.keys import VIM_KEYS
from phasewise.tui.present import phases

DECLINED = "declined"
ELSEWHERE = "elsewhere"


class PhaseList(OptionList):
    """Keeps its cursor on the same phase when the rows change."""

    BINDINGS = VIM_KEYS

    status: reactive[Status | None] = reactive(None)
    running: reactive[str] = reactive("")
    """The id of the phase at work."""
    wanted: reactive[str] = reactive("")
    """The filter."""
    elsewhere: reactive[int] = reactive(0)
    """How many phases of other targets edit files that this one reads too."""

    class Chosen(Message):
        """The cursor moved to another line; `id` is the phase's, ELSEWHERE or DECLINED."""

        def __init__(self, id: str) -> None:
            super().__init__()
            self.id = id

    @property
    def chosen(self) -> str:
        """The id under the cursor; empty when there is none."""
        return (self.get_option_at_index(self.highlighted).id or "") if self.highlighted is not None else ""

    def has(self, id: str) -> bool:
        """Whether the line is there: the filter may have left it out."""
        return any(option.id == id for option in self.options)

    def choose(self, id: str) -> None:
        """Puts the cursor on a line that is there."""
        self.highlighted = self.get_option_index(id)

    def watch_status(self) -> None:
        self._fill()

    def watch_running(self) -> None:
        self._fill()

    def watch_wanted(self) -> None:
        self._fill()

    def watch_elsewhere(self) -> None:
        self._fill()

    def on_resize(self) -> None:
        self._fill()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.post_message(self.Chosen(event.option.id or ""))

    def _fill(self) -> None:
        """Draws every line again for the width that there is."""
        status, cells = self.status, self.scrollable_content_region.width
        if status is None or cells <= 0:
            return
        before = self.chosen
        rows = [
            (number, row) for number, row in enumerate(status.rows, 1) if phases.matches(row, self.wanted)
        ]
        options = [Option(self._line(number, row, cells), id=row.id) for number, row in rows]
        if status.unreadable:
            options += _said(text.plain(status.unreadable, "$text-error"), cells)
        if status.rows and not rows:
            nothing = (
                "No phase matches ",
                text.one_line(self.wanted.strip()),
                "; ",
                ("esc", "bold $text-accent"),
                " shows all.",
            )
            options += _said(text.own(*nothing), cells)
        if self.elsewhere:
            said = f"Of other targets ({self.elsewhere}) ▸"
            options.append(Option(Content.styled(said, "italic"), id=ELSEWHERE))
        options.append(Option(Content.styled(f"Declined ({len(status.declined)}) ▸", "italic"), id=DECLINED))
        ids = [option.id for option in options]
        with self.prevent(OptionList.OptionHighlighted):
            self.set_options(options)
            self.highlighted = ids.index(before) if before in ids else self._start(status.rows, ids)
        if self.chosen != before:
            self.post_message(self.Chosen(self.chosen))

    def _start(self, rows: tuple[Row, ...], ids: list[str | None]) -> int:
        """Where the cursor goes first: the phase that comes next."""
        current = phases.current(rows)
        first = next(index for index, id in enumerate(ids) if id)
        return ids.index(current) if current in ids else first if rows else ids.index(DECLINED)

    def _line(self, number: int, row: Row, cells: int) -> Content:
        assert self.status is not None
        shown = phases.mark(row, current=phases.current(self.status.rows), running=self.running)
        make = phases.line if self.screen.has_class("-narrow") else phases.two_lines
        return make(row, number, shown, cells)


def _said(content: Content, cells: int) -> list[Option]:
    """A sentence among the phases, over as many lines as it takes: the cursor passes it over."""
    return [Option(piece, disabled=True) for piece in text.wrapped(content, cells)]
