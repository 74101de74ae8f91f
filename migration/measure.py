"""Builds a commit in one or more scenarios and says what that cost and produced."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from phasewise.migration.errors import PhasewiseError
from phasewise.migration.events import (
    BuildFinished,
    BuildStarted,
    Cancel,
    Event,
    Measured,
    Narration,
    StepFinished,
)
from phasewise.migration.images import COMMIT_LABEL, REPOSITORY_LABEL, Engine
from phasewise.migration.memory import PeakMemory
from phasewise.migration.touch import application_file, copied, touch
from phasewise.model.dockerfile import Dockerfile, DockerfileError
from phasewise.model.measurement import Measurement, Outcome, Samples, Scenario, Step
from phasewise.model.repo import Target

_NOTHING_SAMPLED = "peak memory: no step ran long enough to be sampled"

_NEEDS_A_FULL_CACHE = (Scenario.WARM, Scenario.CODE_CHANGE)


def measure(
    engine: Engine,
    checkout: Path,
    target: Target,
    commit: str,
    *,
    scenarios: Sequence[Scenario] = (Scenario.REBUILD,),
    repeat: int = 1,
    tag: str,
    cancel: Cancel | None = None,
) -> Iterator[Event]:
    """Builds `target` from `checkout`, which holds the files of `commit`, and measures each scenario.

    Yields BuildStarted, the build's events with BuildFinished, and one Measured for each scenario. Warm and
    code-change builds are preceded by one that fills the cache and is not measured. `repeat` builds are made
    of each scenario, except of a rebuild, whose repetition would be warm. The image of the commit ends up
    named `tag`; the one of a code change is removed. A build that fails ends its scenario, and its
    Measurement says so; a cancelled one ends the job.

    Raises:
        PhasewiseError: the Dockerfile or the context lies outside of the checkout.
    """
    total = number_of_builds(scenarios, repeat)
    job = _Job(engine, _inside(checkout, target), target, commit, tag, cancel or Cancel(), total)
    for scenario in scenarios:
        repetitions = 1 if scenario is Scenario.REBUILD else max(1, repeat)
        measurement = yield from job.scenario(scenario, repetitions)
        yield Measured(measurement)
        if measurement.outcome is Outcome.CANCELLED:
            return


def _inside(checkout: Path, target: Target) -> Path:
    """The checkout's real path, once Dockerfile and context are known to lie in it, links followed."""
    root = checkout.resolve()
    for what, path in (("Dockerfile", target.dockerfile), ("build context", target.context)):
        if not (root / path).resolve().is_relative_to(root):
            raise PhasewiseError(f"the {what} {path} lies outside of the repository")
    return root


def number_of_builds(scenarios: Sequence[Scenario], repeat: int) -> int:
    """How many builds `measure` makes for these scenarios, those that only fill the cache included."""
    total, filled = 0, False
    for scenario in scenarios:
        if scenario in _NEEDS_A_FULL_CACHE:
            total += 0 if filled else 1
        filled = filled or scenario is not Scenario.COLD
        total += 1 if scenario is Scenario.REBUILD else max(1, repeat)
    return total


class _Run(Struct, frozen=True):
    """One finished build."""

    finished: BuildFinished
    steps: tuple[Step, ...]
    peak_memory_bytes: int | None
    note: str
    """Why there is no figure of the memory."""

    @property
    def built(self) -> bool:
        return self.finished.outcome is Outcome.BUILT


class _Job(Struct):
    engine: Engine
    checkout: Path
    target: Target
    commit: str
    tag: str
    cancel: Cancel
    total: int
    number: int = 0
    cache_is_full: bool = False

    def scenario(self, scenario: Scenario, repetitions: int) -> Generator[Event, None, Measurement]:
        """Makes the builds of one scenario; returns what they measured."""
        if scenario in _NEEDS_A_FULL_CACHE and not self.cache_is_full:
            yield Narration("filling the build cache; this build is not measured")
            run = yield from self._build(Scenario.REBUILD, self.checkout)
            if not run.built:
                return self._measurement(scenario, [run])
        if scenario is Scenario.CODE_CHANGE:
            return (yield from self._code_change(repetitions))
        runs: list[_Run] = []
        while len(runs) < repetitions and all(run.built for run in runs):
            runs.append((yield from self._build(scenario, self.checkout)))
        return self._measurement(scenario, runs)

    def _code_change(self, repetitions: int) -> Generator[Event, None, Measurement]:
        path = application_file(self.checkout, self.target)
        if path is None:
            return self._unmeasured(
                Scenario.CODE_CHANGE, "the Dockerfile copies no Python file that could be touched"
            )
        yield Narration(f"touching {path} in a copy of the checkout")
        runs: list[_Run] = []
        with copied(self.checkout) as copy:
            while len(runs) < repetitions and all(run.built for run in runs):
                touch(copy / path)
                runs.append((yield from self._build(Scenario.CODE_CHANGE, copy)))
            measurement = self._measurement(Scenario.CODE_CHANGE, runs)
        self.engine.remove([self._tag(Scenario.CODE_CHANGE)])
        return measurement

    def _build(self, scenario: Scenario, checkout: Path) -> Generator[Event, None, _Run]:
        """One build; yields BuildStarted and the build's own events."""
        self.number += 1
        yield BuildStarted(self.commit, scenario, self.number, self.total)
        tag = self._tag(scenario)
        before = self.engine.inspect(tag).id if self.engine.exists(tag) else None
        steps: dict[str, Step] = {}
        finished = BuildFinished(Outcome.CANCELLED, 0.0)
        with PeakMemory(self.engine.is_local) as memory:
            for event in self.engine.build(
                checkout / self.target.context,
                checkout / self.target.dockerfile,
                tag=tag,
                stage=self.target.stage,
                arguments=dict(self.target.arguments),
                labels=self._labels(scenario),
                cold=scenario is Scenario.COLD,
                cancel=self.cancel,
            ):
                if isinstance(event, StepFinished) and not event.error:
                    steps[event.key] = Step(event.name, event.seconds, event.cached)
                if isinstance(event, BuildFinished):
                    finished = event
                yield event
        if finished.outcome is Outcome.BUILT:
            self.cache_is_full = self.cache_is_full or scenario is not Scenario.COLD
            if before is not None and before != finished.image_id:
                self.engine.discard(before)
        told = tuple(step for step in steps.values() if _is_told(step))
        # On a shared engine the samples of a build that ran nothing are those of other people's builds.
        peak = memory.bytes if any(_is_run(step) for step in told) else None
        return _Run(finished, told, peak, memory.why_not)

    def _tag(self, scenario: Scenario) -> str:
        return f"{self.tag}-code-change" if scenario is Scenario.CODE_CHANGE else self.tag

    def _labels(self, scenario: Scenario) -> dict[str, str]:
        """What the image is; one with a touched file is not the commit's."""
        repository = {REPOSITORY_LABEL: self.tag.rpartition(":")[0] or self.tag}
        return repository if scenario is Scenario.CODE_CHANGE else {**repository, COMMIT_LABEL: self.commit}

    def _measurement(self, scenario: Scenario, runs: Sequence[_Run]) -> Measurement:
        """What the runs say together: the last one's outcome and image, the median one's steps."""
        last, built = runs[-1].finished, [run for run in runs if run.built]
        if last.outcome is not Outcome.BUILT:
            return replace(
                self._unmeasured(scenario, last.error), outcome=last.outcome, samples=_samples(built)
            )
        middle = sorted(built, key=lambda run: run.finished.seconds)[(len(built) - 1) // 2]
        image = self.engine.inspect(self._tag(scenario))
        peaks = [run.peak_memory_bytes for run in built if run.peak_memory_bytes is not None]
        return replace(
            self._unmeasured(scenario, "" if peaks else middle.note or _NOTHING_SAMPLED),
            outcome=Outcome.BUILT,
            samples=_samples(built),
            image_id=image.id,
            image_bytes=image.size_bytes,
            layers=tuple(layer for layer in image.layers if layer.size_bytes),
            steps=middle.steps,
            peak_memory_bytes=max(peaks, default=None),
        )

    def _unmeasured(self, scenario: Scenario, note: str) -> Measurement:
        return Measurement(
            commit=self.commit,
            dockerfile=self.target.dockerfile,
            stage=_stage(self.checkout, self.target),
            scenario=scenario,
            outcome=Outcome.INCONCLUSIVE,
            taken_at=datetime.now(UTC),
            engine=self.engine.identity,
            note=note,
        )


def _stage(checkout: Path, target: Target) -> str:
    """The stage's name, or its index as text; as the target has it when the Dockerfile does not parse."""
    try:
        text = (checkout / target.dockerfile).read_text(encoding="utf-8", errors="surrogateescape")
        return Dockerfile.parse(text, target.dockerfile).stage(target.stage).label
    except (OSError, DockerfileError):
        return target.stage or ""


def _samples(runs: Sequence[_Run]) -> Samples | None:
    return Samples(tuple(run.finished.seconds for run in runs)) if runs else None


def _is_run(step: Step) -> bool:
    return not step.cached and "] RUN " in step.name


def _is_told(step: Step) -> bool:
    """Whether a step is the user's affair: those that BuildKit adds are not, except sending the context."""
    return not step.name.startswith("[internal]") or step.name == "[internal] load build context"
