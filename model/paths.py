"""Questions about absolute paths inside an image."""

from __future__ import annotations


def within(path: str, directory: str) -> bool:
    """Whether an absolute path is the directory or lies below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def overlap(one: str, other: str) -> bool:
    """Whether one of two absolute paths lies within the other."""
    return within(one, other) or within(other, one)
