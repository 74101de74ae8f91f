"""Every rule that fires on the demo: the image that all of them make passes, and none is left to propose."""

from collections.abc import Iterator

import pytest
from migrating import Job, apply_all

from phasewise.cli.demo.create import create
from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.phase import Risk
from phasewise.model.status import State

pytestmark = pytest.mark.engine

MOST_PERCENT = 40
"""Less of the image must be left than this; dependencies stay as they are."""


@pytest.fixture(scope="module")
def migrated(
    engine: Engine, git_identity: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    session = Session.open(create(tmp_path_factory.mktemp("all") / "tidewatch"))
    assert Job.run(session.prepare()).finished.ok
    jobs = apply_all(session, measure=False)
    jobs["all"] = Job.run(session.verify("HEAD"))
    assert all(job.finished.ok for job in jobs.values()), {
        id: job.finished.summary for id, job in jobs.items()
    }
    yield session
    session.clean()


def test_every_phase_passes_and_the_image_shrinks(migrated: Session) -> None:
    status = migrated.status()
    assert {row.state for row in status.rows if row.state is not State.ASKS} == {State.VERIFIED}
    start, now = status.baseline_measurement, status.current_measurement
    assert start is not None
    assert now is not None
    assert now.image_bytes * 100 < start.image_bytes * MOST_PERCENT  # type: ignore[operator]


def test_nothing_is_left_to_propose(migrated: Session) -> None:
    assert [phase.id for phase in migrated.plan().phases if phase.risk is not Risk.ASK] == []
