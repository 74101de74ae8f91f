"""Reads git objects through one process that keeps running: thousands of reads cost no process each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import cast

from git import Git

from phasewise.migration.git_process import GitProcess
from phasewise.model.text import decode, encode

LARGEST_TEXT_BYTES = 2_000_000
"""Larger files are nobody's Dockerfile, workflow or requirements list, and are not read."""

MOST_AHEAD = 64

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
            self._texts[sha] = _text(self._ask(sha, limit_bytes)[1])
        return self._texts[sha]

    def knows(self, sha: str) -> bool:
        """Whether a blob was read already."""
        return sha in self._texts

    def read_ahead(self, shas: Iterable[str]) -> None:
        """Asks for up to `MOST_AHEAD` blobs in one go, for `text` to know them.

        To wait for each answer takes longer than git does; more questions would not fit into the pipe.
        """
        unknown = [sha for sha in dict.fromkeys(shas) if sha not in self._texts][:MOST_AHEAD]
        with self._turn:
            self._send(unknown)
            for sha in unknown:
                header = self._answer()
                if not header:
                    return
                if len(header) == 3:
                    self._texts[sha] = _text(self._content(int(header[2]), LARGEST_TEXT_BYTES))

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
            if len(header) != 3:
                return None, None
            return header[0], self._content(int(header[2]), limit_bytes)

    def _header(self, name: str) -> list[str]:
        """What git answers to a name; nothing when its process has ended: the next question starts another."""
        self._send([name])
        return self._answer()

    def _send(self, names: Sequence[str]) -> None:
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        with suppress(BrokenPipeError):
            self._process.stdin.write(encode("".join(f"{name}\n" for name in names)))
            self._process.stdin.flush()

    def _answer(self) -> list[str]:
        assert self._process is not None
        answer = self._process.stdout.readline()
        if not answer:
            self._process = None
        return decode(answer).split()

    def _content(self, size: int, limit_bytes: int) -> bytes | None:
        """The bytes behind a header, which are read in any case; None when they are too many."""
        assert self._process is not None
        stdout = self._process.stdout
        if size <= limit_bytes:
            return cast(bytes, stdout.read(size + 1)[:-1])
        remaining = size + 1
        while remaining:
            remaining -= len(stdout.read(min(remaining, 1 << 20)))
        return None


def _text(content: bytes | None) -> str | None:
    if content is None or b"\0" in content[:_LOOKED_AT_FOR_BINARY_BYTES]:
        return None
    return decode(content)
