"""Where the pull-request text is written: inside the git directory, so that the work tree stays as it was."""

from __future__ import annotations

from pathlib import Path

_NAME = "phasewise-report.md"


def write(repository: Path, report: str) -> Path:
    """Writes the report for the repository at that path; returns the file's path.

    Raises:
        OSError: it cannot be written.
    """
    file = git_directory(repository) / _NAME
    file.write_text(report, "utf-8", errors="backslashreplace")
    return file


def git_directory(repository: Path) -> Path:
    """`.git`, or what it points to in a linked worktree or a submodule."""
    entry = repository / ".git"
    if entry.is_dir():
        return entry
    pointer = entry.read_text("utf-8", errors="surrogateescape").strip()
    return repository / pointer.removeprefix("gitdir:").strip()
