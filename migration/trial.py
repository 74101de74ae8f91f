"""Tries one commit: builds it in a clean checkout, measures it, looks inside, and checks how it behaves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from phasewise.migration import ledger
from phasewise.migration.census import take_census
from phasewise.migration.events import Cancel, Event, Measured, Narration, Verified
from phasewise.migration.git import Repository
from phasewise.migration.images import Engine
from phasewise.migration.measure import measure
from phasewise.migration.settings import read_settings
from phasewise.migration.verify import verify
from phasewise.model.measurement import Measurement, Outcome, Scenario
from phasewise.model.repo import Target

_OWNED_ENVIRONMENT = ("UV_COMPILE_BYTECODE", "VIRTUAL_ENV")
"""Variables that a phase may set or drop: they steer installers, not the application."""


@dataclass(frozen=True)
class Trial:
    """The engine, the repository and the target that belong together; each job yields events."""

    repository: Repository
    engine: Engine
    target: Target

    @property
    def slug(self) -> str:
        """The name of the target's images, `phasewise/service-1a2b3c4d`: one a repository and target."""
        name = re.sub(r"[^a-z0-9]+", "-", self.repository.name.lower()).strip("-") or "repository"
        identity = f"{self.repository.root}\0{self.target.dockerfile}\0{self.target.stage}"
        return (
            f"phasewise/{name}-{hashlib.sha256(identity.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        )

    def image(self, commit: str) -> str:
        """The tag of a commit's image."""
        return f"{self.slug}:{commit[:12]}"

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

    def build(self, commit: str, cancel: Cancel) -> Iterator[Event]:
        """Builds `commit` with the user's own cache, unless its image is still there."""
        if not self.engine.exists(self.image(commit)):
            yield from self.measure(commit, (Scenario.REBUILD,), 1, cancel)

    def take_census(self, commit: str, cancel: Cancel) -> Iterator[Event]:
        """Looks inside the image of `commit` and records what is there."""
        yield Narration("looking inside the image")
        census = take_census(self.engine, self.image(commit), cancel)
        ledger.record_census(self.repository, commit, self.target, census)

    def verify(self, commit: str, baseline: str, cancel: Cancel) -> Iterator[Event]:
        """Runs the checks on the image of `commit` and compares with what passed on the baseline."""
        before = None
        if commit != baseline:
            before = ledger.verification(self.repository, baseline, self.target)
        for event in verify(
            self.engine,
            self.image(commit),
            commit=commit,
            baseline=before,
            declared=read_settings(self.repository, commit).checks,
            owned_environment=_OWNED_ENVIRONMENT,
            cancel=cancel,
        ):
            if isinstance(event, Verified):
                broken = event.verification.broken_since(before) if before else ()
                event = Verified(event.verification, broken)
                ledger.record_verification(self.repository, commit, self.target, event.verification)
            yield event

    def point_at(self, commit: str) -> None:
        """Makes the `current` tag name the image of `commit`."""
        self.engine.tag(self.image(commit), f"{self.slug}:current")

    def _record(self, measurement: Measurement) -> None:
        if measurement.outcome is not Outcome.CANCELLED:
            ledger.record_measurement(self.repository, measurement.commit, self.target, measurement)
