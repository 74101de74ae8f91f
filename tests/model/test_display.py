"""Text from a repository never acts on the terminal, and hides nothing in it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasewise.model.display import log_line, one_line, visible

ANYTHING = st.text(st.characters())
"""Surrogates too: bytes that were not UTF-8 arrive as those."""


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\rb", "a␍b"),
        ("line\r\n", "line␍\n"),
        ("a\bb", "a␈b"),
        ("\x00\x7f", "␀␡"),
        ("\x9b2J", "\\x9b2J"),
        ("user\u202egnp.exe", "user⟨U+202E⟩gnp.exe"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("one\u2028two", "one⟨U+2028⟩two"),
        ("not utf-8: \udcff", "not utf-8: \\xff"),
        ("half a pair: \ud83d", "half a pair: ⟨U+D83D⟩"),
        ("hidden\U000e0041", "hidden⟨U+E0041⟩"),
        ("smuggled\U000e0101", "smuggled⟨U+E0101⟩"),
        ("a\tb\n\tc", "a   b\n    c"),
        ("Grüße, 世界 ✔", "Grüße, 世界 ✔"),
    ],
)
def test_what_could_act_or_hide_becomes_visible(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@given(ANYTHING)
def test_nothing_that_could_act_is_left(raw: str) -> None:
    shown = visible(raw)
    shown.encode("utf-8")
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in shown if c != "\n")
    assert not any(unicodedata.bidirectional(c) in {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI"} for c in shown)
    assert shown.count("\n") == raw.count("\n")
    assert visible(shown) == shown


@given(ANYTHING)
def test_one_line_is_one_line(raw: str) -> None:
    assert "\n" not in one_line(raw)
    assert one_line(raw).count("␤") == raw.count("\n") + raw.count("␤")


def test_a_log_line_loses_its_colours_and_its_ending_only() -> None:
    assert log_line("\x1b[1;32mok\x1b[0m 10%\r50%\x1b[K\r\n") == "ok 10%␍50%"
    assert log_line("\x1b[2Jgone?") == "␛[2Jgone?"
    assert log_line("\x1b]0;title\x07text") == "␛]0;title␇text"
