"""Measuring over a scripted engine: which builds are made, and what of them is kept."""

from pathlib import Path

import pytest
from fake_engine import FakeEngine, image_info, step

from phasewise.migration.events import BuildStarted, Cancel, Event, Measured
from phasewise.migration.measure import measure
from phasewise.model.measurement import Measurement, Outcome, Scenario
from phasewise.model.repo import Target

TAG = "phasewise/service-1:c0ffee"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM x AS base\nFROM base AS last\nCOPY main.py .\n")
    (folder / "main.py").write_text("x = 1\n")
    return folder


def run(
    engine: FakeEngine, checkout: Path, *scenarios: Scenario, repeat: int = 1, cancel: Cancel | None = None
):
    target = Target("Dockerfile", arguments=(("A", "1"),))
    return list(
        measure(
            engine, checkout, target, "c0ffee", scenarios=scenarios, repeat=repeat, tag=TAG, cancel=cancel
        )
    )


def measured(events: list[Event]) -> list[Measurement]:
    return [event.measurement for event in events if isinstance(event, Measured)]


def test_a_rebuild_is_one_build_with_the_users_cache(checkout: Path) -> None:
    steps = (*step("[internal] load .dockerignore"), *step("[last 1/2] FROM x"), *step("exporting to image"))
    with FakeEngine() as engine:
        engine.expect_build(*steps, image=image_info(7), tag=TAG, cold=False, arguments={"A": "1"})
        [measurement] = measured(run(engine, checkout, Scenario.REBUILD, repeat=5))
    assert measurement.outcome is Outcome.BUILT
    assert measurement.image_bytes == 7
    assert (measurement.dockerfile, measurement.stage, measurement.engine) == (
        "Dockerfile",
        "last",
        engine.identity,
    )
    assert [step.name for step in measurement.steps] == ["[last 1/2] FROM x", "exporting to image"]
    assert "another machine" in measurement.note
    labels = engine.images[TAG].config["Labels"]
    assert labels == {"phasewise.repository": "phasewise/service-1", "phasewise.commit": "c0ffee"}


def test_warm_builds_come_after_one_that_fills_the_cache(checkout: Path) -> None:
    with FakeEngine() as engine:
        for _ in range(3):
            engine.expect_build(tag=TAG, cold=False)
        events = run(engine, checkout, Scenario.WARM, repeat=2)
    started = [event.scenario for event in events if isinstance(event, BuildStarted)]
    assert started == [Scenario.REBUILD, Scenario.WARM, Scenario.WARM]
    [measurement] = measured(events)
    assert measurement.samples is not None
    assert len(measurement.samples.seconds) == 2


def test_a_code_change_has_its_own_tag_no_commit_and_is_removed(checkout: Path) -> None:
    with FakeEngine() as engine:
        engine.expect_build(tag=TAG)
        labels = {"phasewise.repository": "phasewise/service-1"}
        engine.expect_build(tag=f"{TAG}-code-change", labels=labels, image=image_info(8))
        [measurement] = measured(run(engine, checkout, Scenario.CODE_CHANGE))
    assert measurement.image_bytes == 8
    assert list(engine.images) == [TAG]


def test_nothing_to_touch_is_said(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text("FROM x\n")
    with FakeEngine() as engine:
        engine.expect_build(tag=TAG)
        [measurement] = measured(run(engine, checkout, Scenario.CODE_CHANGE))
    assert measurement.samples is None
    assert "no Python file" in measurement.note


def test_an_image_that_lost_its_name_is_discarded(checkout: Path) -> None:
    with FakeEngine() as engine:
        engine.expect_build(tag=TAG, image=image_info(1))
        engine.expect_build(tag=TAG, image=image_info(2))
        run(engine, checkout, Scenario.COLD, repeat=2)
        assert f"discard {image_info(1).id}" in engine.calls


def test_a_failure_ends_its_scenario_only(checkout: Path) -> None:
    with FakeEngine() as engine:
        engine.expect_build(tag=TAG, cold=True, error="the reason")
        engine.expect_build(tag=TAG, cold=False)
        cold, rebuild = measured(run(engine, checkout, Scenario.COLD, Scenario.REBUILD, repeat=3))
    assert (cold.outcome, cold.note, cold.samples) == (Outcome.FAILED, "the reason", None)
    assert rebuild.outcome is Outcome.BUILT


def test_cancelling_ends_the_job(checkout: Path) -> None:
    cancel = Cancel()
    cancel.ask()
    with FakeEngine() as engine:
        engine.expect_build(*step("one"), tag=TAG)
        events = run(engine, checkout, Scenario.REBUILD, Scenario.COLD, cancel=cancel)
    assert [m.outcome for m in measured(events)] == [Outcome.CANCELLED]
