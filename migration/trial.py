"""Tries one commit: builds it in a clean checkout, measures it, looks inside, and checks how it behaves."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from phasewise.migration import image_names, ledger, scan
from phasewise.migration.census import take_census
from phasewise.migration.errors import Cancelled
from phasewise.migration.events import BuildFinished, Cancel, Event, Measured, Narration, Verified
from phasewise.migration.git import Repository
from phasewise.migration.images import Engine
from phasewise.migration.measure import measure
from phasewise.migration.settings import read_settings
from phasewise.migration.verify import verify
from phasewise.model.builds.compose import health_of
from phasewise.model.measurement import Measurement, Outcome, Scenario, Verification
from phasewise.model.repo import Target

_OWNED_ENVIRONMENT = ("UV_COMPILE_BYTECODE", "VIRTUAL_ENV")
"""Variables that a phase may set or drop: they steer installers, not the application."""


class Trial(Struct, frozen=True):
    """The engine, the repository and the target that belong together; each job yields events."""

    repository: Repository
    engine: Engine
    target: Target

    def of(self, target: Target) -> Trial:
        """The same for another target."""
        return replace(self, target=target)

    def image(self, commit: str) -> str:
        """The tag of a commit's image."""
        return image_names.of_commit(self.repository.root, self.target, commit)

    def measure(
        self, commit: str, scenarios: Sequence[Scenario], repeat: int, cancel: Cancel
    ) -> Iterator[Event]:
        """Builds `commit` as a fresh clone would and records what that cost and produced."""
        with self.repository.worktree(commit) as checkout:
            for event in measure(
                self.engine,
                checkout,
                self.target,
                commit,
                scenarios=scenarios,
                repeat=repeat,
                tag=self.image(commit),
                cancel=cancel,
            ):
                if isinstance(event, Measured):
                    self._record(event.measurement)
                yield event

    def build(self, commit: str, cancel: Cancel) -> Generator[Event, None, BuildFinished | None]:
        """Builds `commit` with the user's own cache; returns None when it is built and measured already.

        Raises:
            Cancelled: `cancel` was asked.
        """
        if self.engine.exists(self.image(commit)) and self._measured(commit):
            return None
        finished = None
        for event in self.measure(commit, (Scenario.REBUILD,), 1, cancel):
            if isinstance(event, BuildFinished):
                finished = event
            yield event
        if finished is None or finished.outcome is Outcome.CANCELLED:
            raise Cancelled("the build was stopped")
        return finished

    def take_census(self, commit: str, cancel: Cancel) -> Iterator[Event]:
        """Looks inside the image of `commit` and records what is there."""
        yield Narration("looking inside the image")
        census = take_census(self.engine, self.image(commit), cancel)
        ledger.record_census(self.repository, commit, self.target, census)

    def verify(
        self, commit: str, before: Verification | None, cancel: Cancel, gone: Collection[str] = ()
    ) -> Iterator[Event]:
        """Runs the checks on the image of `commit` and compares with `before`, the baseline's.

        `gone` are the checks that ask for what an applied phase took out.
        """
        for event in verify(
            self.engine,
            self.image(commit),
            commit=commit,
            baseline=before,
            declared=read_settings(self.repository, commit).checks,
            owned_environment=_OWNED_ENVIRONMENT,
            gone=gone,
            compose_health=self._compose_health(commit),
            cancel=cancel,
        ):
            if isinstance(event, Verified):
                broken = event.verification.broken_since(before) if before else ()
                event = Verified(event.verification, broken)
                ledger.record_verification(self.repository, commit, self.target, event.verification)
            yield event

    def point_at(self, commit: str) -> None:
        """Makes the `current` tag name the image of `commit`."""
        self.engine.tag(self.image(commit), image_names.current(self.repository.root, self.target))

    def keep_only(self, commits: Sequence[str]) -> tuple[str, ...]:
        """Removes the target's images of other commits; returns the tags that are gone.

        A rebuild of one of them takes seconds, because the build cache stays.
        """
        kept = {self.image(commit) for commit in commits}
        kept.add(image_names.current(self.repository.root, self.target))
        family = image_names.of_target(self.repository.root, self.target)
        tags = (tag for image in self.engine.images_of(family) for tag in image.tags)
        return self.engine.remove([tag for tag in tags if tag.startswith(f"{family}:") and tag not in kept])

    def _compose_health(self, commit: str) -> Mapping[str, Any] | None:
        view = scan.view(self.repository, commit, self.target)
        named = view.stage.name
        is_last = view.stage is view.dockerfile.stages[-1]
        return health_of(view.files, self.target.dockerfile, {named, None} if is_last else {named})

    def _measured(self, commit: str) -> bool:
        known = ledger.measurements(self.repository, commit, self.target).values()
        return any(measurement.outcome is Outcome.BUILT for measurement in known)

    def _record(self, measurement: Measurement) -> None:
        """Writes the measurement down, unless it would hide a figure behind a network that was away."""
        known = ledger.measurements(self.repository, measurement.commit, self.target)
        says_nothing = measurement.outcome is Outcome.INCONCLUSIVE and measurement.scenario in known
        if measurement.outcome is not Outcome.CANCELLED and not says_nothing:
            ledger.record_measurement(self.repository, measurement.commit, self.target, measurement)
