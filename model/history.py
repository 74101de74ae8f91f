"""Which commits changed a file, and which commit brought a line in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

from msgspec import Struct

from phasewise.model.phase import Provenance

_NOT_COMMITTED = "0" * 40


class HistoryEntry(Struct, frozen=True):
    """One commit of a file's history. Names and subjects are data: they may hold anything but a line break."""

    commit: str
    author: str
    date: datetime
    subject: str
    image_bytes: int | None = None
    """The size of the image at this commit; None where it was not measured."""


def read_blame(text: str, unknown: Iterable[str] = ()) -> dict[int, Provenance]:
    """What each line's commit is, by 1-based line, from the output of `git blame --porcelain`.

    Lines of the commits in `unknown`, at which a shallow clone ends, are left out: git blames those for
    everything that is older. Source: git-blame(1), "The porcelain format".
    """
    unknown = {*unknown, _NOT_COMMITTED}
    commits: dict[str, Provenance] = {}
    lines: dict[int, str] = {}
    headers: dict[str, str] = {}
    commit = ""
    for line in text.split("\n"):
        if line.startswith("\t"):
            if commit not in commits:
                commits[commit] = _provenance(commit, headers)
            commit, headers = "", {}
        elif not commit:
            words = line.split(" ")
            if len(words) >= 3:
                commit = words[0]
                lines[int(words[2])] = commit
        else:
            name, _, value = line.partition(" ")
            headers[name] = value
    return {number: commits[commit] for number, commit in lines.items() if commit not in unknown}


def _provenance(commit: str, headers: dict[str, str]) -> Provenance:
    return Provenance(
        commit, headers["author"], _moment(headers["author-time"], headers["author-tz"]), headers["summary"]
    )


def _moment(seconds: str, offset: str) -> datetime:
    """The moment in the author's own time zone; a damaged one, which git lets pass, counts as UTC."""
    try:
        hours, minutes = int(offset[:3]), int(offset[0] + offset[3:])
        return datetime.fromtimestamp(int(seconds), timezone(timedelta(hours=hours, minutes=minutes)))
    except (ValueError, IndexError, OverflowError):
        return datetime.fromtimestamp(max(0, min(int(seconds), 253402300799)), UTC)
