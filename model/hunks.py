"""A file edit as hunks that can be left out one by one: runs of changed lines with nothing unchanged in between."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from phasewise.model.phase import FileEdit, split_lines
from phasewise.model.text import encode

Opcode = tuple[str, int, int, int, int]
"""`difflib`'s: what becomes of a range of lines before, and the range of lines after."""

LeftOut = Mapping[str, frozenset[str]]
"""What the user left out of a phase: the ids of hunks by path; none of them stands for the whole file."""


class Hunk(Struct, frozen=True):
    """One run of changes of one file."""

    id: str
    """From what is removed and added, not from where: it survives when the phase is planned again elsewhere."""
    removed: tuple[str, ...]
    """The lines that go, each with its newline."""
    added: tuple[str, ...]
    line: int
    """1-based, where it begins in the text before; behind the last line where it appends."""

    @property
    def first(self) -> str:
        """Its first line that is not blank, as a diff has it, `-RUN python -m compileall .`."""
        lines = [f"-{line}" for line in self.removed] + [f"+{line}" for line in self.added]
        return next((line for line in lines if line[1:].strip()), lines[0]).rstrip("\r\n")


@lru_cache(maxsize=256)
def opcodes(edit: FileEdit) -> tuple[Opcode, ...]:
    """The edit line by line, in `difflib`'s words; neighbours that change are one."""
    before, after = split_lines(edit.before or ""), split_lines(edit.after or "")
    return tuple(difflib.SequenceMatcher(None, before, after, False).get_opcodes())


@lru_cache(maxsize=256)
def hunks(edit: FileEdit) -> tuple[Hunk, ...]:
    """The hunks in order, one for each opcode that changes something."""
    before, after = split_lines(edit.before or ""), split_lines(edit.after or "")
    seen: Counter[str] = Counter()
    found = []
    for tag, start, end, new_start, new_end in opcodes(edit):
        if tag == "equal":
            continue
        removed, added = tuple(before[start:end]), tuple(after[new_start:new_end])
        digest = _digest(removed, added)
        seen[digest] += 1
        # The same change at a second place is another hunk.
        id = digest if seen[digest] == 1 else f"{digest}.{seen[digest]}"
        found.append(Hunk(id, removed, added, start + 1))
    return tuple(found)


def numbered(edit: FileEdit, wanted: str) -> Hunk | None:
    """The hunk of that number, 1 first, or of that id; None where there is none."""
    found = hunks(edit)
    by_number = {str(number): hunk for number, hunk in enumerate(found, 1)}
    return by_number.get(wanted) or next((hunk for hunk in found if hunk.id == wanted), None)


def without(edit: FileEdit, left_out: Collection[str]) -> FileEdit:
    """The edit without the hunks of those ids; ids that it does not have mean nothing.

    A file that is added or removed is one hunk: without it, nothing changes.
    """
    if not left_out:
        return edit
    if edit.before is None or edit.after is None:
        whole = any(hunk.id in left_out for hunk in hunks(edit))
        return replace(edit, after=edit.before) if whole else edit
    before, after = split_lines(edit.before), split_lines(edit.after)
    remaining = iter(hunks(edit))
    lines: list[str] = []
    for tag, start, end, new_start, new_end in opcodes(edit):
        dropped = tag == "equal" or next(remaining).id in left_out
        lines += before[start:end] if dropped else after[new_start:new_end]
    return replace(edit, after="".join(lines))


def is_ticked(left_out: LeftOut, path: str, hunk: str) -> bool:
    """Whether a hunk is taken."""
    return path not in left_out or (bool(left_out[path]) and hunk not in left_out[path])


def _digest(removed: Sequence[str], added: Sequence[str]) -> str:
    text = "".join([*(f"-{line}\0" for line in removed), *(f"+{line}\0" for line in added)])
    return hashlib.sha256(encode(text)).hexdigest()[:10]
