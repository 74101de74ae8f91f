"""buildx's progress stream: any layout, cut anywhere, with anything in it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasewise.migration.events import Event, LogLine, StepFinished, StepStarted
from phasewise.migration.rawjson import TAIL_LINES, ObjectSplitter, ProgressDecoder

START, END = "2026-01-01T10:00:00.000000001Z", "2026-01-01T10:00:02.500000001Z"


def vertex(name: str = "[1/2] RUN x", **fields: Any) -> dict[str, Any]:
    return {"vertexes": [{"digest": f"sha256:{name}", "name": name, **fields}]}


def log(data: bytes, name: str = "[1/2] RUN x", stream: int = 1) -> dict[str, Any]:
    entry = {"vertex": f"sha256:{name}", "stream": stream, "data": base64.b64encode(data).decode()}
    return {"logs": [entry]}


def decode(*statuses: dict[str, Any]) -> tuple[list[Event], ProgressDecoder]:
    decoder = ProgressDecoder()
    stream = "".join(json.dumps(status, indent=2) + "\n" for status in statuses).encode()
    return [*decoder.feed(stream), *decoder.close()], decoder


STATUSES = [
    vertex(),
    vertex(started=START),
    log('Grüße {aus} "dem" \\ Bau\nzweite'.encode()),
    vertex(started=START, completed=END, error='said "no" {'),
]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("between", ["\n", "", "\n\n  "])
def test_every_layout_of_the_objects_is_read(indent: int | str | None, between: str) -> None:
    text = between.join(json.dumps(status, indent=indent) for status in STATUSES)
    assert list(ObjectSplitter().feed(text)) == STATUSES


@given(st.lists(st.integers(1, 40), min_size=1))
def test_it_does_not_matter_where_the_stream_is_cut(cuts: list[int]) -> None:
    text = "WARNING: {odd\n" + "\n".join(json.dumps(status, indent=2) for status in STATUSES) + "\nERROR: no"
    raw = text.encode()
    whole, pieces = ProgressDecoder(), ProgressDecoder()
    expected = [*whole.feed(raw), *whole.close()]
    found: list[Event] = []
    position, turn = 0, 0
    while position < len(raw):
        found += pieces.feed(raw[position : position + cuts[turn % len(cuts)]])
        position, turn = position + cuts[turn % len(cuts)], turn + 1
    found += pieces.close()
    assert found == expected
    assert pieces.text == whole.text == ("WARNING: {odd", "ERROR: no")
    assert len(expected) == 4


@given(st.text())
def test_no_text_is_lost_or_breaks_it(text: str) -> None:
    splitter = ObjectSplitter()
    found = [*splitter.feed(text), *splitter.close()]
    plain = [item for item in found if isinstance(item, str)]
    if "{" not in text:
        assert plain == [line for line in text.split("\n") if line.strip()]


def test_what_looks_like_an_object_and_is_none_is_text() -> None:
    splitter = ObjectSplitter()
    assert list(splitter.feed('{not json}\n{"a": 1}\n')) == ["{not json}", {"a": 1}]
    assert [*splitter.feed('{"never": "closed'), *splitter.close()] == ['{"never": "closed']


def test_a_step_starts_prints_and_ends() -> None:
    events, decoder = decode(
        vertex(), vertex(started=START), log(b"one\r\ntwo"), vertex(started=START, completed=END)
    )
    name, key = "[1/2] RUN x", "sha256:[1/2] RUN x"
    assert events == [
        StepStarted(key, name),
        LogLine(key, "one"),
        LogLine(key, "two"),
        StepFinished(key, name, 2.5, False),
    ]
    assert [(step.name, step.seconds, step.cached) for step in decoder.steps] == [(name, 2.5, False)]
    assert decoder.failure is None


def test_a_line_may_come_in_pieces_that_cut_a_character() -> None:
    raw = "ü\n".encode()
    events, _ = decode(vertex(started=START), log(raw[:1]), log(raw[1:]), log(b"\xff\xfe\n"))
    assert [event.text for event in events if isinstance(event, LogLine)] == ["ü", "\ufffd\ufffd"]


def test_streams_do_not_mix_within_a_line() -> None:
    events, _ = decode(vertex(started=START), log(b"out"), log(b"err\n", stream=2), log(b"put\n"))
    assert [event.text for event in events if isinstance(event, LogLine)] == ["err", "output"]


def test_a_progress_bar_without_newlines_still_shows() -> None:
    events, _ = decode(vertex(started=START), log(b"#" * 20_000), vertex(started=START, completed=END))
    assert [len(event.text) for event in events if isinstance(event, LogLine)] == [20_000]


def test_a_vertex_that_runs_again_counts_all_its_time_once() -> None:
    events, decoder = decode(
        vertex(started="2026-01-01T10:00:00Z", completed="2026-01-01T10:00:01Z"),
        vertex(started="2026-01-01T10:00:00.5Z"),
        vertex(started="2026-01-01T10:00:00.5Z", completed="2026-01-01T10:00:03Z", cached=True),
    )
    assert [type(event) for event in events] == [StepStarted, StepFinished, StepFinished]
    assert [(step.seconds, step.cached) for step in decoder.steps] == [(3.0, True)]


def test_the_failing_step_is_the_one_that_was_not_taken_down() -> None:
    _, decoder = decode(
        vertex("[a 1/1] RUN sleep", started=START),
        vertex("[b 1/1] RUN false", started=START),
        log(b"".join(b"%d\n" % number for number in range(100)), "[b 1/1] RUN false"),
        vertex("[a 1/1] RUN sleep", started=START, completed=END, error="context canceled"),
        vertex("[b 1/1] RUN false", started=START, completed=END, error="exit code: 1"),
    )
    assert decoder.failure is not None
    assert (decoder.failure.step, decoder.failure.error) == ("[b 1/1] RUN false", "exit code: 1")
    assert decoder.failure.lines == tuple(str(number) for number in range(100 - TAIL_LINES, 100))
    assert decoder.steps == ()


def test_a_vertex_that_failed_without_having_started_is_the_failure() -> None:
    events, decoder = decode(vertex(error="pull access denied"))
    assert events == []
    assert decoder.failure is not None
    assert decoder.failure.error == "pull access denied"
