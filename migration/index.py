"""The index: reads and writes entries of it, and leaves all others bit for bit."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from phasewise.migration.errors import Refused
from phasewise.migration.git_process import GitProcess
from phasewise.migration.reader import Entry, literal, split_entry
from phasewise.model.text import encode


class Index:
    """The index of one work tree."""

    def __init__(self, git: GitProcess, git_directory: Path) -> None:
        self._git, self.path, self.lock = git, git_directory / "index", git_directory / "index.lock"

    @cached_property
    def _nothing(self) -> str:
        """The null hash, as long as this repository's hashes are."""
        return "0" * len(self._git.read("rev-parse", "--verify", "HEAD").text)

    def entries(self, paths: Iterable[str]) -> dict[str, Entry]:
        """The entries of `paths`, of those that have one."""
        pathspecs = [literal(path) for path in paths]
        lines = self._git.read("ls-files", "--stage", "-z", "--", *pathspecs).fields if pathspecs else []
        return {path: Entry(mode, sha) for mode, sha, _, path in (split_entry(line) for line in lines)}

    def update(self, entries: Mapping[str, Entry | None], at: Path | None = None) -> None:
        """Sets the entries, None removes one; `at` names a copy of the index to change instead."""
        if not entries:
            return
        lines = (
            f"0 {self._nothing}\t{path}\0" if entry is None else f"{entry.mode} {entry.sha}\t{path}\0"
            for path, entry in entries.items()
        )
        self._git.write(
            "update-index",
            "-z",
            "--index-info",
            stdin=encode("".join(lines)),
            environment={"GIT_INDEX_FILE": str(at)} if at else None,
        )

    @contextmanager
    def locked(self, entries: Mapping[str, Entry | None], scratch: Path) -> Iterator[str]:
        """Holds git's own lock on the index, with `entries` set in it already; gives its digest.

        The lock becomes the index when the block ends well; otherwise the index stays as it was.

        Raises:
            Refused: another git command holds the lock.
        """
        try:
            os.close(os.open(self.lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            raise Refused(
                f"another git command is at work ({self.lock} exists); nothing was changed"
            ) from None
        draft, ours = scratch / "index", True
        try:
            shutil.copy2(self.path, draft)
            self.update(entries, draft)
            draft.replace(self.lock)
            yield self.lock_digest()
            ours = False
            self.take_over()
        finally:
            draft.unlink(missing_ok=True)
            if ours:
                self.lock.unlink(missing_ok=True)

    def take_over(self) -> None:
        """Makes what the lock holds the index, and frees it."""
        self.lock.replace(self.path)

    def lock_digest(self) -> str:
        """What tells the content of our lock from that of another command's."""
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()
