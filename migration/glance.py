"""A glance at a repository before anything heavy is loaded: whether there is certainly something to open."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from phasewise.migration.process import capture
from phasewise.model.builds.dockerfile_names import is_named_so
from phasewise.model.builds.vendored import is_vendored

_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")
"""With one of these, git would look at another repository than `path`'s."""

_WAIT_SECONDS = 2.0


def certain(path: Path, dockerfile: str | None = None) -> bool:
    """Whether `path` lies in a work tree whose HEAD holds a Dockerfile, by its name, or `dockerfile`.

    False says only that a closer look is needed. Takes two short git processes.
    """
    if not path.exists() or any(name in os.environ for name in _ELSEWHERE):
        return False
    folder = path if path.is_dir() else path.parent
    if _git(folder, "rev-parse", "--is-inside-work-tree").strip() != "true":
        return False
    committed = _git(folder, "ls-tree", "-r", "--full-tree", "--name-only", "-z", "HEAD").split("\0")
    if dockerfile is not None:
        return is_named_so(dockerfile) and dockerfile.removeprefix("./") in committed
    return any(is_named_so(each) and not is_vendored(each) for each in committed)


def _git(folder: Path, *words: str) -> str:
    """What git prints; empty where it fails."""
    try:
        done = capture(["git", "-C", str(folder.absolute()), *words], _WAIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
