"""Measurements, their differences, and checks against the baseline's."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from phasewise.model.census import Census
from phasewise.model.measurement import (
    CheckResult,
    Delta,
    Measurement,
    Outcome,
    Samples,
    Scenario,
    Step,
    Verdict,
    Verification,
    total_seconds,
)

WHEN = datetime(2025, 1, 1, tzinfo=UTC)
BEFORE = Measurement(
    commit="a" * 40,
    dockerfile="Dockerfile",
    stage="app",
    scenario=Scenario.COLD,
    outcome=Outcome.BUILT,
    taken_at=WHEN,
    engine="some engine",
    samples=Samples((10.0, 12.0, 11.0)),
    image_bytes=1000,
    steps=(Step("RUN a", 3.0, False), Step("RUN b", 1.0, True)),
)


def verification(**verdicts: Verdict) -> Verification:
    results = tuple(CheckResult(id, f"Check {id}", verdict) for id, verdict in verdicts.items())
    return Verification("c" * 40, "sha256:x", WHEN, results)


def test_samples() -> None:
    samples = Samples((3.0, 1.0, 7.0))
    assert (samples.median, samples.spread) == (3.0, 6.0)
    assert Samples((2.0,)).spread == 0
    with pytest.raises(ValueError, match="no samples"):
        Samples(())


def test_a_delta_is_after_minus_before() -> None:
    after = replace(BEFORE, image_bytes=400, samples=Samples((5.0,)), steps=(Step("RUN a", 2.0, False),))
    delta = Delta.between(BEFORE, after)
    assert (delta.image_bytes, delta.seconds, delta.spread, delta.steps_changed) == (-600, -6.0, 2.0, 1)
    assert delta.time_is_measurable
    assert not delta.is_no_op


def test_a_difference_within_the_spread_is_not_measurable() -> None:
    delta = Delta.between(BEFORE, replace(BEFORE, samples=Samples((9.5,))))
    assert delta.seconds == -1.5
    assert not delta.time_is_measurable


def test_times_of_different_scenarios_do_not_compare() -> None:
    delta = Delta.between(BEFORE, replace(BEFORE, scenario=Scenario.WARM))
    assert delta.seconds is None
    assert not delta.time_is_measurable


def test_a_missing_figure_stays_missing() -> None:
    delta = Delta.between(BEFORE, replace(BEFORE, image_bytes=None, samples=None))
    assert (delta.image_bytes, delta.seconds) == (None, None)
    assert not delta.is_no_op


def test_nothing_changed_is_said() -> None:
    assert Delta.between(BEFORE, replace(BEFORE, samples=Samples((1.0,)))).is_no_op
    more = replace(BEFORE, steps=(*BEFORE.steps, Step("RUN strip", 1.0, False)))
    assert not Delta.between(BEFORE, more).is_no_op


def test_cached_steps_take_no_time() -> None:
    assert total_seconds(BEFORE.steps) == 3.0


def test_broken_is_what_the_baseline_passed_only() -> None:
    baseline = verification(
        a=Verdict.PASSED, b=Verdict.PASSED, c=Verdict.FAILED, d=Verdict.PASSED, e=Verdict.SKIPPED
    )
    here = verification(a=Verdict.PASSED, b=Verdict.FAILED, c=Verdict.FAILED, e=Verdict.FAILED)
    assert [result.id for result in here.broken_since(baseline)] == ["b", "d"]
    assert here.broken_since(baseline)[1].verdict is Verdict.FAILED
    assert here.count(Verdict.FAILED) == 3


def test_a_check_that_is_skipped_now_counts_as_broken() -> None:
    broken = verification(a=Verdict.SKIPPED).broken_since(verification(a=Verdict.PASSED))
    assert [result.id for result in broken] == ["a"]


def test_census_sums_below_directories() -> None:
    sizes = {"/opt/venv/lib": 1, "/opt/venv": 2, "/opt/venv2": 4, "/usr": 8}
    assert Census.under(sizes, "/opt/venv/") == 3
    assert Census.under(sizes, "/opt/venv", "/usr") == 11
    assert Census.under(sizes, "/nowhere") == 0
