"""Folders for a moment in the system's temporary folder, and those that killed processes left there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from phasewise.migration import owner

_NAME = re.compile(r"phasewise-[a-z]+-(?P<host>[0-9a-f]{8})-(?P<process>\d+@\d*)-\w+")


@contextlib.contextmanager
def folder(kind: str) -> Iterator[Path]:
    """A new folder, named for what it is for and for this process, as long as the block runs."""
    prefix = f"phasewise-{kind}-{_host()}-{owner.this_process()}-"
    with tempfile.TemporaryDirectory(prefix=prefix) as made:
        yield Path(made)


def sweep() -> tuple[str, ...]:
    """Removes this user's folders whose processes ran on this machine and are gone; returns their names."""
    swept = []
    for found in Path(tempfile.gettempdir()).glob("phasewise-*"):
        name = _NAME.fullmatch(found.name)
        if name is None or name["host"] != _host() or owner.is_alive(name["process"]):
            continue
        with contextlib.suppress(OSError):
            if found.lstat().st_uid == os.getuid() and not found.is_symlink():
                shutil.rmtree(found)
                swept.append(found.name)
    return tuple(swept)


def _host() -> str:
    return hashlib.sha256(owner.host().encode()).hexdigest()[:8]
