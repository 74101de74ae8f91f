"""Files of a work tree, replaced whole and put back as they were, also after the process was killed."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from phasewise.migration.errors import Refused

DRAFT = ".phasewise-draft-"
"""How the file begins that holds new content until it takes the old one's place."""


def inside(root: Path, path: str) -> Path:
    """Where the tracked `path` stands on disk.

    Raises:
        Refused: it leads out of `root`, through a symbolic link, into another repository, or is no file's
            name at all.
    """
    parts = path.split("/")
    if path != path.strip("/") or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise Refused(f"{path} is not a path inside the repository")
    if "\0" in path:
        raise Refused("a path with a NUL byte is not a path")
    place = root
    for part in parts[:-1]:
        place /= part
        if place.is_symlink():
            raise Refused(f"{path} lies behind the symbolic link {place.relative_to(root)}")
        if place.exists() and not place.is_dir():
            raise Refused(f"{path} cannot be written: {place.relative_to(root)} is a file")
        if (place / ".git").exists():
            raise Refused(f"{path} belongs to the submodule {place.relative_to(root)}")
    place /= parts[-1]
    if place.is_symlink():
        raise Refused(f"{path} is a symbolic link")
    if place.exists() and not place.is_file():
        raise Refused(f"{path} is not a regular file")
    return place


class Replacement(Struct, frozen=True):
    """The bytes of one file before and after; None where it does not exist on that side."""

    path: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None
    """Permission bits, kept; None lets the system choose, for a new file."""
    mtime_ns: int = 0
    """When it was changed last, so that putting it back leaves build tools alone."""

    @classmethod
    def of(cls, root: Path, path: str, after: bytes | None) -> Replacement:
        """The replacement of what `path` holds now.

        Raises:
            Refused: see `inside`.
        """
        place = inside(root, path)
        if not place.exists():
            return cls(path, None, after)
        status = place.stat()
        return cls(path, place.read_bytes(), after, stat.S_IMODE(status.st_mode), status.st_mtime_ns)

    def make(self, root: Path) -> None:
        """Puts the new content in place, atomically."""
        _put(inside(root, self.path), self.after, self.mode)

    def undo(self, root: Path) -> None:
        """Puts the old content back, whatever stands there now, and removes folders made for it."""
        place = inside(root, self.path)
        if self.before is not None:
            _put(place, self.before, self.mode)
            os.utime(place, ns=(self.mtime_ns, self.mtime_ns))
            return
        place.unlink(missing_ok=True)
        drop_empty_folders(root, self.path)


def _put(place: Path, content: bytes | None, mode: int | None) -> None:
    if content is None:
        place.unlink(missing_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f"{DRAFT}{os.getpid()}-{place.name}")
    try:
        with open(draft, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(mode)
        with contextlib.suppress(OSError):
            owner = place.stat()
            os.chown(draft, owner.st_uid, owner.st_gid)
        draft.replace(place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def drop_empty_folders(root: Path, path: str) -> None:
    """Removes the folders above `path` that hold nothing any more, as git does."""
    folder = (root / path).parent
    with contextlib.suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def drop_drafts(root: Path, path: str) -> None:
    """Removes what a killed process left beside `path` in the middle of writing it."""
    place = root / path
    for draft in place.parent.glob(f"{DRAFT}*"):
        if draft.name.endswith(f"-{place.name}"):
            draft.unlink(missing_ok=True)


class Journal:
    """What is about to be written, kept on disk until git has it.

    It lies in the work tree's own git directory. While a process works, it holds a lock that the system
    takes away when the process dies, so that a journal without a holder is a job that was killed.
    """

    def __init__(self, git_dir: Path) -> None:
        self.folder = git_dir / "phasewise"
        self._file = self.folder / "journal.json"

    @property
    def pending(self) -> bool:
        """Whether a job wrote its journal and did not end, or is at work now."""
        return self._file.exists()

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps every other process away.

        Raises:
            Refused: another one is at work.
        """
        self.folder.mkdir(exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused("another phasewise is changing this repository right now") from None
            yield

    def begin(self, head: str, replacements: Sequence[Replacement], **facts: str) -> None:
        """Writes down what is about to happen; `facts` come back from `read`."""
        record = {
            "head": head,
            "facts": facts,
            "files": [
                {
                    "path": replacement.path,
                    "before": _to_json(replacement.before),
                    "after": _to_json(replacement.after),
                    "mode": replacement.mode,
                    "mtime_ns": replacement.mtime_ns,
                }
                for replacement in replacements
            ],
        }
        draft = self.folder / "journal.new"
        with open(draft, "w", encoding="ascii") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)

    def read(self) -> tuple[str, tuple[Replacement, ...], Mapping[str, str]] | None:
        """HEAD at the start, the files, and the facts; None when the journal cannot be read."""
        try:
            record = json.loads(self._file.read_text(encoding="ascii"))
            files = tuple(
                Replacement(
                    file["path"],
                    _from_json(file["before"]),
                    _from_json(file["after"]),
                    file["mode"],
                    file["mtime_ns"],
                )
                for file in record["files"]
            )
            return record["head"], files, record["facts"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def clear(self) -> None:
        """The job is over."""
        self._file.unlink(missing_ok=True)


def _to_json(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode("ascii")


def _from_json(content: str | None) -> bytes | None:
    return None if content is None else base64.b64decode(content)


def content_of(root: Path, path: str) -> bytes | None:
    """The bytes of `path` on disk; None when there is no such file, or no way to it."""
    try:
        return inside(root, path).read_bytes()
    except (OSError, Refused):
        return None
