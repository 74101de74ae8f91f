import json
from datetime import UTC, datetime
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, to_builtins
from msgspec.structs import fields

from phasewise.model.census import Census, Distribution
from phasewise.model.measurement import Measurement, Outcome, Samples, Scenario, Verification
from phasewise.model.record import VERSION, NotARecord, from_line, to_line
from phasewise.model.repo import Target


def any_of(kind: type[Struct]) -> st.SearchStrategy[Struct]:
    """Every field given, those with a default too."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: st.from_type(hints[field.name]) for field in fields(kind)})


for each in Struct.__subclasses__():
    st.register_type_strategy(each, any_of)
MOMENTS = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(datetime, MOMENTS)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Samples, st.builds(Samples, st.lists(st.floats(0, 1e6), min_size=1).map(tuple)))
VALUES = st.from_type(Measurement) | st.from_type(Verification) | st.from_type(Census)
TARGETS = st.builds(Target, st.text(), st.just("."), st.none() | st.text())
NOW = datetime(2025, 11, 11, 12, tzinfo=UTC)
MEASUREMENT = Measurement(
    "c0ffee", "Dockerfile", "0", Scenario.COLD, Outcome.BUILT, NOW, "docker", Samples((1.5,))
)


@given(TARGETS, VALUES, MOMENTS)
def test_what_is_written_is_read_back(target: Target, value: Measurement, moment: datetime) -> None:
    line = to_line(target, value, moment)
    assert line.isascii()
    assert line.isprintable()
    record = from_line(line)
    assert record.value == value
    assert record.recorded_at == moment
    assert record.is_of(target)


def test_another_target_s_record() -> None:
    record = from_line(to_line(Target("Dockerfile", stage="production"), MEASUREMENT))
    assert not record.is_of(Target("Dockerfile"))
    assert record.is_of(Target("Dockerfile", context="elsewhere", stage="production"))


def test_fields_that_came_later() -> None:
    line = json.loads(to_line(Target("Dockerfile"), MEASUREMENT, NOW))
    line["value"]["of a later version"] = 1
    del line["value"]["note"], line["value"]["peak_memory_bytes"]
    assert from_line(json.dumps(line)).value == MEASUREMENT


@given(st.text())
def test_anything_else_is_no_record(line: str) -> None:
    with pytest.raises(NotARecord):
        from_line(line)


@pytest.mark.parametrize(
    "change",
    [
        {"version": VERSION + 1},
        {"kind": "vibes"},
        {"recorded_at": "2025-11-11T12:00:00"},
        {"recorded_at": None},
        {"stage": 1},
        {"value": None},
        {"value": {**to_builtins(MEASUREMENT), "outcome": "great"}},
        {"value": {**to_builtins(MEASUREMENT), "image_bytes": "5"}},
        {"value": {**to_builtins(MEASUREMENT), "image_bytes": True}},
        {"value": {**to_builtins(MEASUREMENT), "samples": {"seconds": []}}},
        {"value": {**to_builtins(MEASUREMENT), "layers": [1]}},
        {"value": {"commit": "only"}},
    ],
)
def test_damaged_records(change: dict[str, object]) -> None:
    record = json.loads(to_line(Target("Dockerfile"), MEASUREMENT, NOW))
    with pytest.raises(NotARecord):
        from_line(json.dumps(record | change))


@pytest.mark.parametrize("nothing", ["[]", "null", "1", '"x"', "{}", "[" * 100_000])
def test_other_json(nothing: str) -> None:
    with pytest.raises(NotARecord):
        from_line(nothing)


def test_nested_values() -> None:
    distribution = Distribution("x", "1", "/venv", 3, ("x",))
    census = Census(5, (), 4, (distribution,), {"libc6": 2}, users={"app": 1000})
    assert from_line(to_line(Target("Dockerfile"), census)).value == census
