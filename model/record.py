"""Measurements, verifications and censuses as lines of JSON, and back; the format of the notes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from phasewise.model.census import Census
from phasewise.model.measurement import Measurement, Verification
from phasewise.model.repo import Target

VERSION = 1
"""Of the lines' format. A field that is added keeps the version: readers ignore what they do not know."""

Recordable = Measurement | Verification | Census
_KINDS: dict[str, type[Recordable]] = {
    "measurement": Measurement,
    "verification": Verification,
    "census": Census,
}


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was found out about one target of a commit."""

    dockerfile: str
    stage: str | None
    recorded_at: datetime
    value: Recordable

    def is_of(self, target: Target) -> bool:
        """Whether it is about that target."""
        return self.dockerfile == target.dockerfile and self.stage == target.stage


class NotARecord(ValueError):
    """A line that this version does not understand: another version's, or no record at all."""


def to_line(target: Target, value: Recordable, recorded_at: datetime | None = None) -> str:
    """The record of `value` as one line of ASCII, without its newline."""
    kind = next(name for name, known in _KINDS.items() if isinstance(value, known))
    record = {
        "version": VERSION,
        "kind": kind,
        "dockerfile": target.dockerfile,
        "stage": target.stage,
        "recorded_at": (recorded_at or datetime.now(UTC)).isoformat(),
        "value": to_json(value),
    }
    return json.dumps(record, separators=(",", ":"))


@lru_cache(maxsize=1024)
def from_line(line: str) -> Record:
    """The record that `to_line` wrote.

    Raises:
        NotARecord: it did not, or a later version did.
    """
    try:
        record = json.loads(line)
        if record["version"] != VERSION:
            raise NotARecord(f"version {record['version']}")
        return Record(
            _checked(record["dockerfile"], str),
            from_json(str | None, record["stage"]),
            _moment(record["recorded_at"]),
            from_json(_KINDS[record["kind"]], record["value"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotARecord(str(error)) from error


def to_json(value: Any) -> Any:
    """Data of the model as what JSON can hold; equal values give equal JSON."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(to_json(item) for item in value)
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def from_json(kind: Any, value: Any) -> Any:
    """The value of type `kind` that `to_json` gave; fields that are not there take their defaults.

    Raises:
        ValueError, KeyError, TypeError: it is not of that type.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        known = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else from_json(known, value)
    if origin is tuple:
        items = _checked(value, list)
        if arguments[1:] == (...,):
            return tuple(from_json(arguments[0], item) for item in items)
        return tuple(from_json(each, item) for each, item in zip(arguments, items, strict=True))
    if origin is frozenset:
        return frozenset(from_json(arguments[0], item) for item in _checked(value, list))
    if origin is not None:
        return {key: from_json(arguments[1], item) for key, item in _checked(value, dict).items()}
    if is_dataclass(kind):
        return _dataclass(kind, _checked(value, dict))
    if kind is datetime:
        return _moment(value)
    if issubclass(kind, StrEnum):
        return kind(value)
    return float(value) if kind is float and type(value) is int else _checked(value, kind)


def _dataclass(kind: Any, values: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    given = {
        field.name: from_json(hints[field.name], values[field.name])
        for field in fields(kind)
        if field.name in values or (field.default is MISSING and field.default_factory is MISSING)
    }
    return kind(**given)


def _moment(text: str) -> datetime:
    """A moment that compares with every other one: its offset from UTC is given."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return moment


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{value!r} is not {kind.__name__}")
    return value
