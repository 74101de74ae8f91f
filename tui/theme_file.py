"""The theme that the user chose, kept between runs in their configuration folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def read() -> str:
    """The theme's name; empty where none was chosen, or the file cannot be read."""
    try:
        return _place().read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def write(name: str) -> None:
    """Keeps the name; where the folder cannot be written, the choice lasts for this run only."""
    with suppress(OSError):
        _place().parent.mkdir(parents=True, exist_ok=True)
        _place().write_text(f"{name}\n", encoding="utf-8")


def _place() -> Path:
    """As the XDG base directory specification has it: a relative path there counts as none."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(given) if given.startswith("/") else Path("~/.config").expanduser()
    return folder / "phasewise" / "theme"
