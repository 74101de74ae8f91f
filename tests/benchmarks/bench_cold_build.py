"""How long a build from nothing takes: as the authors have it, and after all phases, with the steps that take longest.

Run with `make benchmark`. Figures are printed, never asserted: machines differ.
"""

import statistics
from pathlib import Path

import pytest
from git_fixtures import own_git_settings
from story_runs import REPOSITORIES, commit_all, figures, prepared

from phasewise.migration.errors import NoEngine
from phasewise.model.measurement import Measurement, Samples, Scenario

__all__ = ["own_git_settings"]

TURNS = 3
STEPS = 6


@pytest.mark.parametrize("name", REPOSITORIES)
def test_cold_before_and_after(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        session = prepared(name, tmp_path)
    except NoEngine as missing:
        pytest.skip(missing.message)
    baseline = session.status().baseline
    try:
        phases = commit_all(session)
        taken: dict[str, list[Measurement]] = {baseline: [], session.repository.head(): []}
        # In turns, so that both meet the same machine: one build alone is 20 % off now and then.
        for _ in range(TURNS):
            for revision, measurements in taken.items():
                measured = figures(session, revision, [Scenario.COLD])[Scenario.COLD]
                assert measured.samples, measured.note
                measurements.append(measured)
    finally:
        session.clean()
    before, after = taken.values()
    change = seconds(after).median / seconds(before).median - 1
    with capsys.disabled():
        print(
            f"\n{name}: from nothing takes {told(before)} as it is, {told(after)} after {len(phases)} phases:"
            f" {change:+.0%}"
        )
        for title, measurements in (("as it is", before), ("after", after)):
            print(f"  {title}, median of {TURNS} builds:", *slowest(measurements), sep="\n    ")


def seconds(measurements: list[Measurement]) -> Samples:
    """The builds' times together."""
    return Samples(tuple(s for each in measurements if each.samples for s in each.samples.seconds))


def told(measurements: list[Measurement]) -> str:
    """`41.9 s ± 2.3`: the median, and half the spread."""
    samples = seconds(measurements)
    return f"{samples.median:.1f} s ± {samples.spread / 2:.1f}"


def slowest(measurements: list[Measurement]) -> list[str]:
    """The steps that take longest, as `26.6 s  [builder 5/7] RUN pip install ...`."""
    times: dict[str, list[float]] = {}
    for measurement in measurements:
        for step in measurement.steps:
            times.setdefault(step.name, []).append(step.seconds)
    medians = {name: statistics.median(each) for name, each in times.items()}
    longest = sorted(medians.items(), key=lambda item: -item[1])[:STEPS]
    return [f"{spent:5.1f} s  {' '.join(name.split())[:100]}" for name, spent in longest]
