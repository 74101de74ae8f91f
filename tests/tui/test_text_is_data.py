"""The functions that all text from a repository goes through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from phasewise.tui import text


@pytest.mark.parametrize("make", [text.plain, text.own])
def test_markup_is_not_parsed(make: object) -> None:
    content = make("[red]x[/red] [@click=app.exit]y[/]")  # type: ignore[operator]
    assert content.plain == "[red]x[/red] [@click=app.exit]y[/]"
    assert not content.spans


def test_the_right_end_is_never_cut() -> None:
    line = text.ends(Content("a long name of a phase"), Content("−5.84 GB measured"), 24)
    assert line.plain == "a lon… −5.84 GB measured"
    assert line.cell_length == 24


def test_wrapping_keeps_every_word_and_the_margin() -> None:
    lines = text.wrapped(Content("one two three four five six"), 14, 2)
    assert all(line.plain.startswith("  ") and line.cell_length <= 14 for line in lines)
    assert " ".join(" ".join(line.plain.split()) for line in lines) == "one two three four five six"


@given(st.text(alphabet="ab 世", max_size=60), st.integers(4, 20))
def test_folding_loses_nothing(raw: str, cells: int) -> None:
    pieces = text.folded(Content(raw), cells)
    assert "".join(piece.plain for piece in pieces) == raw
    assert all(piece.cell_length <= cells for piece in pieces)
