"""Notes under refs/notes/phasewise: lines that are added to commits and travel with the repository."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from phasewise.migration.git_process import GitFailed, GitProcess
from phasewise.migration.objects import Objects

_NAME = "refs/notes/phasewise"
_LARGEST_BYTES = 200_000_000
_REF = f"--ref={_NAME}"
_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "phasewise"), ("EMAIL", "phasewise@localhost"))
}


class Notes:
    """The notes of one repository, one line a record."""

    def __init__(self, git: GitProcess, common_directory: Path, objects: Objects) -> None:
        self._git, self._common_directory, self._objects = git, common_directory, objects
        self._listed: tuple[str | None, Mapping[str, str]] = (None, {})

    def add(self, commit: str, line: str) -> None:
        """Appends one line to the note of `commit`; works without an identity of the user's, too.

        Raises:
            ValueError: it is more than one line.
        """
        if "\n" in line:
            raise ValueError("a note's record is one line")
        command = ("notes", _REF, "append", "--file=-", commit)
        with self._lock():
            try:
                self._git.write(*command, stdin=line.encode())
            except GitFailed:
                self._git.write(*command, stdin=line.encode(), environment=_IDENTITY)

    def read(self, commit: str) -> tuple[str, ...]:
        """The lines of the note of `commit`."""
        blob = self._blobs().get(commit)
        return self._lines(blob) if blob else ()

    def all(self) -> Mapping[str, tuple[str, ...]]:
        """The lines of every note by commit."""
        return {commit: self._lines(blob) for commit, blob in self._blobs().items()}

    def _lines(self, blob: str) -> tuple[str, ...]:
        return tuple(line for line in (self._objects.text(blob, _LARGEST_BYTES) or "").split("\n") if line)

    def _blobs(self) -> Mapping[str, str]:
        """The blob of each commit's note; listed again only when the reference moved."""
        now = self._objects.sha(_NAME)
        listed_at, blobs = self._listed
        if now != listed_at:
            pairs = (line.split() for line in self._git.read("notes", _REF, "list").text.splitlines())
            blobs = {commit: blob for blob, commit in pairs}
            self._listed = now, blobs
        return blobs

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """git itself reads, changes and writes a note without one, and would lose one of two records."""
        folder = self._common_directory / "phasewise"
        folder.mkdir(exist_ok=True)
        with open(folder / "notes.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
