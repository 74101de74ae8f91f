"""Reads a commit that is kept as one text file: who, when, where, why, and the files it writes.

The format, in the spirit of Go's txtar::

    author: Ines Calder <ines@tidewatch.example>
    date: 2025-03-03T09:14:00+01:00
    branch: main
    from: main                       (only where a branch starts)

    Subject

    Body, if there is one.

    -- path/of/a/file --
    its whole content
    -- path/of/another --
    ...
    -- path/that/goes (removed) --
"""

import re
from datetime import datetime
from pathlib import Path

from msgspec import Struct

_FILE_MARK = re.compile(r"^-- (?P<path>\S+)(?P<removed> \(removed\))? --\n", re.MULTILINE)


class Commit(Struct, frozen=True):
    """One commit to be written; `files` maps a path to its whole content, or to None where it is removed."""

    author: str
    date: datetime
    branch: str
    starts_from: str | None
    message: str
    files: dict[str, str | None]


def parse_commit(text: str) -> Commit:
    """The commit that `text` describes. Raises KeyError or ValueError where a header is wrong."""
    marks = list(_FILE_MARK.finditer(text))
    if not marks:
        raise ValueError("a commit file names at least one file, as in '-- path --'")
    header_text, _, message = text[: marks[0].start()].partition("\n\n")
    headers = dict(line.split(": ", 1) for line in header_text.splitlines())
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    files = {
        mark["path"]: None if mark["removed"] else text[mark.end() : end]
        for mark, end in zip(marks, ends, strict=True)
    }
    return Commit(
        author=headers["author"],
        date=datetime.fromisoformat(headers["date"]),
        branch=headers["branch"],
        starts_from=headers.get("from"),
        message=message.strip() + "\n",
        files=files,
    )


def read_commits(folder: Path) -> list[Commit]:
    """The commits kept in `folder`, in the order of their file names."""
    return [parse_commit(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.txt"))]
