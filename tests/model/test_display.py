"""Text from a repository never acts on the terminal."""

from hypothesis import given
from hypothesis import strategies as st

from phasewise.model.display import plain_log, visible


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    shown = visible(text)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in shown if c != "\n")
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
    assert shown.count("\n") == text.count("\n")
    shown.encode("utf-8")


def test_escape_becomes_its_picture() -> None:
    assert visible("a\x1b[31mb") == "a␛[31mb"
    assert visible("x\r\ny\r") == "x\ny"
    assert visible("\tif") == "    if"


def test_logs_lose_colours_and_keep_the_last_state_of_a_bar() -> None:
    assert plain_log("\x1b[32mok\x1b[0m") == "ok"
    assert plain_log("10 %\r50 %\r100 %\n") == "100 %"
    assert plain_log("\x1b]0;title\x07text") == "text"
