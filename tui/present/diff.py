"""A file edit as lines: unified or side by side, coloured, with what changed inside a line marked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest

from msgspec import Struct
from textual.content import Content, Span

from phasewise.model.hunks import Opcode, hunks
from phasewise.model.phase import FileEdit, split_lines
from phasewise.tui import text
from phasewise.tui.present.languages import coloured_lines

_CONTEXT = 3
_TICK_CELLS = 3
CURSOR = "▶"
"""Stands before the box of the hunk under the cursor."""
_ADDED, _REMOVED = "on $success-muted", "on $error-muted"
_ADDED_INSIDE, _REMOVED_INSIDE = "bold underline on $success 45%", "bold underline on $error 45%"


class Side(Struct, frozen=True):
    """One line of one side."""

    number: int
    line: Content


class Pair(Struct, frozen=True):
    """A line before and after; equal, changed, or only on one side."""

    before: Side | None
    after: Side | None
    same: bool
    hunk: str = ""
    """The id of the hunk that changes it."""


class Ticks(Struct, frozen=True):
    """What the user left out of a file, and where the cursor stands; both by the ids of hunks."""

    left_out: frozenset[str] = frozenset()
    current: str = ""


class Passage(Struct, frozen=True):
    """A few hunks close to each other, with the lines around them."""

    pairs: tuple[Pair, ...]


@lru_cache(maxsize=64)
def passages(edit: FileEdit) -> tuple[Passage, ...]:
    """The changes of an edit, in order, with three lines around each."""
    before, after = _lines(edit.before, edit.path), _lines(edit.after, edit.path)
    matcher = difflib.SequenceMatcher(
        None, split_lines(edit.before or ""), split_lines(edit.after or ""), False
    )
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    ids: dict[Opcode, str] = {code: hunk.id for code, hunk in zip(changes, hunks(edit), strict=True)}
    groups = matcher.get_grouped_opcodes(_CONTEXT)
    return tuple(Passage(tuple(_pairs(before, after, group, ids))) for group in groups)


def counts(edit: FileEdit) -> tuple[int, int]:
    """How many lines are added and removed."""
    pairs = [pair for passage in passages(edit) for pair in passage.pairs if not pair.same]
    return sum(pair.after is not None for pair in pairs), sum(pair.before is not None for pair in pairs)


def unified(edit: FileEdit, cells: int, ticks: Ticks | None = None) -> list[Content]:
    """The edit with removed lines above added ones; long lines go on below, nothing is cut.

    With `ticks`, where there is more than one hunk, each has a box in front of it.
    """
    digits, ticks = _digits(edit), _shown(edit, ticks)
    width = cells - (_TICK_CELLS if ticks else 0)
    lines: list[Content] = []
    for index, passage in enumerate(passages(edit)):
        lines += [_rule(cells)] if index else []
        for block in _blocks(passage.pairs):
            drawn: list[Content] = []
            gone = _is_left_out(block, ticks)
            for pair in block if block[0].same else ():
                drawn += _numbered(pair.after, " ", digits, "", width)
            for pair in () if block[0].same else block:
                drawn += _numbered(pair.before, "-", digits, _REMOVED, width, gone)
            for pair in () if block[0].same else block:
                drawn += _numbered(pair.after, "+", digits, _ADDED, width, gone)
            lines += _ticked(drawn, block[0].hunk, ticks)
    return lines + _endings(edit)


def side_by_side(edit: FileEdit, cells: int, ticks: Ticks | None = None) -> list[Content]:
    """The edit with before on the left and after on the right; long lines go on below. `ticks` as in `unified`."""
    digits, ticks = _digits(edit), _shown(edit, ticks)
    width = cells - (_TICK_CELLS if ticks else 0)
    left = (width - 1) // 2
    right = width - 1 - left
    bar = Content.styled("│", "$foreground 30%")
    lines: list[Content] = []
    for index, passage in enumerate(passages(edit)):
        lines += [_rule(cells)] if index else []
        for block in _blocks(passage.pairs):
            drawn: list[Content] = []
            same, gone = block[0].same, _is_left_out(block, ticks)
            for pair in block:
                old = _numbered(
                    pair.before, " " if same else "-", digits, "" if same else _REMOVED, left, gone
                )
                new = _numbered(pair.after, " " if same else "+", digits, "" if same else _ADDED, right, gone)
                drawn += [
                    (one or Content(" " * left)) + bar + (other or Content(" " * right))
                    for one, other in zip_longest(old, new)
                ]
            lines += _ticked(drawn, block[0].hunk, ticks)
    return lines + _endings(edit)


def _shown(edit: FileEdit, ticks: Ticks | None) -> Ticks | None:
    """The ticks where they are drawn: a single hunk goes with its file."""
    return ticks if len(hunks(edit)) > 1 else None


def _is_left_out(block: Sequence[Pair], ticks: Ticks | None) -> bool:
    return ticks is not None and block[0].hunk in ticks.left_out


def _ticked(lines: Sequence[Content], hunk: str, ticks: Ticks | None) -> list[Content]:
    """The lines of one hunk behind its box, the cursor before it; unchanged lines behind nothing."""
    if ticks is None:
        return list(lines)
    current = bool(hunk) and hunk == ticks.current
    box = "" if not hunk else "☐" if hunk in ticks.left_out else "☑"
    style = "bold $text-accent" if current else "dim"
    first = Content.styled(f"{CURSOR if current else ' '}{box}".ljust(_TICK_CELLS), style)
    rest = Content.styled(("▏" if current else "").ljust(_TICK_CELLS), style)
    return [(rest if index else first) + line for index, line in enumerate(lines)]


def _lines(source: str | None, path: str) -> list[tuple[str, list[Span]]]:
    """The lines of one side, made visible, with their colours."""
    if not source:
        return []
    return coloured_lines(text.visible(source.removesuffix("\n")), path)


def _pairs(
    before: Sequence[tuple[str, list[Span]]],
    after: Sequence[tuple[str, list[Span]]],
    group: Sequence[Opcode],
    ids: Mapping[Opcode, str],
) -> Iterator[Pair]:
    for code in group:
        tag, old_start, old_end, new_start, new_end = code
        for old, new in zip_longest(range(old_start, old_end), range(new_start, new_end)):
            one = before[old] if old is not None else None
            other = after[new] if new is not None else None
            changed_old, changed_new = _inside(one, other) if tag == "replace" else ([], [])
            yield Pair(
                Side(old + 1, _content(one, changed_old)) if one is not None else None,
                Side(new + 1, _content(other, changed_new)) if other is not None else None,
                tag == "equal",
                ids.get(code, ""),
            )


def _inside(
    one: tuple[str, list[Span]] | None, other: tuple[str, list[Span]] | None
) -> tuple[list[Span], list[Span]]:
    """What differs within two lines that stand for each other; nothing when they have little in common."""
    if one is None or other is None:
        return [], []
    matcher = difflib.SequenceMatcher(None, one[0], other[0], False)
    if matcher.ratio() < 0.5:
        return [], []
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return (
        [Span(start, end, _REMOVED_INSIDE) for _, start, end, _, _ in changes if end > start],
        [Span(start, end, _ADDED_INSIDE) for _, _, _, start, end in changes if end > start],
    )


def _content(line: tuple[str, list[Span]] | None, changed: list[Span]) -> Content:
    assert line is not None
    return Content(line[0], spans=[*line[1], *changed])


def _numbered(
    side: Side | None, sign: str, digits: int, background: str, cells: int, gone: bool = False
) -> list[Content]:
    """A line with its number and sign, folded to `cells`, the background over the full width.

    One that is left out (`gone`) has no background: nothing happens to it.
    """
    if side is None:
        return []
    width = cells - digits - 3
    line = Content.styled(side.line.plain, "dim strike") if gone else side.line
    background = "" if gone else background
    return [
        _padded(
            Content.styled(
                f"{side.number if not index else '':>{digits}}{sign if not index else ' '} ", "dim"
            )
            + piece,
            background,
            cells,
        )
        for index, piece in enumerate(text.folded(line, max(width, 10)))
    ]


def _padded(line: Content, background: str, cells: int) -> Content:
    whole = text.fit(line, cells)
    return whole.stylize_before(background) if background else whole


def _blocks(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Neighbours that are all equal, or changed by the same hunk."""
    block: list[Pair] = []
    for pair in pairs:
        if block and block[0].hunk != pair.hunk:
            yield block
            block = []
        block.append(pair)
    if block:
        yield block


def _rule(cells: int) -> Content:
    return Content.styled("┈" * cells, "$foreground 30%")


def _endings(edit: FileEdit) -> list[Content]:
    """Says so when only one side ends with a newline: no line would show it."""
    if not edit.before or not edit.after or edit.before.endswith("\n") == edit.after.endswith("\n"):
        return []
    said = "no newline at the end any more" if edit.before.endswith("\n") else "a newline at the end now"
    return [Content.styled(f"\\ {said}", "italic dim")]


def _digits(edit: FileEdit) -> int:
    return len(str(max((edit.before or "").count("\n"), (edit.after or "").count("\n")) + 1))
