"""A phase of another target that edits files which this target reads too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from phasewise.model.phase import FileEdit, Phase

if TYPE_CHECKING:
    # Names in annotations only: the terminal UI draws its first frame without the Dockerfile parser.
    from phasewise.model.repo import Target


class Elsewhere(Struct, frozen=True):
    """One phase that is proposed for another target, and what of it reaches this one."""

    target: Target
    """The target that the phase belongs to."""
    phase: Phase
    paths: tuple[str, ...]
    """Those of the phase's files that this target reads too; never empty."""

    @property
    def edits(self) -> tuple[FileEdit, ...]:
        """The edits of the files that this target reads too."""
        return tuple(edit for edit in self.phase.edits if edit.path in self.paths)
