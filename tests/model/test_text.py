"""Spans and edits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasewise.model.text import Edit, OverlappingEdits, Span, apply_edits, decode, encode


def test_spans() -> None:
    span = Span(2, 5)
    assert (len(span), span.of("abcdefg")) == (3, "cde")
    assert span.covers(Span(2, 5))
    assert span.covers(Span(3, 3))
    assert not span.covers(Span(1, 3))
    assert not span.covers(Span(4, 6))
    assert sorted([Span(3, 4), Span(1, 9), Span(1, 2)]) == [Span(1, 2), Span(1, 9), Span(3, 4)]


@pytest.mark.parametrize("ends", [(-1, 2), (3, 2)])
def test_what_is_no_span(ends: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a span"):
        Span(*ends)


@pytest.mark.parametrize(
    ("edits", "result"),
    [
        ([], "abcdef"),
        ([Edit(Span(1, 3), "X")], "aXdef"),
        ([Edit(Span(4, 6), ""), Edit(Span(0, 1), "")], "bcd"),
        ([Edit(Span(3, 3), "1"), Edit(Span(3, 3), "2")], "abc12def"),
        ([Edit(Span(2, 3), "X"), Edit(Span(3, 4), "Y")], "abXYef"),
        ([Edit(Span(2, 4), "X"), Edit(Span(2, 2), "1"), Edit(Span(4, 4), "2")], "ab1X2ef"),
        ([Edit(Span(6, 6), "!")], "abcdef!"),
    ],
)
def test_apply_edits(edits: list[Edit], result: str) -> None:
    assert apply_edits("abcdef", edits) == result


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(OverlappingEdits, match="character 2"):
        apply_edits("abcdef", [Edit(Span(1, 3), ""), Edit(Span(2, 4), "")])
    with pytest.raises(OverlappingEdits):
        apply_edits("abcdef", [Edit(Span(1, 4), ""), Edit(Span(2, 2), "x")])


def test_edits_behind_the_end_are_refused() -> None:
    with pytest.raises(ValueError, match="ends at 7"):
        apply_edits("abcdef", [Edit(Span(6, 7), "")])


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_come_back(raw: bytes) -> None:
    assert encode(decode(raw)) == raw


@settings(deadline=None)
@given(st.text(), st.lists(st.integers(0, 100), max_size=8), st.text(max_size=3))
def test_what_edits_do_not_cover_stays(text: str, cuts: list[int], replacement: str) -> None:
    ends = sorted(min(cut, len(text)) for cut in cuts)
    pairs = list(zip(ends[::2], ends[1::2], strict=False))
    edits = [Edit(Span(start, end), replacement) for start, end in pairs]
    kept, position = [], 0
    for start, end in pairs:
        kept.append(text[position:start])
        position = end
    assert apply_edits(text, reversed(edits)) == replacement.join([*kept, text[position:]])
