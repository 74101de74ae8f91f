"""A CI variant that production has left behind: the plan offers to bring it up, and that can be taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_engine import FakeEngine, image_info
from git_sandbox import Sandbox
from scripted import expect_checks, expect_prepare

from phasewise.cli.demo.create import create as create_demo
from phasewise.migration import ledger
from phasewise.migration.errors import Refused
from phasewise.migration.events import Finished
from phasewise.migration.session import Session
from phasewise.model.census import Census, Distribution
from phasewise.model.ci.check_requirements_ci import complaints
from phasewise.model.status import State

ADD, REFRESH = "add_ci_variant", "refresh_ci_variant"
LIST, VARIANT = "requirements-ci.txt", "Dockerfile.ci"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(create_demo(tmp_path / "demo"))


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        yield engine


def apply_all(session: Session) -> tuple[str, ...]:
    """The ids of everything that is on by default, applied in the order of the plan."""
    while True:
        rows = session.status().rows
        ready = next((row.id for row in rows if row.state is State.PROPOSED and not row.refusal), None)
        if ready is None:
            return session.applied()
        list(session.apply(ready, measure=False))


def proposed(session: Session) -> set[str]:
    return {row.id for row in session.status().rows if row.state is State.PROPOSED}


def complains(sandbox: Sandbox) -> list[str]:
    """What the check in CI says."""
    paths = [path.relative_to(sandbox.root).as_posix() for path in sandbox.root.rglob("*.py")]
    return [*complaints(LIST, lambda path: (sandbox.root / path).read_text(encoding="utf-8"), paths)]


def test_applied_in_order_the_plan_is_empty(sandbox: Sandbox) -> None:
    session = Session.open(sandbox.root)
    applied = apply_all(session)
    assert ADD in applied
    assert REFRESH not in applied
    assert not complains(sandbox)


def test_taking_the_second_phase_back_makes_the_variant_anew(sandbox: Sandbox) -> None:
    session = Session.open(sandbox.root)
    applied = apply_all(session)
    list(session.rollback(applied[1], measure=False))
    assert not complains(sandbox)
    assert REFRESH not in proposed(session)


def test_where_it_cannot_be_planned_again_the_plan_offers_it(sandbox: Sandbox) -> None:
    """The phases were applied before the image was known; what they would be now is something else."""
    session = Session.open(sandbox.root)
    start = sandbox.head()
    applied = apply_all(session)
    site = "/opt/venv/lib/python3.11/site-packages"
    census = Census(10**9, (), 10**9, distributions=(Distribution("fastapi", "0.1", site, 10**6),))
    ledger.record_census(session.repository, start, session.target, census)
    session = Session.open(sandbox.root)
    list(session.rollback(applied[1], measure=False))
    assert applied[1] not in session.applied()
    assert complains(sandbox), "the revert alone left the variant behind"
    assert REFRESH in proposed(session)
    list(session.apply(REFRESH, measure=False))
    assert not complains(sandbox)
    assert session.applied()[-1] == REFRESH


def test_a_phase_that_comes_afterwards_calls_for_it_each_time(sandbox: Sandbox) -> None:
    session = Session.open(sandbox.root)
    list(session.apply(ADD, measure=False))
    assert REFRESH not in proposed(session), "what is only proposed breaks nothing yet"
    with pytest.raises(Refused, match=r"Dockerfile\.ci follows Dockerfile"):
        list(session.apply(REFRESH, measure=False))
    first, second = [id for id in ("drop_compileall", "split_base_builder") if id in proposed(session)]
    list(session.apply(first, measure=False))
    assert REFRESH in proposed(session)
    list(session.apply(REFRESH, measure=False))
    list(session.apply(second, measure=False))
    assert complains(sandbox)
    assert f"{REFRESH}_2" in proposed(session)
    list(session.apply(f"{REFRESH}_2", measure=False))
    assert not complains(sandbox)
    assert session.applied() == (ADD, first, REFRESH, second, f"{REFRESH}_2")
    assert Session.open(sandbox.root).applied() == session.applied()


def test_it_can_be_taken_back_alone_or_with_what_it_stands_on(sandbox: Sandbox) -> None:
    session = Session.open(sandbox.root)
    list(session.apply(ADD, measure=False))
    list(session.apply("drop_compileall", measure=False))
    before = sandbox.text(VARIANT)
    list(session.apply(REFRESH, measure=False))
    after = sandbox.head()
    assert sandbox.text(VARIANT) != before

    list(session.rollback(REFRESH, measure=False))
    assert sandbox.text(VARIANT) == before
    assert session.applied() == (ADD, "drop_compileall")

    sandbox.git("reset", "--quiet", "--hard", after)
    session = Session.open(sandbox.root)
    list(session.rollback(ADD, measure=False))
    assert session.applied() == ("drop_compileall",)
    assert not (sandbox.root / VARIANT).exists()
    assert not (sandbox.root / LIST).exists()

    sandbox.git("reset", "--quiet", "--hard", after)
    session = Session.open(sandbox.root)
    list(session.rollback("drop_compileall", measure=False))
    assert not complains(sandbox)


def test_the_variant_is_built_with_it(sandbox: Sandbox, engine: FakeEngine) -> None:
    session = Session.open(sandbox.root)
    list(session.apply(ADD, measure=False))
    list(session.apply("drop_compileall", measure=False))
    session.__dict__["engine"] = engine
    expect_prepare(engine, image_info(900_000_000))
    engine.expect_build(image=image_info(900_000_000))
    engine.expect_build(image=image_info(300_000_000))
    expect_checks(engine)
    *_, finished = session.apply(REFRESH)
    assert isinstance(finished, Finished)
    assert finished.ok, finished.summary
    row = session.status().row(REFRESH)
    assert row is not None
    assert row.variant is not None
    assert (row.variant.dockerfile, row.variant.image_bytes) == (VARIANT, 300_000_000)
