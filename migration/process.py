"""The one door to other programs: runs them from argument lists, streams what they print, and ends them."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from phasewise.migration.events import Cancel

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0
"""How long a program has to end by itself after it was asked to, before it is killed."""

_CHUNK_BYTES = 65_536


def capture(argv: Sequence[str], timeout_seconds: float = 20.0) -> subprocess.CompletedProcess[str]:
    """Runs a short program to its end; its output is decoded with replacement characters.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took longer than `timeout_seconds`; it was killed.
    """
    return subprocess.run(
        list(argv),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_seconds,
        check=False,
    )


class Running:
    """A program in a process group of its own; leaving the `with` block ends the whole group.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            list(argv),
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def output(self, cancel: Cancel) -> Iterator[bytes]:
        """What the program prints, on either stream, until it ends or `cancel` is asked."""
        while not cancel.asked:
            with contextlib.suppress(queue.Empty):
                chunk = self._chunks.get(timeout=_POLL_SECONDS)
                if not chunk:
                    return
                yield chunk

    def wait(self) -> int:
        """Waits for the program's end and returns its exit status, negative for a signal."""
        return self._process.wait()

    def stop(self) -> None:
        """Ends the program and all that it started; returns when it is gone."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE_SECONDS)
        self._reader.join(_GRACE_SECONDS)
        if self._reader.is_alive():
            # Something that it started lives on and holds the pipe, so the group still exists.
            self._signal(signal.SIGKILL)
            self._reader.join(_GRACE_SECONDS)
        if self._process.stdout:
            self._process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        pipe = self._process.stdout
        if pipe is not None:
            while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
                self._chunks.put(chunk)
        self._chunks.put(b"")
