"""One RUN that cleans, and what becomes of it."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.cleaning.commands import (
    Cleaning,
)
from phasewise.model.dockerfile import Instruction
from phasewise.model.text import Edit


class Move(Struct, frozen=True):
    """One RUN that cleans, and what becomes of it."""

    instruction: Instruction
    found: tuple[Cleaning, ...]
    edits: tuple[Edit, ...] = ()
    why: str = ""
    path: str = ""
    """Where the packages are."""
    saves: bool = False
    reason: str = ""
    """Why it stays as it is, where it has no effect."""
