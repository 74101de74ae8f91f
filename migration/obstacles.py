"""What stands in the way of a change: something under way in the repository, or files that are not clean."""

from __future__ import annotations

import os
from collections.abc import Sequence

from phasewise.migration.errors import Refused
from phasewise.migration.reader import Reader, literal
from phasewise.migration.work_tree import inside

_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "sequencer": "a cherry-pick or revert",
    "BISECT_LOG": "a bisect",
}


def under_way(reader: Reader) -> str:
    """What the user has begun and not finished, as a sentence; '' for nothing."""
    for name, job in _UNDER_WAY.items():
        if (reader.git_directory / name).exists():
            return f"{job} is under way; finish or abort it first"
    unmerged = reader.git.read("ls-files", "--unmerged", "-z").fields
    return f"{unmerged[0].partition(chr(9))[2]} has an unresolved conflict" if unmerged else ""


def unclean(reader: Reader, paths: Sequence[str]) -> dict[str, str]:
    """Why some of `paths` may not be changed now, as sentences by path."""
    reasons: dict[str, str] = {}
    committed = reader.entries(reader.head())
    reachable: list[str] = []
    for path in paths:
        try:
            place = inside(reader.root, path)
        except Refused as refused:
            reasons[path] = refused.message
            continue
        reachable.append(literal(path))
        if path not in committed and os.path.lexists(place):
            reasons[path] = f"{path} is there already, and no commit has it"
    if not reachable:
        return reasons
    for line in reader.git.read("ls-files", "-v", "-z", "--", *reachable).fields:
        flag, path = line[0], line[2:]
        if flag in "Ss":
            reasons[path] = f"{path} is left out by the sparse checkout (skip-worktree)"
        elif flag.islower():
            reasons[path] = f"{path} is marked assume-unchanged"
    command = ("status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no")
    for line in reader.git.read(*command, "--", *reachable).fields:
        path, changed = line.split(" ", 8)[8], line[3]
        reasons.setdefault(path, f"{path} has uncommitted changes" + (" (staged)" if changed == "." else ""))
    return reasons
