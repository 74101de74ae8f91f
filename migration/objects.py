"""Reads git objects through one process that keeps running: thousands of reads cost no process each."""

from __future__ import annotations

import threading
from contextlib import suppress

from git import Git

from phasewise.migration.git_process import GitProcess
from phasewise.model.text import decode, encode

LARGEST_TEXT_BYTES = 2_000_000
"""Larger files are nobody's Dockerfile, workflow or requirements list, and are not read."""

_LOOKED_AT_FOR_BINARY_BYTES = 8000
"""As git does it: a NUL byte in the beginning makes a file binary."""


class Objects:
    """The objects of one repository; may be used from any thread."""

    def __init__(self, git: GitProcess) -> None:
        self._git = git
        self._turn = threading.Lock()
        self._process: Git.AutoInterrupt | None = None
        self._texts: dict[str, str | None] = {}

    def text(self, sha: str, limit_bytes: int = LARGEST_TEXT_BYTES) -> str | None:
        """A blob as text; None for one that is missing, binary, or larger than `limit_bytes`."""
        if sha not in self._texts:
            _, content = self._ask(sha, limit_bytes)
            is_text = content is not None and b"\0" not in content[:_LOOKED_AT_FOR_BINARY_BYTES]
            self._texts[sha] = decode(content) if content is not None and is_text else None
        return self._texts[sha]

    def sha(self, name: str) -> str | None:
        """The hash of what a full reference names now; None when there is no such reference."""
        return self._ask(name, LARGEST_TEXT_BYTES)[0]

    def close(self) -> None:
        """Ends the process; the next question starts another."""
        with self._turn:
            process, self._process = self._process, None
        if process is not None and process.proc is not None:
            # Closes its input, at which git ends, and waits for it.
            process.proc.communicate()

    def _ask(self, name: str, limit_bytes: int) -> tuple[str | None, bytes | None]:
        """The object's hash, None when it is missing; its bytes, None when they are too many."""
        with self._turn:
            header = self._header(name) or self._header(name)
            if len(header) != 3 or self._process is None:
                return None, None
            stdout, size = self._process.stdout, int(header[2])
            if size <= limit_bytes:
                return header[0], stdout.read(size + 1)[:-1]
            remaining = size + 1
            while remaining:
                remaining -= len(stdout.read(min(remaining, 1 << 20)))
            return header[0], None

    def _header(self, name: str) -> list[str]:
        """What git answers to a name; nothing when its process has ended: the next question starts another."""
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        with suppress(BrokenPipeError):
            self._process.stdin.write(encode(name) + b"\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process = None
        return decode(answer).split()
