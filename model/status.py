"""Where a migration stands: what both front ends show, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from phasewise.model.census import Census
from phasewise.model.measurement import CheckResult, Delta, Measurement, Verification
from phasewise.model.phase import Declined, Phase

if TYPE_CHECKING:
    # Names in annotations only: the terminal UI draws its first frame without the Dockerfile parser.
    from phasewise.model.floor import Floor
    from phasewise.model.repo import Target
from phasewise.model.start_up import StartUp


class State(StrEnum):
    """The state of one phase. Shown as a glyph and a word, never by colour alone."""

    PROPOSED = "proposed"
    ASKS = "asks first"
    SKIPPED = "skipped"
    APPLIED = "applied"
    """Committed; not verified yet."""
    VERIFIED = "verified"
    """Committed, built, and every check of the baseline passes."""
    FAILED = "failed"
    """Committed, and its build or a check of the baseline fails."""
    ROLLED_BACK = "rolled back"


class Row(Struct, frozen=True):
    """One phase in the list: proposed, applied or rolled back."""

    id: str
    title: str
    state: State
    phase: Phase | None
    """The proposal; for an applied phase it is read back from its commit."""
    commit: str | None = None
    """The commit that applied it."""
    measurement: Measurement | None = None
    delta: Delta | None = None
    """Against the step before it: the previous applied phase, else the baseline."""
    verification: Verification | None = None
    broken: tuple[CheckResult, ...] = ()
    """Checks that passed on the baseline and do not pass here."""
    refusal: str = ""
    """Why it cannot be applied or rolled back now; empty when it can."""
    unticked: frozenset[str] = frozenset()
    """Files of the phase that the user left out."""
    left_out: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Hunks that the user left out, by path, by their ids."""
    measurements: tuple[Measurement, ...] = ()
    """The latest measurement of the commit in each scenario that was measured."""
    before: tuple[Measurement, ...] = ()
    """The same of the commit that stood before an applied phase."""
    variant: Measurement | None = None
    """The build of the further Dockerfile that the phase added or changed, where it did."""
    start_up: StartUp | None = None
    """The price of a phase that has one at start-up, against the step before it."""
    nth: int = 0
    """The place of its commit among those of the applied phases, 1 first; 0 where there is none."""

    @property
    def changed_nothing(self) -> bool:
        """Whether the phase changed no byte and no step, though it was meant to: it must be said aloud.

        A phase that adds a Dockerfile beside this one, and predicts 0 bytes for it, did what it said.
        """
        meant_to = self.phase is None or self.phase.predicted.image_bytes != 0
        return meant_to and self.delta is not None and self.delta.is_no_op and self.variant is None


class Status(Struct, frozen=True):
    """Everything that a front end shows of one target."""

    repository: str
    """The folder's name."""
    path: str
    branch: str
    """`HEAD` when detached."""
    head: str
    target: Target
    targets: tuple[Target, ...]
    baseline: str
    """The commit that the migration starts from."""
    rows: tuple[Row, ...]
    declined: tuple[Declined, ...]
    baseline_measurement: Measurement | None = None
    baseline_verification: Verification | None = None
    current_measurement: Measurement | None = None
    refusal: str = ""
    """Why nothing can be applied now (a merge under way); empty when it can."""
    baseline_measurements: tuple[Measurement, ...] = ()
    """The latest measurement of the baseline in each scenario that was measured."""
    baseline_census: Census | None = None
    """What is inside the baseline's image; None until it was built."""
    floor: Floor | None = None
    """What the plan is predicted to leave, and what no phase removes; None until the baseline was built."""
    budget_bytes: int | None = None
    """The size that the repository declares for the image."""
    unreadable: str = ""
    """Why nothing is proposed at all: `path:line: what is wrong` with the Dockerfile; empty when it can be read."""
    branch_decided: bool = False
    """Whether the user was asked already where to commit in this repository."""

    def row(self, id: str) -> Row | None:
        """The row with that id, or None."""
        return next((row for row in self.rows if row.id == id), None)
