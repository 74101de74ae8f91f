"""What a build cost and produced, what a check said, and how two of them compare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Annotated

from msgspec import Meta, Struct

from phasewise.model.census import Layer

Moment = Annotated[datetime, Meta(tz=True)]
"""A time that compares with every other one: its offset from UTC is known."""


class Scenario(StrEnum):
    """What the build found in the cache."""

    COLD = "cold"
    """Nothing: `--no-cache`, cache mounts of a fresh name space."""
    WARM = "warm"
    """Everything: nothing changed since the last build."""
    CODE_CHANGE = "code-change"
    """One application file was touched."""
    REBUILD = "rebuild"
    """Whatever was there: the build after a phase, with the user's own cache."""


class Outcome(StrEnum):
    """How a build ended."""

    BUILT = "built"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """It failed on the network or the disk, which says nothing about the Dockerfile."""
    CANCELLED = "cancelled"


class Step(Struct, frozen=True):
    """One vertex of the build as BuildKit reports it."""

    name: str
    seconds: float
    cached: bool


class Samples(Struct, frozen=True):
    """Repeated timings of one thing, in seconds."""

    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.seconds:
            raise ValueError("no samples")

    @property
    def median(self) -> float:
        """The middle value."""
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """Largest minus smallest; 0 for one sample, which says nothing about the spread."""
        return max(self.seconds) - min(self.seconds)


class Measurement(Struct, frozen=True):
    """What building one commit cost and produced, as the engine reported it."""

    commit: str
    dockerfile: str
    stage: str
    """The stage's name, or its index as text."""
    scenario: Scenario
    outcome: Outcome
    taken_at: Moment
    engine: str
    """Engine and builder with versions: `docker 26.1.5, buildx 0.13.1, local`."""
    samples: Samples | None = None
    """Wall-clock seconds of the builds; None when none finished."""
    image_id: str = ""
    image_bytes: int | None = None
    """Unpacked bytes as `docker image inspect` reports them."""
    layers: tuple[Layer, ...] = ()
    steps: tuple[Step, ...] = ()
    peak_memory_bytes: int | None = None
    note: str = ""
    """Why a figure is missing, or what the failing step printed last."""


class Delta(Struct, frozen=True):
    """One measurement against another, of the same scenario for the times."""

    image_bytes: int | None
    seconds: float | None
    spread: float
    """The larger of the two spreads, in seconds."""
    steps_changed: int

    @classmethod
    def between(cls, before: Measurement, after: Measurement) -> Delta:
        """`after` minus `before`; None where one side has no figure."""
        size = (
            after.image_bytes - before.image_bytes
            if after.image_bytes is not None and before.image_bytes is not None
            else None
        )
        comparable = before.samples and after.samples and before.scenario == after.scenario
        seconds = (
            after.samples.median - before.samples.median
            if comparable and before.samples and after.samples
            else None
        )
        spread = max((m.samples.spread for m in (before, after) if m.samples), default=0.0)
        names = {step.name for step in before.steps} ^ {step.name for step in after.steps}
        return cls(size, seconds, spread, len(names))

    @property
    def time_is_measurable(self) -> bool:
        """Whether the difference in time stands out of the spread."""
        return self.seconds is not None and abs(self.seconds) > self.spread

    @property
    def is_no_op(self) -> bool:
        """Whether the phase changed no byte and no step: it must be said aloud."""
        return self.image_bytes == 0 and self.steps_changed == 0


class Verdict(StrEnum):
    """What a check said."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """It could not be run here; `detail` says why."""


class CheckResult(Struct, frozen=True):
    """One check on one image."""

    id: str
    """Stable across images, so that baseline and phase compare: `import:numpy`, `command`, `elf`."""
    title: str
    verdict: Verdict
    detail: str = ""
    """What the check saw."""
    explanation: str = ""
    """The sentence a colleague would say: `numpy no longer loads: ... is misaligned after strip`."""
    seconds: float = 0.0
    samples: Samples | None = None
    """The timings of what was repeated to know its spread."""


class Verification(Struct, frozen=True):
    """The checks of one commit's image."""

    commit: str
    image_id: str
    taken_at: Moment
    results: tuple[CheckResult, ...]

    def broken_since(self, baseline: Verification) -> tuple[CheckResult, ...]:
        """The results that fail here and passed on the baseline; a check gone missing counts as failed."""
        here = {result.id: result for result in self.results}
        passed = [result for result in baseline.results if result.verdict is Verdict.PASSED]
        return tuple(
            here.get(
                result.id,
                CheckResult(
                    result.id,
                    result.title,
                    Verdict.FAILED,
                    "not found any more",
                    f"{result.title}: not found any more",
                ),
            )
            for result in passed
            if result.id not in here or here[result.id].verdict is not Verdict.PASSED
        )

    def count(self, verdict: Verdict) -> int:
        """How many results have that verdict."""
        return sum(result.verdict is verdict for result in self.results)


def total_seconds(steps: Sequence[Step]) -> float:
    """The seconds that the steps which really ran took together."""
    return sum(step.seconds for step in steps if not step.cached)
