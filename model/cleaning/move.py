"""One RUN that cleans, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from phasewise.model.cleaning.commands import (
    Cleaning,
)
from phasewise.model.dockerfile import Instruction
from phasewise.model.text import Edit


@dataclass(frozen=True, slots=True)
class Move:
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
