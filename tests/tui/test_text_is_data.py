"""The functions that all text from a repository goes through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from phasewise.tui import text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\rb", "a␍b"),
        ("a\bb", "a␈b"),
        ("\x00\x7f", "␀␡"),
        ("\x9b2J", "\\x9b2J"),
        ("user\u202egnp.exe", "user⟨U+202E⟩gnp.exe"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("one\u2028two", "one⟨U+2028⟩two"),
        ("not utf-8: \udcff", "not utf-8: \\xff"),
        ("hidden\U000e0041", "hidden⟨U+E0041⟩"),
        ("a\tb\n\tc", "a   b\n    c"),
        ("Grüße, 世界 ✔", "Grüße, 世界 ✔"),
    ],
)
def test_what_could_act_becomes_visible(raw: str, shown: str) -> None:
    assert text.visible(raw) == shown


@given(st.text())
def test_nothing_that_could_act_is_left(raw: str) -> None:
    shown = text.visible(raw)
    shown.encode("utf-8")
    assert not any(
        ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown if character != "\n"
    )
    assert text.visible(shown) == shown


def test_a_log_line_loses_its_colours_and_its_ending_only() -> None:
    assert text.log_line("\x1b[1;32mok\x1b[0m 10%\r50%\r\n") == "ok 10%␍50%"
    assert text.log_line("\x1b[2Jgone?") == "␛[2Jgone?"


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
