"""A few phases in an order of their own: the image builds and passes, and so it does without one of the middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from git_sandbox import Sandbox
from migrating import Job
from msgspec import Struct
from stories import bahr

from phasewise.cli.demo import create as demo
from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.status import State

pytestmark = pytest.mark.engine


class Sample(Struct, frozen=True):
    """Phases in the order in which they are applied, and the one that is taken back."""

    order: tuple[str, ...]
    back: str


SAMPLES = {
    "demo": (Sample(("cache_mounts", "split_base_builder", "drop_compileall"), "split_base_builder"),),
    "bahr": (Sample(("strip_symbols", "effective_cleanup", "split_base_builder"), "effective_cleanup"),),
}


@pytest.fixture(scope="module")
def prepared(
    request: pytest.FixtureRequest,
    engine: Engine,
    git_identity: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Sandbox, str]]:
    """A repository whose baseline was built and checked, and its fixture's name."""
    module = {"demo": demo, "bahr": bahr}[request.param]
    root: Path = module.create(tmp_path_factory.mktemp("subsets") / request.param)
    session = Session.open(root)
    assert Job.run(session.prepare()).finished.ok
    yield Sandbox(root), request.param
    session.clean()


def applied(sandbox: Sandbox, start: str, order: Sequence[str]) -> Session:
    """A session on the repository after those phases and no others; nothing is built."""
    sandbox.git("reset", "--quiet", "--hard", start)
    session = Session.open(sandbox.root)
    for id in order:
        assert Job.run(session.apply(id, measure=False)).finished.ok
    return session


def assert_passes(session: Session, order: Sequence[str]) -> None:
    rows = {row.id: row for row in session.status().rows if row.commit}
    assert sorted(rows) == sorted(order)
    broken = [result.explanation for row in rows.values() for result in row.broken]
    assert broken == []
    assert {row.state for row in rows.values()} == {State.VERIFIED}


@pytest.mark.parametrize(
    ("prepared", "number"),
    [(name, number) for name, samples in SAMPLES.items() for number in range(len(samples))],
    indirect=["prepared"],
)
def test_a_subset_builds_and_passes_and_so_does_it_without_one(
    prepared: tuple[Sandbox, str], number: int
) -> None:
    sandbox, name = prepared
    sample, start = SAMPLES[name][number], sandbox.head()
    session = applied(sandbox, start, sample.order)
    verified = Job.run(session.verify())
    assert verified.finished.ok, verified.finished.summary
    assert_passes(session, sample.order)

    rolled_back = Job.run(session.rollback(sample.back))
    assert rolled_back.finished.ok, rolled_back.finished.summary
    others = [id for id in sample.order if id != sample.back]
    assert_passes(session, others)
    left = dict(session.repository.files("HEAD"))
    assert left == dict(applied(sandbox, start, others).repository.files("HEAD"))
    sandbox.git("reset", "--quiet", "--hard", start)
