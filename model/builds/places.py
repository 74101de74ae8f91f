"""Paths as builds write them, relative to the repository's root; what leads out of it is nowhere."""

from __future__ import annotations

from pathlib import PurePosixPath

ROOT = "/@repository"
"""What stands for the repository's own absolute path, which differs from machine to machine."""


def join(folder: str, path: str) -> str | None:
    """`path`, seen from `folder`, relative to the root (`.` for the root itself); None outside of it."""
    if path.startswith("/"):
        if path != ROOT and not path.startswith(f"{ROOT}/"):
            return None
        folder, path = ".", path.removeprefix(ROOT).lstrip("/")
    parts: list[str] = []
    for part in PurePosixPath(f"{folder}/{path}").parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return "/".join(parts) or "."


def is_local(context: str) -> bool:
    """Whether a build context is a folder, and not an address or standard input."""
    return context != "-" and "://" not in context and not context.startswith(("git@", "github.com/"))
