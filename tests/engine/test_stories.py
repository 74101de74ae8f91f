"""The four stories go through their migrations: the right phases, real builds before and after, the same behaviour."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from migrating import Job, apply_all, four_rules, row
from stories import bahr, bot_core, phentrieve, truthgraph

from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.measurement import Outcome, Verdict
from phasewise.model.phase import Plan
from phasewise.model.status import State, Status

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Story:
    """What must be proposed and what must not, with a word of the reason."""

    module: ModuleType
    fires: tuple[str, ...]
    declines: dict[str, str]
    variant: str = ""
    """The Dockerfile that add_ci_variant adds."""
    pin: tuple[str, str, str] = ("", "", "")
    """A production requirement that can be changed: its file, its text, another version."""

    @property
    def name(self) -> str:
        return self.module.__name__.rpartition(".")[2]


STORIES = (
    Story(
        bahr,
        ("split_base_builder", "strip_symbols"),
        {"drop_compileall": "nothing compiles", "add_ci_variant": "no workflow"},
    ),
    Story(
        truthgraph,
        ("split_base_builder", "strip_symbols", "add_ci_variant"),
        {"drop_compileall": "nothing compiles"},
        variant="docker/api.ci.Dockerfile",
        pin=("pyproject.toml", "fastapi==", "0.0.1"),
    ),
    Story(
        bot_core,
        ("strip_symbols", "add_ci_variant"),
        {"drop_compileall": "nothing compiles", "split_base_builder": "no stage that the image inherits"},
        variant="python-ai-service/Dockerfile.ci",
        pin=("python-ai-service/requirements.txt", "fastapi==", "0.0.1"),
    ),
    Story(
        phentrieve,
        ("drop_compileall", "strip_symbols", "add_ci_variant"),
        {"split_base_builder": "no stage that the image inherits"},
        variant="api/Dockerfile.ci",
        pin=("api/requirements.txt", "fastapi==", "0.0.1"),
    ),
)


@dataclass(frozen=True)
class Migrated:
    """One story after its migration."""

    story: Story
    session: Session
    plan: Plan
    prepared: Job
    jobs: dict[str, Job]
    status: Status

    @property
    def root(self) -> Path:
        return self.session.repository.root


@pytest.fixture(scope="module", params=STORIES, ids=lambda story: story.name)
def migrated(
    request: pytest.FixtureRequest,
    engine: Engine,
    git_identity: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Migrated]:
    story: Story = request.param
    place = story.module.create(tmp_path_factory.mktemp("story") / story.name)
    session = Session.open(place, rules=four_rules())
    plan = session.plan()
    prepared = Job.run(session.prepare())
    jobs = apply_all(session) if prepared.finished.ok else {}
    yield Migrated(story, session, plan, prepared, jobs, session.status())
    session.clean()


def test_the_right_phases(migrated: Migrated) -> None:
    assert migrated.session.target.dockerfile == migrated.story.module.DOCKERFILE
    assert tuple(phase.id for phase in migrated.plan.phases) == migrated.story.fires
    reasons = {declined.id: declined.reason for declined in migrated.plan.declined}
    assert set(reasons) == set(migrated.story.declines)
    for id, word in migrated.story.declines.items():
        assert word in reasons[id]


def test_it_builds_before_and_after_each(migrated: Migrated) -> None:
    assert migrated.prepared.finished.ok, migrated.prepared.finished.summary
    assert tuple(migrated.jobs) == migrated.story.fires
    for id, job in migrated.jobs.items():
        assert set(job.builds) <= {Outcome.BUILT}, id
        assert job.finished.ok, f"{id}: {job.finished.summary}"


def test_what_passed_on_the_baseline_passes_after_each_phase(migrated: Migrated) -> None:
    baseline = migrated.status.baseline_verification
    assert baseline is not None
    passed = {result.id for result in baseline.results if result.verdict is Verdict.PASSED}
    assert {"app", "command"} <= passed
    for id in migrated.story.fires:
        found = row(migrated.status, id)
        assert {result.id: result.explanation for result in found.broken} == {}
        assert found.state is State.VERIFIED


def test_the_image_gets_smaller(migrated: Migrated) -> None:
    start, now = migrated.status.baseline_measurement, migrated.status.current_measurement
    assert start is not None
    assert now is not None
    assert start.image_bytes is not None
    assert now.image_bytes is not None
    assert now.image_bytes < start.image_bytes
    for id in migrated.story.fires:
        delta = row(migrated.status, id).delta
        assert delta is not None
        assert delta.image_bytes is not None
        # COPY . . takes in the few files that the phase adds.
        assert delta.image_bytes <= (50_000 if id == "add_ci_variant" else 0)


def test_reopening_shows_the_same(migrated: Migrated) -> None:
    assert Session.open(migrated.root, rules=four_rules()).status() == migrated.status


def check(root: Path, requirements: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "ci/check_requirements_ci.py", requirements]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_the_lighter_image_and_its_check(migrated: Migrated) -> None:
    if not migrated.story.variant:
        assert "add_ci_variant" not in migrated.jobs
        return
    found = row(migrated.status, "add_ci_variant")
    assert found.variant is not None
    assert found.variant.dockerfile == migrated.story.variant
    assert found.measurement is not None
    assert found.variant.image_bytes is not None
    assert found.measurement.image_bytes is not None
    assert found.variant.image_bytes < found.measurement.image_bytes

    assert found.phase is not None
    (requirements,) = (path for path in found.phase.files if path.endswith("requirements-ci.txt"))
    green = check(migrated.root, requirements)
    assert green.returncode == 0, green.stdout + green.stderr
    path, pin, other = migrated.story.pin
    production = migrated.root / path
    text = production.read_text()
    changed = re.sub(rf"(?<={re.escape(pin)})[0-9][\w.]*", other, text, count=1)
    assert changed != text
    try:
        production.write_text(changed)
        red = check(migrated.root, requirements)
    finally:
        production.write_text(text)
    assert red.returncode == 1
    assert f"{requirements} has drifted from" in red.stdout
    assert f"+{pin}{other}" in red.stdout
