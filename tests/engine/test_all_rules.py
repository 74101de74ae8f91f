"""Every rule that fires on a repository, one after the other: each builds, passes, and none is left to propose."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from migrating import Job, apply_all
from stories import bahr

from phasewise.cli.demo import create as demo
from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.status import State

pytestmark = pytest.mark.engine

# Less of the image must be left than this, in percent; dependencies stay as they are.
REPOSITORIES = {"bahr": (bahr, 50), "demo": (demo, 40)}


@pytest.fixture(scope="module", params=list(REPOSITORIES))
def migrated(
    request: pytest.FixtureRequest,
    engine: Engine,
    git_identity: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Session, int]]:
    module, most = REPOSITORIES[request.param]
    place: Path = module.create(tmp_path_factory.mktemp("all") / request.param)
    session = Session.open(place)
    assert Job.run(session.prepare()).finished.ok
    jobs = apply_all(session)
    assert all(job.finished.ok for job in jobs.values()), {
        id: job.finished.summary for id, job in jobs.items()
    }
    yield session, most
    session.clean()


def test_every_phase_passes_and_the_image_shrinks(migrated: tuple[Session, int]) -> None:
    session, most = migrated
    status = session.status()
    assert {row.state for row in status.rows} == {State.VERIFIED}
    start, now = status.baseline_measurement, status.current_measurement
    assert start is not None
    assert now is not None
    assert now.image_bytes * 100 < start.image_bytes * most  # type: ignore[operator]


def test_nothing_is_left_to_propose(migrated: tuple[Session, int]) -> None:
    session, _ = migrated
    assert session.plan().phases == ()
