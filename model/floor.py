"""How small the image can get: what the plan is predicted to leave, and what no phase can remove."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from phasewise.model.census import Census
from phasewise.model.dockerfile import Dockerfile, Stage
from phasewise.model.image_history import entries
from phasewise.model.needed import Package, needed_packages
from phasewise.model.phase import Phase, Risk, part


class Asking(Struct, frozen=True):
    """The floor once a phase is applied that is off until the user says yes."""

    id: str
    image_bytes: int


class Goal(Struct, frozen=True):
    """What a wanted size asks for."""

    image_bytes: int
    over_bytes: int
    """How far the floor lies above it; 0 when the goal can be reached."""
    asking: tuple[str, ...] = ()
    """Phases that ask first and that reach it together; empty where none is needed, or where they do not."""
    packages: tuple[Package, ...] = ()
    """What would have to go, the largest first until the goal is reached; empty where it can be reached."""
    short_bytes: int = 0
    """What would still be missing without all those packages."""
    base_bytes: int | None = None
    """The base image, where it alone is above the goal: then another one is needed. None otherwise."""

    @property
    def reachable(self) -> bool:
        """Whether the phases that do not ask first reach it."""
        return not self.over_bytes


class Floor(Struct, frozen=True):
    """All figures are predicted, in unpacked bytes; those of parts are the baseline's.

    A phase without a figure counts as saving nothing, so the image may get smaller than this.
    """

    image_bytes: int
    """What is left once every phase is applied that does not ask first."""
    planned_bytes: int
    """What is left once the plan is applied as it stands: without what is skipped or left out in part."""
    now_bytes: int | None = None
    """The image as it is, measured; None where this commit was not."""
    base_bytes: int | None = None
    """The base image's layers; None where the history does not tell."""
    application_bytes: int | None = None
    """The layers that copy from the build context."""
    packages: tuple[Package, ...] = ()
    """Those that no phase removes, the largest first."""
    asking: tuple[Asking, ...] = ()

    def goal(self, image_bytes: int) -> Goal:
        """What it takes to get to `image_bytes`."""
        over = max(self.image_bytes - image_bytes, 0)
        if not over:
            return Goal(image_bytes, 0)
        saved, asking = 0, []
        for each in sorted(self.asking, key=lambda asking: asking.image_bytes):
            if saved < over:
                asking.append(each.id)
                saved += self.image_bytes - each.image_bytes
        gone, packages = 0, []
        for package in self.packages:
            if gone < over:
                packages.append(package)
                gone += package.size_bytes
        return Goal(
            image_bytes,
            over,
            tuple(asking) if saved >= over else (),
            tuple(packages),
            max(over - gone, 0),
            self.base_bytes if (self.base_bytes or 0) > image_bytes else None,
        )


def floor(
    census: Census,
    now_bytes: int | None,
    applied: Sequence[Phase],
    open_phases: Sequence[Phase],
    skipped: Collection[str],
    built: tuple[Dockerfile, Stage] | None,
) -> Floor:
    """The floor of the image that `census` was taken of.

    `now_bytes` is the size that was measured with all of `applied`; None where it was not, and then they are
    predicted as well. `built` is what the census's image was built from; without it, or where the image's
    history does not fit, the base and the application have no figure.
    """
    start, done = (now_bytes, []) if now_bytes is not None else (census.image_bytes, list(applied))
    sure = done + [phase for phase in open_phases if phase.risk is not Risk.ASK]
    written = entries(census, *built) if built else None
    base = application = None
    if written is not None:
        base = sum(layer.size_bytes for layer in census.layers) - sum(w.layer.size_bytes for w in written)
        application = sum(
            each.layer.size_bytes
            for each in written
            if each.instruction.keyword in ("COPY", "ADD") and each.instruction.flag("from") is None
        )
    least = base or 0

    def left(phases: Iterable[Phase]) -> int:
        return max(start + predicted(phases), min(least, start))

    whole = left(sure)
    return Floor(
        image_bytes=whole,
        now_bytes=now_bytes,
        planned_bytes=left(phase for phase in sure if phase.id not in skipped),
        base_bytes=base,
        application_bytes=application,
        packages=needed_packages(census, built, _gone([*applied, *sure])),
        asking=tuple(
            Asking(phase.id, left([*sure, phase]))
            for phase in open_phases
            if phase.risk is Risk.ASK and (phase.predicted.image_bytes or 0) < 0
        ),
    )


def predicted(phases: Iterable[Phase]) -> int:
    """The bytes that `phases` change together; what several of them count is counted once."""
    known = [phase for phase in phases if phase.predicted.image_bytes is not None]
    alone = sum((phase.predicted.image_bytes or 0) + sum(phase.predicted.parts.values()) for phase in known)
    return alone - sum(_parts(known).values())


def _gone(phases: Sequence[Phase]) -> frozenset[str]:
    """The parts that the phases remove, by their figures or on purpose."""
    return frozenset(_parts(phases)) | {part("python", name) for phase in phases for name in phase.removes}


def _parts(phases: Iterable[Phase]) -> Mapping[str, int]:
    """The parts that any of the phases removes, each with the most bytes that one of them says."""
    found: dict[str, int] = {}
    for phase in phases:
        for name, size_bytes in phase.predicted.parts.items():
            found[name] = max(size_bytes, found.get(name, 0))
    return found
