"""Measurements, verifications and censuses as lines of JSON, and back; the format of the notes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct, ValidationError, convert, to_builtins

from phasewise.model.census import Census
from phasewise.model.measurement import Measurement, Moment, Verification
from phasewise.model.repo import Target

VERSION = 2
"""Of the lines' format. A field that is added keeps the version: readers ignore what they do not know.

2: the census keys the bytes of each kind by folder in another way; read as these, those of version 1 are too few."""

Recordable = Measurement | Verification | Census
_KINDS: dict[str, type[Recordable]] = {
    "measurement": Measurement,
    "verification": Verification,
    "census": Census,
}


class Record(Struct, frozen=True):
    """One thing that was found out about one target of a commit."""

    dockerfile: str
    stage: str | None
    recorded_at: Moment
    value: Recordable

    def is_of(self, target: Target) -> bool:
        """Whether it is about that target."""
        return self.dockerfile == target.dockerfile and self.stage == target.stage


class _Line(Struct, frozen=True):
    """A record as it is written."""

    version: int
    kind: str
    dockerfile: str
    stage: str | None
    recorded_at: Moment
    value: object


class NotARecord(ValueError):
    """A line that this version does not understand: another version's, or no record at all."""


def to_line(target: Target, value: Recordable, recorded_at: datetime | None = None) -> str:
    """The record of `value` as one line of ASCII, without its newline; equal values give equal lines."""
    kind = next(name for name, known in _KINDS.items() if isinstance(value, known))
    record = _Line(VERSION, kind, target.dockerfile, target.stage, recorded_at or datetime.now(UTC), value)
    # Not msgspec's own encoder: a path that is no UTF-8 has surrogates, which only escapes can hold.
    # What it does not know itself is a mapping of another kind.
    plain = to_builtins(record, order="deterministic", enc_hook=dict)
    return json.dumps(plain, separators=(",", ":"))


@lru_cache(maxsize=1024)
def from_line(line: str) -> Record:
    """The record that `to_line` wrote; fields that are not there take their defaults.

    Raises:
        NotARecord: it did not, or a later version did.
    """
    try:
        record = convert(json.loads(line), _Line)
        if record.version != VERSION:
            raise NotARecord(f"version {record.version}")
        value = convert(record.value, _KINDS[record.kind])
    except (ValueError, KeyError, ValidationError, RecursionError) as error:
        raise NotARecord(str(error)) from error
    return Record(record.dockerfile, record.stage, record.recorded_at, value)
