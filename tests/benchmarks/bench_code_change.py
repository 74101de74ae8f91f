"""How long a build takes after one application file changed: as the authors have it, and after all phases.

Run with `make benchmark`. Figures are printed, never asserted: machines differ.
"""

import statistics
from pathlib import Path

import pytest
from git_fixtures import own_git_settings
from story_runs import REPOSITORIES, commit_all, figures, prepared

from phasewise.migration.errors import NoEngine
from phasewise.model.measurement import Samples, Scenario

__all__ = ["own_git_settings"]

TURNS = 7


@pytest.mark.parametrize("name", REPOSITORIES)
def test_code_change_before_and_after(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        session = prepared(name, tmp_path)
    except NoEngine as missing:
        pytest.skip(missing.message)
    baseline = session.status().baseline
    try:
        phases = commit_all(session)
        taken: dict[str, list[float]] = {baseline: [], session.repository.head(): []}
        # They take turns, so that both meet the same machine; the first builds also fill the cache.
        for turn in range(TURNS + 1):
            for revision, seconds in taken.items():
                measured = figures(session, revision, [Scenario.CODE_CHANGE])[Scenario.CODE_CHANGE]
                assert measured.samples, measured.note
                if turn:
                    seconds += measured.samples.seconds
    finally:
        session.clean()
    before, after = taken.values()
    with capsys.disabled():
        print(
            f"\n{name}: a code change takes {told(before)} as it is, {told(after)} after {len(phases)} phases:"
            f" {statistics.median(after) / statistics.median(before) - 1:+.0%}"
        )


def told(seconds: list[float]) -> str:
    """`4.1 s ± 0.3`: the median, and half the spread."""
    samples = Samples(tuple(seconds))
    return f"{samples.median:.1f} s ± {samples.spread / 2:.1f}"
