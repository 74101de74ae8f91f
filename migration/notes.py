"""Notes under refs/notes/phasewise: lines that are added to commits and travel with the repository."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from phasewise.migration.git_process import GitFailed, GitProcess

TextOf = Callable[[str], str | None]
"""The text of a blob by its hash; None when it cannot be read."""

_REF = "--ref=refs/notes/phasewise"
_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "phasewise"), ("EMAIL", "phasewise@localhost"))
}


class Notes:
    """The notes of one repository, one line a record."""

    def __init__(self, git: GitProcess, common_dir: Path, text_of: TextOf) -> None:
        self._git, self._common_dir, self._text_of = git, common_dir, text_of

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
        return self.all().get(commit, ())

    def all(self) -> Mapping[str, tuple[str, ...]]:
        """The lines of every note by commit."""
        return {
            commit: tuple(line for line in (self._text_of(blob) or "").split("\n") if line)
            for commit, blob in self._blobs().items()
        }

    def _blobs(self) -> dict[str, str]:
        pairs = (line.split() for line in self._git.read("notes", _REF, "list").text.splitlines())
        return {commit: blob for blob, commit in pairs}

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """git itself reads, changes and writes a note without one, and would lose one of two records."""
        folder = self._common_dir / "phasewise"
        folder.mkdir(exist_ok=True)
        with open(folder / "notes.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
