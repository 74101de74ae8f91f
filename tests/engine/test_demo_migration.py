"""The sample repository goes through its whole migration, there and back, with real builds and checks."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from migrating import FOUR, Job, apply_all, four_rules, row, rows, texts
from msgspec import Struct

from phasewise.cli.demo.create import create
from phasewise.migration import image_names
from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.measurement import Outcome, Verdict
from phasewise.model.phase import Plan
from phasewise.model.status import State, Status

pytestmark = pytest.mark.engine


class Stage(Struct, frozen=True):
    """Where the migration stood once something was done."""

    session: Session
    status: Status
    jobs: dict[str, Job]
    plan: Plan
    files: dict[str, bytes]
    current: str
    """The id of the image that the `current` tag names."""

    @classmethod
    def of(cls, session: Session, jobs: dict[str, Job]) -> "Stage":
        root = session.repository.root
        tag = image_names.current(root, session.target)
        current = session.engine.inspect(tag).id if session.engine.exists(tag) else ""
        return cls(session, session.status(), jobs, session.plan(), texts(root), current)


@pytest.fixture(scope="module")
def prepared(engine: Engine, git_identity: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    session = Session.open(create(tmp_path_factory.mktemp("demo") / "tidewatch"), rules=four_rules())
    yield Stage.of(session, {"prepare": Job.run(session.prepare())})
    session.clean()


@pytest.fixture(scope="module")
def migrated(prepared: Stage) -> Stage:
    return Stage.of(prepared.session, apply_all(prepared.session))


@pytest.fixture(scope="module")
def second_taken_back(migrated: Stage) -> Stage:
    job = Job.run(migrated.session.rollback("split_base_builder"))
    return Stage.of(migrated.session, {"rollback": job})


@pytest.fixture(scope="module")
def all_taken_back(second_taken_back: Stage) -> Stage:
    session = second_taken_back.session
    return Stage.of(session, {"rollback": Job.run(session.rollback(*session.applied()))})


def test_the_baseline_is_measured_and_healthy(prepared: Stage) -> None:
    assert prepared.jobs["prepare"].finished.ok
    status = prepared.status
    assert status.baseline == status.head
    assert status.baseline_measurement is not None
    assert status.baseline_measurement.outcome is Outcome.BUILT
    assert status.baseline_census is not None
    assert status.baseline_verification is not None
    passed = {r.id for r in status.baseline_verification.results if r.verdict is Verdict.PASSED}
    assert {"app", "command", "health", "elf:numpy", "metadata:fastapi"} <= passed
    assert [phase.id for phase in prepared.plan.phases] == list(FOUR)


def test_every_phase_is_applied_measured_and_verified(migrated: Stage) -> None:
    assert rows(migrated.status) == [(id, State.VERIFIED) for id in FOUR]
    assert list(migrated.jobs) == list(FOUR)
    for id, job in migrated.jobs.items():
        assert job.finished.ok, f"{id}: {job.finished.summary}"
        measured = row(migrated.status, id).measurement
        assert measured is not None
        assert measured.commit == row(migrated.status, id).commit
        assert measured.image_bytes == sum(layer.size_bytes for layer in measured.layers)


def test_the_image_loses_sixty_percent(migrated: Stage, engine: Engine) -> None:
    start, now = migrated.status.baseline_measurement, migrated.status.current_measurement
    assert start is not None
    assert now is not None
    assert start.image_bytes is not None
    assert now.image_bytes is not None
    assert now.image_bytes <= 0.4 * start.image_bytes
    assert now.image_bytes == engine.inspect(migrated.current).size_bytes


def test_what_passed_on_the_baseline_passes_after_each_phase(migrated: Stage) -> None:
    baseline = migrated.status.baseline_verification
    assert baseline is not None
    for id in FOUR:
        verification = row(migrated.status, id).verification
        assert verification is not None
        assert verification.broken_since(baseline) == ()
        assert verification.count(Verdict.PASSED) >= baseline.count(Verdict.PASSED)


def test_measurement_confirms_the_prediction(prepared: Stage, migrated: Stage) -> None:
    for phase in prepared.plan.phases:
        predicted, delta = phase.predicted.image_bytes, row(migrated.status, phase.id).delta
        assert predicted is not None, f"{phase.id} predicts nothing with a census at hand"
        assert delta is not None
        assert delta.image_bytes is not None
        assert (predicted < 0) == (delta.image_bytes < 0), phase.id
        assert (predicted > 0) == (delta.image_bytes > 0), phase.id


def test_the_lighter_image_is_built_and_measured_too(migrated: Stage) -> None:
    phase = row(migrated.status, "add_ci_variant")
    assert phase.variant is not None
    assert phase.measurement is not None
    assert phase.variant.dockerfile == "Dockerfile.ci"
    assert phase.variant.outcome is Outcome.BUILT
    assert phase.variant.image_bytes is not None
    assert phase.measurement.image_bytes is not None
    assert phase.variant.image_bytes < phase.measurement.image_bytes
    assert not phase.changed_nothing
    told = [line for line in migrated.jobs["add_ci_variant"].told if line.startswith("Dockerfile.ci: ")]
    assert len(told) == 1
    assert told[0].endswith("% smaller than Dockerfile")
    assert "Dockerfile.ci: " in migrated.session.report("md")


def test_the_price_at_start_up_is_told_from_the_checks(migrated: Stage) -> None:
    phase = row(migrated.status, "drop_compileall")
    baseline = migrated.status.baseline_verification
    assert phase.start_up is not None
    assert phase.verification is not None
    assert baseline is not None
    samples = [
        next(result.samples for result in v.results if result.id == "app")
        for v in (baseline, phase.verification)
    ]
    assert [phase.start_up.before, phase.start_up.after] == samples
    assert phase.start_up.imports >= 3
    assert phase.start_up.what == "app.main:app"
    assert phase.start_up.sentence in migrated.jobs["drop_compileall"].told
    assert phase.start_up.sentence in migrated.session.report("md").replace("\\", "")


def test_images_of_steps_in_between_do_not_pile_up(migrated: Stage, engine: Engine) -> None:
    root = migrated.session.repository.root
    name = image_names.of_target(root, migrated.session.target)
    tags = {tag for tag in engine.local_tags() if tag.startswith(f"{name}:")}
    ends = {migrated.status.baseline[:12], migrated.status.head[:12], "current"}
    assert tags == {f"{name}:{tag}" for tag in ends}


def test_reopening_shows_the_same(migrated: Stage) -> None:
    again = Session.open(migrated.session.repository.root, rules=four_rules()).status()
    assert again == migrated.status


def test_another_clone_shows_the_same(migrated: Stage, tmp_path: Path) -> None:
    root = migrated.session.repository.root
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--", str(root), str(clone)], check=True)
    refs = "refs/notes/phasewise:refs/notes/phasewise"
    subprocess.run(["git", "-C", str(clone), "fetch", "--quiet", "origin", refs], check=True)
    status = Session.open(clone, rules=four_rules()).status()
    assert rows(status) == rows(migrated.status)
    assert [each.measurement for each in status.rows] == [each.measurement for each in migrated.status.rows]
    assert [each.verification for each in status.rows] == [each.verification for each in migrated.status.rows]
    assert [each.variant for each in status.rows] == [each.variant for each in migrated.status.rows]
    assert status.baseline_measurement == migrated.status.baseline_measurement


def test_taking_the_second_back_leaves_the_third_and_fourth(second_taken_back: Stage) -> None:
    job = second_taken_back.jobs["rollback"]
    assert job.finished.ok, job.finished.summary
    states = dict(rows(second_taken_back.status))
    assert states["split_base_builder"] in (State.PROPOSED, State.ROLLED_BACK)
    applied = {id for id, state in states.items() if state is State.VERIFIED}
    assert applied == {"drop_compileall", "strip_symbols", "add_ci_variant"}


def test_the_tag_points_at_the_restored_image(
    migrated: Stage, second_taken_back: Stage, engine: Engine
) -> None:
    root = second_taken_back.session.repository.root
    head = image_names.of_commit(root, second_taken_back.session.target, second_taken_back.status.head)
    assert second_taken_back.current == engine.inspect(head).id
    assert second_taken_back.current != migrated.current
    before, after = (row(migrated.status, "split_base_builder").delta, second_taken_back.status)
    assert before is not None
    assert before.image_bytes is not None
    assert after.current_measurement is not None
    assert after.current_measurement.image_bytes is not None
    last = migrated.status.current_measurement
    assert last is not None
    assert last.image_bytes is not None
    assert after.current_measurement.image_bytes > last.image_bytes


def test_taking_all_back_restores_every_byte(prepared: Stage, all_taken_back: Stage) -> None:
    assert all_taken_back.jobs["rollback"].finished.ok
    assert all_taken_back.files == prepared.files
    assert all_taken_back.session.repository.changed_paths(prepared.status.head, "HEAD") == ()
    assert all_taken_back.session.applied() == ()
    assert [state for _, state in rows(all_taken_back.status)] == [State.ROLLED_BACK] * 4


def test_the_plan_is_the_first_one_again(prepared: Stage, all_taken_back: Stage) -> None:
    before = [(phase.id, phase.edits, phase.predicted) for phase in prepared.plan.phases]
    after = [(phase.id, phase.edits, phase.predicted) for phase in all_taken_back.plan.phases]
    assert after == before


def test_the_restored_image_has_the_size_of_the_baseline(all_taken_back: Stage) -> None:
    start, now = all_taken_back.status.baseline_measurement, all_taken_back.status.current_measurement
    assert start is not None
    assert now is not None
    assert now.commit == all_taken_back.status.head
    assert now.image_bytes == start.image_bytes
