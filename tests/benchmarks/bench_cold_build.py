"""How long a build from nothing takes: as the authors have it, and after all phases, with the steps that take longest.

Run with `make benchmark`. Figures are printed, never asserted: machines differ.
"""

import statistics
from pathlib import Path

import pytest
from git_fixtures import own_git_settings
from story_runs import REPOSITORIES, before_and_after, commit_all, in_turns, prepared, seconds, told

from phasewise.migration.errors import NoEngine
from phasewise.model.measurement import Measurement, Scenario

__all__ = ["own_git_settings"]

TURNS = 3
STEPS = 6


@pytest.mark.parametrize("name", REPOSITORIES)
def test_cold_before_and_after(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        session = prepared(name, tmp_path)
    except NoEngine as missing:
        pytest.skip(missing.message)
    try:
        phases = commit_all(session)
        # One build alone is 20 % off now and then.
        before, after = in_turns(session, before_and_after(session), Scenario.COLD, TURNS)
    finally:
        session.clean()
    change = seconds(after).median / seconds(before).median - 1
    with capsys.disabled():
        print(
            f"\n{name}: from nothing takes {told(before)} as it is, {told(after)} after {len(phases)} phases:"
            f" {change:+.0%}"
        )
        for title, measurements in (("as it is", before), ("after", after)):
            print(f"  {title}, median of {TURNS} builds:", *slowest(measurements), sep="\n    ")


def slowest(measurements: list[Measurement]) -> list[str]:
    """The steps that take longest, as `26.6 s  [builder 5/7] RUN pip install ...`."""
    times: dict[str, list[float]] = {}
    for measurement in measurements:
        for step in measurement.steps:
            times.setdefault(step.name, []).append(step.seconds)
    medians = {name: statistics.median(each) for name, each in times.items()}
    longest = sorted(medians.items(), key=lambda item: -item[1])[:STEPS]
    return [f"{spent:5.1f} s  {' '.join(name.split())[:100]}" for name, spent in longest]
