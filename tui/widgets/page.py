"""A scrolling page: a pure function from a width to lines, drawn one line at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

Lines = Callable[[int], Sequence[Content]]


class Page(ScrollView, can_focus=True):
    """Shows what `show` was given last; computes it again when the width changes."""

    BINDINGS = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
        Binding("g", "scroll_home", "top", show=False),
        Binding("G", "scroll_end", "end", show=False),
    ]

    def __init__(
        self, lines: Lines = lambda cells: (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._make = lines
        self._cells = -1
        self._end_y: int | None = None
        """Where the page was put to follow its end; it follows while it still stands there."""
        self.lines: Sequence[Content] = ()
        """What is on the page, one item a line."""

    def show(self, lines: Lines, *, keep: bool = False, end: bool = False) -> None:
        """Shows other lines: from the top, from where it was (`keep`), or following the `end` as it grows."""
        at_end = end and (self._follows or self.max_scroll_y - self.scroll_offset.y <= 1)
        self._make = lines
        self._compute()
        if at_end:
            self._to_end()
        elif not keep and not end:
            self.scroll_to(0, 0, animate=False, immediate=True)

    @property
    def text(self) -> str:
        """The page as plain text."""
        return "\n".join(line.plain for line in self.lines)

    def on_resize(self) -> None:
        """Other widths break lines elsewhere; a page that follows its end still does, at any height."""
        follows = self._follows
        if self._cells != self._room:
            self._compute()
        if follows:
            self._to_end()

    def follow(self) -> None:
        """Goes to the end with what is shown next, and follows it."""
        self._end_y = self.scroll_offset.y

    @property
    def _follows(self) -> bool:
        return self._end_y == self.scroll_offset.y

    def _to_end(self) -> None:
        self.scroll_end(animate=False, immediate=True)
        self._end_y = self.scroll_offset.y

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        row, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        style = self.visual_style
        line = self.lines[row] if row < len(self.lines) else Content("")
        strips = Visual.to_strips(self, line, max(width, 1), 1, style, pad=True, apply_selection=False)
        return strips[0] if strips else Strip.blank(width, style.rich_style)

    @property
    def _room(self) -> int:
        """The width of a line; the style sheet keeps the scrollbar's column free."""
        return self.scrollable_content_region.width

    def _compute(self) -> None:
        """Asks for the lines; draws them where they are not those that are there already."""
        before, cells = self.lines, self._cells
        self._cells = self._room
        if self._cells > 0:
            self.lines = self._make(self._cells)
            self.virtual_size = Size(self._cells, len(self.lines))
        if self._cells != cells or not _same(before, self.lines):
            self.refresh()


def _same(before: Sequence[Content], after: Sequence[Content]) -> bool:
    """Whether two pages look the same."""
    return len(before) == len(after) and all(map(Content.is_same, before, after))
