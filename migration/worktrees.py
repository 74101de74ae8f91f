"""Linked worktrees in a temporary folder, removed even when the process that made them was killed."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from phasewise.migration.git_process import GitProcess

_PREFIX = "phasewise-worktree-"
_SETTINGS = ("-c", "core.hooksPath=/dev/null", "-c", "core.sparseCheckout=false")
"""Nothing of the user's runs because we make a scratch copy, and the copy is complete."""


@contextlib.contextmanager
def linked(git: GitProcess, common_dir: Path, commit: str) -> Iterator[Path]:
    """A linked worktree, detached at `commit`, as long as the block runs."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    locks = common_dir / "phasewise" / "worktrees"
    locks.mkdir(parents=True, exist_ok=True)
    holder = locks / folder.name
    with open(holder, "w", encoding="utf-8") as lock:
        # The lock tells `prune` that the worktree is in use; the system drops it when the process dies.
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(folder))
        lock.flush()
        try:
            git.write(
                *_SETTINGS,
                "worktree",
                "add",
                "--quiet",
                "--detach",
                "--",
                str(folder),
                commit,
                environment={"GIT_LFS_SKIP_SMUDGE": "1"},
            )
            yield folder
        finally:
            _remove(git, folder)
            holder.unlink(missing_ok=True)


def prune(git: GitProcess, common_dir: Path) -> None:
    """Removes the worktrees whose process is gone."""
    for holder in (common_dir / "phasewise" / "worktrees").glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), open(holder, encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = Path(lock.read())
            if folder.name.startswith(_PREFIX) and folder.name == holder.name:
                _remove(git, folder)
            holder.unlink(missing_ok=True)


def _remove(git: GitProcess, folder: Path) -> None:
    git.write("worktree", "remove", "--force", "--force", "--", str(folder), ok=())
    shutil.rmtree(folder, ignore_errors=True)
    git.write("worktree", "prune", ok=())
