"""A file edit as lines: unified or side by side, coloured, with what changed inside a line marked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from textual.content import Content, Span

from phasewise.model.phase import FileEdit
from phasewise.tui import text
from phasewise.tui.present.languages import coloured_lines

_CONTEXT = 3
_ADDED, _REMOVED = "on $success-muted", "on $error-muted"
_ADDED_INSIDE, _REMOVED_INSIDE = "bold underline on $success 45%", "bold underline on $error 45%"


@dataclass(frozen=True, slots=True)
class Side:
    """One line of one side."""

    number: int
    line: Content


@dataclass(frozen=True, slots=True)
class Pair:
    """A line before and after; equal, changed, or only on one side."""

    before: Side | None
    after: Side | None
    same: bool


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of changes with the lines around it."""

    pairs: tuple[Pair, ...]


@lru_cache(maxsize=64)
def hunks(edit: FileEdit) -> tuple[Hunk, ...]:
    """The changes of an edit, in order, with three lines around each."""
    before, after = _lines(edit.before, edit.path), _lines(edit.after, edit.path)
    matcher = difflib.SequenceMatcher(None, [line for line, _ in before], [line for line, _ in after], False)
    return tuple(Hunk(tuple(_pairs(before, after, group))) for group in matcher.get_grouped_opcodes(_CONTEXT))


def counts(edit: FileEdit) -> tuple[int, int]:
    """How many lines are added and removed."""
    pairs = [pair for hunk in hunks(edit) for pair in hunk.pairs if not pair.same]
    return sum(pair.after is not None for pair in pairs), sum(pair.before is not None for pair in pairs)


def unified(edit: FileEdit, cells: int) -> list[Content]:
    """The edit with removed lines above added ones; long lines go on below, nothing is cut."""
    digits = _digits(edit)
    lines: list[Content] = []
    for index, hunk in enumerate(hunks(edit)):
        lines += [_rule(cells)] if index else []
        for block in _blocks(hunk.pairs):
            if block[0].same:
                for pair in block:
                    assert pair.after
                    lines += _numbered(pair.after, " ", digits, "", cells)
                continue
            for pair in block:
                lines += _numbered(pair.before, "-", digits, _REMOVED, cells) if pair.before else []
            for pair in block:
                lines += _numbered(pair.after, "+", digits, _ADDED, cells) if pair.after else []
    return lines + _endings(edit)


def side_by_side(edit: FileEdit, cells: int) -> list[Content]:
    """The edit with before on the left and after on the right; long lines go on below."""
    digits = _digits(edit)
    left = (cells - 1) // 2
    right = cells - 1 - left
    bar = Content.styled("│", "$foreground 30%")
    lines: list[Content] = []
    for index, hunk in enumerate(hunks(edit)):
        lines += [_rule(cells)] if index else []
        for pair in hunk.pairs:
            old = _numbered(
                pair.before, " " if pair.same else "-", digits, "" if pair.same else _REMOVED, left
            )
            new = _numbered(pair.after, " " if pair.same else "+", digits, "" if pair.same else _ADDED, right)
            lines += [
                (one or Content(" " * left)) + bar + (other or Content(" " * right))
                for one, other in zip_longest(old, new)
            ]
    return lines + _endings(edit)


def _lines(source: str | None, path: str) -> list[tuple[str, list[Span]]]:
    """The lines of one side, made visible, with their colours."""
    if not source:
        return []
    return coloured_lines(text.visible(source.removesuffix("\n")), path)


def _pairs(
    before: Sequence[tuple[str, list[Span]]],
    after: Sequence[tuple[str, list[Span]]],
    group: Sequence[tuple[str, int, int, int, int]],
) -> Iterator[Pair]:
    for tag, old_start, old_end, new_start, new_end in group:
        for old, new in zip_longest(range(old_start, old_end), range(new_start, new_end)):
            one = before[old] if old is not None else None
            other = after[new] if new is not None else None
            changed_old, changed_new = _inside(one, other) if tag == "replace" else ([], [])
            yield Pair(
                Side(old + 1, _content(one, changed_old)) if one is not None else None,
                Side(new + 1, _content(other, changed_new)) if other is not None else None,
                tag == "equal",
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


def _numbered(side: Side | None, sign: str, digits: int, background: str, cells: int) -> list[Content]:
    """A line with its number and sign, folded to `cells`, the background over the full width."""
    if side is None:
        return []
    width = cells - digits - 3
    return [
        _padded(
            Content.styled(
                f"{side.number if not index else '':>{digits}}{sign if not index else ' '} ", "dim"
            )
            + piece,
            background,
            cells,
        )
        for index, piece in enumerate(text.folded(side.line, max(width, 10)))
    ]


def _padded(line: Content, background: str, cells: int) -> Content:
    whole = text.fit(line, cells)
    return whole.stylize_before(background) if background else whole


def _blocks(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Neighbours that are all equal or all changed."""
    block: list[Pair] = []
    for pair in pairs:
        if block and block[0].same != pair.same:
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
