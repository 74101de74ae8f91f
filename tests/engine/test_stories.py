"""The four stories go through all phases: real builds before and after, the same behaviour, and what each gains."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from migrating import Job, next_row, row
from msgspec import Struct
from stories import bahr, bot_core, phentrieve, truthgraph
from story_runs import figures

from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.measurement import Measurement, Outcome, Scenario, Verdict
from phasewise.model.phase import Plan, Risk
from phasewise.model.status import State, Status

pytestmark = pytest.mark.engine


class Story(Struct, frozen=True):
    """What must be proposed and what must not, with a word of the reason; and what must come of it."""

    module: ModuleType
    fires: tuple[str, ...]
    """These among others, in this order."""
    declines: dict[str, str]
    most_percent: int
    """Less of the image must be left than this; dependencies stay as they are."""
    measured: tuple[str, ...] = ()
    """Phases that are built and checked one by one; the others with the last. Empty: every phase is."""
    scripts: tuple[str, ...] = ()
    """Console scripts that must still be there."""
    reruns: tuple[str, ...] = ()
    """What the RUNs say that a change of code runs again."""
    compiles: str = ""
    """A word of why needless_build_tools takes none once the baseline was measured; empty: it does."""
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
        ("copy_chown", "strip_symbols"),
        {"drop_compileall": "nothing compiles", "add_ci_variant": "no workflow"},
        most_percent=50,
        measured=("copy_chown",),
        scripts=("uvicorn", "alembic"),
    ),
    Story(
        truthgraph,
        ("split_base_builder", "strip_symbols", "application_install", "add_ci_variant"),
        {"drop_compileall": "nothing compiles"},
        most_percent=93,  # 6.2 % less is what its author came to
        measured=("add_ci_variant",),
        scripts=("uvicorn", "alembic"),
        reruns=("uv pip install --system --no-deps",),
        compiles="pytest is not in the baseline's image",  # INCLUDE_DEV installs it
        variant="docker/api.ci.Dockerfile",
        pin=("pyproject.toml", "fastapi==", "0.0.1"),
    ),
    Story(
        bot_core,
        ("strip_symbols", "add_ci_variant"),
        {"drop_compileall": "nothing compiles", "split_base_builder": "no stage that the image inherits"},
        most_percent=100,
        measured=("add_ci_variant",),
        variant="python-ai-service/Dockerfile.ci",
        pin=("python-ai-service/requirements.txt", "fastapi==", "0.0.1"),
    ),
    Story(
        phentrieve,
        ("drop_compileall", "strip_symbols", "add_ci_variant"),
        {"split_base_builder": "no stage that the image inherits"},
        most_percent=90,
        measured=("drop_compileall", "add_ci_variant"),
        variant="api/Dockerfile.ci",
        pin=("api/requirements.txt", "fastapi==", "0.0.1"),
    ),
)


class Migrated(Struct, frozen=True):
    """One story after its migration."""

    story: Story
    session: Session
    plan: Plan
    prepared: Job
    jobs: dict[str, Job]
    """Of the phases in their order, and of the last look at all of them together."""
    status: Status

    @property
    def root(self) -> Path:
        return self.session.repository.root

    @property
    def image(self) -> str:
        """The image after all phases."""
        assert self.status.current_measurement is not None
        assert self.status.current_measurement.image_id is not None
        return self.status.current_measurement.image_id


@pytest.fixture(scope="module", params=STORIES, ids=lambda story: story.name)
def migrated(
    request: pytest.FixtureRequest,
    engine: Engine,
    git_identity: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Migrated]:
    story: Story = request.param
    session = Session.open(story.module.create(tmp_path_factory.mktemp("story") / story.name))
    plan = session.plan()
    prepared = Job.run(session.prepare())
    jobs: dict[str, Job] = {}
    while prepared.finished.ok and (ready := next_row(session.status())):
        assert ready.id not in jobs, f"{ready.id} is proposed again after it was applied"
        measure = not story.measured or ready.id in story.measured
        jobs[ready.id] = Job.run(session.apply(ready.id, measure=measure))
    if prepared.finished.ok and story.measured:
        jobs["all"] = Job.run(session.verify("HEAD"))
    yield Migrated(story, session, plan, prepared, jobs, session.status())
    session.clean()


def test_the_right_phases(migrated: Migrated) -> None:
    assert migrated.session.target.dockerfile == migrated.story.module.DOCKERFILE
    proposed = [phase.id for phase in migrated.plan.phases]
    assert [id for id in proposed if id in migrated.story.fires] == list(migrated.story.fires)
    reasons = {declined.id: declined.reason for declined in migrated.plan.declined}
    for id, word in migrated.story.declines.items():
        assert word in reasons[id]


def test_it_builds_before_and_after(migrated: Migrated) -> None:
    assert migrated.prepared.finished.ok, migrated.prepared.finished.summary
    for id, job in migrated.jobs.items():
        assert set(job.builds) <= {Outcome.BUILT}, id
        assert job.finished.ok, f"{id}: {job.finished.summary}"


def test_what_passed_on_the_baseline_passes_after_all_phases(migrated: Migrated) -> None:
    baseline = migrated.status.baseline_verification
    assert baseline is not None
    passed = {result.id for result in baseline.results if result.verdict is Verdict.PASSED}
    assert {"app", "command"} <= passed
    for found in migrated.status.rows:
        assert {result.id: result.explanation for result in found.broken} == {}, found.id
    applied = [found for found in migrated.status.rows if found.commit]
    assert applied[-1].state is State.VERIFIED
    assert {found.state for found in applied} <= {State.VERIFIED, State.APPLIED}


def test_the_image_gets_smaller(migrated: Migrated) -> None:
    start, now = migrated.status.baseline_measurement, migrated.status.current_measurement
    assert start is not None
    assert now is not None
    assert start.image_bytes is not None
    assert now.image_bytes is not None
    assert now.image_bytes * 100 < start.image_bytes * migrated.story.most_percent


def test_nothing_is_left_to_propose(migrated: Migrated) -> None:
    assert [phase.id for phase in migrated.session.plan().phases if phase.risk is not Risk.ASK] == []


def test_the_builder_has_no_compiler_that_nothing_needs(migrated: Migrated) -> None:
    """That is known once the baseline was measured."""
    declined = {each.id: each.reason for each in migrated.session.plan().declined}
    assert ("needless_build_tools" in migrated.jobs) == (not migrated.story.compiles)
    assert migrated.story.compiles in declined["needless_build_tools"]


def test_the_console_scripts_are_still_there(migrated: Migrated) -> None:
    for script in migrated.story.scripts:
        done = migrated.session.engine.run(migrated.image, [script, "--version"])
        assert done.ok, done


def test_dropping_compileall_shows_its_price(migrated: Migrated) -> None:
    if "drop_compileall" in migrated.story.fires:
        found = row(migrated.status, "drop_compileall")
        assert found.start_up is not None
        assert found.start_up.sentence.startswith("importing ")
        assert found.delta is not None
        assert found.delta.image_bytes is not None
        assert found.delta.image_bytes < 0
    else:
        assert "drop_compileall" not in migrated.jobs


def test_a_change_of_code_installs_no_dependency_again(migrated: Migrated) -> None:
    changed = figures(migrated.session, "HEAD", [Scenario.CODE_CHANGE])[Scenario.CODE_CHANGE]
    assert changed.outcome is Outcome.BUILT, changed.note
    assert installing(changed, cached=True)
    assert installing(changed, cached=False) == []
    ran = [step.name for step in changed.steps if not step.cached]
    assert any("] COPY" in name for name in ran)
    again = [name for name in ran if "] RUN" in name]
    assert len(again) == len(migrated.story.reruns), again
    assert all(word in name for word, name in zip(migrated.story.reruns, again, strict=True))


def installing(measurement: Measurement, *, cached: bool) -> list[str]:
    """The steps that install what the application depends on, not itself."""
    return [
        step.name
        for step in measurement.steps
        if step.cached is cached
        and "] RUN" in step.name
        and re.search(r"apt-get install|-r \S*requirements|uv pip install(?!.* --no-deps )", step.name)
    ]


def test_reopening_shows_the_same(migrated: Migrated) -> None:
    before = migrated.session.status()
    assert Session.open(migrated.root).status() == before


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
