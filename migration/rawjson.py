"""Decodes buildx's progress stream (`--progress=rawjson`) into events, as it arrives; does no I/O.

The stream is JSON objects one after another: one a line in newer versions, pretty-printed over many lines
in buildx 0.13. Plain text stands between and behind them (warnings, the failing lines of the Dockerfile).
Field names are those of BuildKit's `client.SolveStatus`.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from phasewise.migration.events import Event, LogLine, StepFinished, StepStarted
from phasewise.model.measurement import Step

TAIL_LINES = 40
"""How many of a step's last lines are kept for the message when it fails."""

_LONGEST_LINE_BYTES = 16_384
"""A step that prints no newline (a progress bar) is cut here, so that its output still shows."""

_STRUCTURE = re.compile(r'["{}\\]')


class ObjectSplitter:
    """Cuts text that arrives in pieces into JSON objects and the plain lines around them.

    Each character is looked at once, however the pieces are cut.
    """

    def __init__(self) -> None:
        self._pending: list[str] = []
        self._depth = 0
        self._in_string = False
        self._skip_next = False
        self._line = ""

    def feed(self, text: str) -> Iterator[dict[str, Any] | str]:
        """The objects and the complete plain lines that `text` completes, in order."""
        while text:
            if self._depth:
                text = self._inside(text)
                if not self._depth:
                    yield from self._object()
            else:
                line, newline, text = self._outside(text)
                if newline and line.strip():
                    yield line

    def close(self) -> Iterator[str]:
        """What is left: a last line without a newline, or an object that never ended, as plain text."""
        left = "".join(self._pending) + self._line
        self._pending, self._line, self._depth = [], "", 0
        yield from (line for line in left.split("\n") if line.strip())

    def _outside(self, text: str) -> tuple[str, bool, str]:
        """Takes one plain line, or the white space before an object; returns (line, ended, what remains)."""
        if not self._line.strip():
            start = len(text) - len(text.lstrip())
            if start < len(text) and text[start] == "{":
                self._line, self._depth = "", 1
                self._pending.append("{")
                return "", False, text[start + 1 :]
        line, newline, rest = text.partition("\n")
        self._line += line
        if not newline:
            return "", False, ""
        complete, self._line = self._line, ""
        return complete, True, rest

    def _inside(self, text: str) -> str:
        """Takes text up to the end of the object; returns what remains."""
        position = 0
        if self._skip_next:
            self._skip_next, position = False, 1
        while found := _STRUCTURE.search(text, position):
            character, position = found[0], found.end()
            if character == "\\" and self._in_string:
                if position == len(text):
                    self._skip_next = True
                position += 1
            elif character == '"':
                self._in_string = not self._in_string
            elif not self._in_string and character in "{}":
                self._depth += 1 if character == "{" else -1
                if not self._depth:
                    self._pending.append(text[:position])
                    return text[position:]
        self._pending.append(text)
        return ""

    def _object(self) -> Iterator[dict[str, Any] | str]:
        text = "".join(self._pending)
        self._pending = []
        try:
            parsed = json.loads(text)
        except json.JSONDecodeError:
            yield from (line for line in text.split("\n") if line.strip())
            return
        yield parsed


class Failure(Struct, frozen=True):
    """The step that failed."""

    step: str
    error: str
    """BuildKit's word: `process "/bin/sh -c ..." did not complete successfully: exit code: 1`."""
    lines: tuple[str, ...]
    """The last lines that the step printed."""


class _Vertex(Struct):
    name: str
    started: datetime | None = None
    seconds: float = 0.0
    cached: bool = False
    error: str = ""
    announced: bool = False
    completed: datetime | None = None
    output: dict[int, bytes] = field(default_factory=dict)
    """Bytes of an unfinished line, by stream."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))


class ProgressDecoder:
    """Turns the bytes of one build's progress stream into events, and remembers the steps."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._splitter = ObjectSplitter()
        self._vertices: dict[str, _Vertex] = {}
        self._text: deque[str] = deque(maxlen=TAIL_LINES)

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes.

        A vertex that BuildKit takes up again after it completed (it does so while it resolves images)
        is reported as finished once more, with the time of all its runs.
        """
        for item in self._splitter.feed(self._decoder.decode(data)):
            if isinstance(item, str):
                self._text.append(item)
            else:
                yield from self._status(item)

    def close(self) -> Iterator[Event]:
        """The events of what the stream left unfinished; call it once, at the stream's end."""
        self._text.extend(self._splitter.close())
        for key, vertex in self._vertices.items():
            yield from self._unfinished_lines(key, vertex)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The vertices that completed, in the order in which they began."""
        return tuple(
            Step(vertex.name, vertex.seconds, vertex.cached)
            for vertex in self._vertices.values()
            if vertex.completed and not vertex.error
        )

    @property
    def text(self) -> tuple[str, ...]:
        """The last plain lines of the stream: what buildx itself says."""
        return tuple(self._text)

    @property
    def failure(self) -> Failure | None:
        """The step that failed of itself, not because another one took it down; None when none did."""
        failed = [vertex for vertex in self._vertices.values() if vertex.error]
        own = [vertex for vertex in failed if "context canceled" not in vertex.error]
        return next((Failure(v.name, v.error, tuple(v.tail)) for v in own or failed), None)

    def _status(self, status: dict[str, Any]) -> Iterator[Event]:
        for vertex in status.get("vertexes") or ():
            yield from self._vertex(vertex)
        for log in status.get("logs") or ():
            yield from self._log(log)

    def _vertex(self, raw: dict[str, Any]) -> Iterator[Event]:
        key = str(raw.get("digest", ""))
        vertex = self._vertices.get(key)
        if vertex is None:
            vertex = _Vertex(str(raw.get("name", key)))
        started, completed = _time(raw.get("started")), _time(raw.get("completed"))
        vertex.cached = vertex.cached or bool(raw.get("cached"))
        vertex.error = str(raw.get("error") or vertex.error)
        if started is None and not vertex.error:
            return
        # Steps are listed in the order in which they begin, which is when they enter the table.
        self._vertices[key] = vertex
        if started is None:
            return
        if not vertex.announced:
            vertex.announced = True
            yield StepStarted(key, vertex.name)
        if completed is not None and completed != vertex.completed:
            vertex.seconds += _new_seconds(vertex, started, completed)
            vertex.started, vertex.completed = started, completed
            yield from self._unfinished_lines(key, vertex)
            yield StepFinished(key, vertex.name, vertex.seconds, vertex.cached, vertex.error)

    def _log(self, raw: dict[str, Any]) -> Iterator[Event]:
        key = str(raw.get("vertex", ""))
        vertex = self._vertices.get(key)
        if vertex is None:
            return
        stream = int(raw.get("stream") or 0)
        data = vertex.output.pop(stream, b"") + _decoded(raw.get("data"))
        *lines, rest = data.split(b"\n")
        if len(rest) > _LONGEST_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        if rest:
            vertex.output[stream] = rest
        for line in lines:
            yield _line(key, vertex, line)

    def _unfinished_lines(self, key: str, vertex: _Vertex) -> Iterator[Event]:
        for stream in sorted(vertex.output):
            yield _line(key, vertex, vertex.output[stream])
        vertex.output.clear()


def _line(key: str, vertex: _Vertex, raw: bytes) -> LogLine:
    text = raw.rstrip(b"\r").decode("utf-8", "replace")
    vertex.tail.append(text)
    return LogLine(key, text)


def _new_seconds(vertex: _Vertex, started: datetime, completed: datetime) -> float:
    """Seconds of this run that earlier runs of the vertex did not count already."""
    if vertex.completed is not None:
        started = max(started, vertex.completed)
    return max(0.0, (completed - started).total_seconds())


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _decoded(data: object) -> bytes:
    try:
        return base64.b64decode(str(data or ""))
    except binascii.Error:
        return b""
