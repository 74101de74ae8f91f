"""Measuring a phase with what it is compared with: the commit before it comes first, as far as it is missing."""

from collections.abc import Iterator

import pytest
from fake_engine import FakeEngine, image_info
from git_sandbox import Sandbox
from scripted import expect_prepare, expect_try

from phasewise.migration import image_names
from phasewise.migration.events import BuildStarted, Cancel, Event, Finished, Measured, Narration
from phasewise.migration.session import Session
from phasewise.model.measurement import Outcome, Scenario
from phasewise.model.status import Row

PHASE = "drop_compileall"
COLD, WARM = Scenario.COLD, Scenario.WARM
BEFORE, AFTER = image_info(500_000_000, Cmd=["serve"]), image_info(300_000_000, Cmd=["serve"])


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        yield engine


@pytest.fixture
def session(sandbox: Sandbox, engine: FakeEngine) -> Session:
    """The phase is applied on a measured baseline."""
    session = Session.open(sandbox.root)
    session.__dict__["engine"] = engine
    expect_prepare(engine, BEFORE)
    expect_try(engine, AFTER)
    list(session.apply(PHASE))
    return session


def row(session: Session) -> Row:
    found = session.status().row(PHASE)
    assert found is not None
    return found


def builds(events: list[Event]) -> list[tuple[str, Scenario, int, int]]:
    started = (event for event in events if isinstance(event, BuildStarted))
    return [(event.commit, event.scenario, event.number, event.total) for event in started]


def test_the_commit_before_is_measured_first(session: Session, engine: FakeEngine) -> None:
    assert {m.scenario for m in row(session).before} == {Scenario.REBUILD}
    start, head = session.status().baseline, session.status().head
    for image in (BEFORE, BEFORE, BEFORE, AFTER, AFTER, AFTER):
        engine.expect_build(image=image)
    events = list(session.measure(head, (COLD, WARM), compare=True))
    assert builds(events) == [
        (commit, scenario, number, 6)
        for number, (commit, scenario) in enumerate(
            [(commit, each) for commit in (start, head) for each in (COLD, Scenario.REBUILD, WARM)], 1
        )
    ]
    told = [event.text for event in events if isinstance(event, Narration)]
    assert told[0] == f"6 builds: first of {start[:7]}, to compare {head[:7]} with"
    for side, bytes in ((row(session).before, 500_000_000), (row(session).measurements, 300_000_000)):
        assert {m.scenario: m.image_bytes for m in side} == dict.fromkeys(
            (COLD, WARM, Scenario.REBUILD), bytes
        )
    assert session.status().baseline_measurements == row(session).before


def test_the_image_with_a_touched_file_is_not_the_commits(
    sandbox: Sandbox, session: Session, engine: FakeEngine
) -> None:
    sandbox.commit("copied", **{"Dockerfile": "FROM python:3.12\nCOPY app.py .\n", "app.py": "x = 1\n"})
    engine.expect_build(image=AFTER)
    engine.expect_build(image=image_info(300_000_036, Cmd=["serve"]))
    list(session.measure("HEAD", (Scenario.CODE_CHANGE,)))
    current = session.status().current_measurement
    assert current is not None
    assert current.image_bytes == 300_000_036, "there is no other"
    engine.expect_build(image=AFTER)
    list(session.measure("HEAD", (COLD,)))
    engine.expect_build(image=AFTER)
    engine.expect_build(image=image_info(300_000_036, Cmd=["serve"]))
    list(session.measure("HEAD", (Scenario.CODE_CHANGE,)))
    current = session.status().current_measurement
    assert current is not None
    assert (current.scenario, current.image_bytes) == (COLD, 300_000_000)


def test_only_what_is_missing(session: Session, engine: FakeEngine) -> None:
    engine.expect_build(image=BEFORE, cold=True)
    list(session.measure("HEAD~1", (COLD,)))
    engine.expect_build(image=AFTER, cold=True)
    events = list(session.measure("HEAD", (COLD,), compare=True))
    assert builds(events) == [(session.status().head, COLD, 1, 1)]


def test_nothing_is_compared_unasked_nor_before_the_baseline(session: Session, engine: FakeEngine) -> None:
    engine.expect_build(image=AFTER)
    assert len(builds(list(session.measure("HEAD", (COLD,))))) == 1
    engine.expect_build(image=BEFORE)
    assert len(builds(list(session.measure("HEAD~1", (COLD,), compare=True)))) == 1


def test_what_others_committed_is_not_counted_as_the_phases_work(
    sandbox: Sandbox, session: Session, engine: FakeEngine
) -> None:
    first = sandbox.head()
    sandbox.commit("unrelated", notes="x\n")
    sandbox.commit("compile again", Dockerfile="FROM python:3.12\nRUN python -m compileall .\n")
    list(session.apply(f"{PHASE}_2", measure=False))
    again = sandbox.head()
    engine.expect_build(image=AFTER)
    engine.expect_build(image=AFTER)
    events = list(session.measure(again, (COLD,), compare=True))
    parent = sandbox.git("rev-parse", f"{again}^").strip()
    assert [commit for commit, *_ in builds(events)] == [parent, again]
    assert parent != first
    # The image of a step in between takes no place.
    family = image_names.of_target(sandbox.root, session.target)
    kept = {tag.rpartition(":")[2] for tag in engine.images if tag.startswith(f"{family}:")}
    assert kept == {session.status().baseline[:12], again[:12], "current"}


def test_stopping_the_first_stops_the_second(session: Session, engine: FakeEngine) -> None:
    cancel = Cancel()
    engine.expect_build()
    cancel.ask()
    events = list(session.measure("HEAD", (COLD,), compare=True, cancel=cancel))
    assert [e.measurement.outcome for e in events if isinstance(e, Measured)] == [Outcome.CANCELLED]
    assert isinstance(events[-1], Finished)
    assert not events[-1].ok
    assert {m.scenario for m in row(session).before} == {Scenario.REBUILD}


def test_a_commit_before_that_does_not_build_is_told_by_its_name(
    session: Session, engine: FakeEngine
) -> None:
    start = session.status().baseline
    engine.expect_build(error="no such file")
    engine.expect_build(image=AFTER)
    *_, last = session.measure("HEAD", (COLD,), compare=True)
    assert last == Finished(False, f"{start[:12]}, cold: failed")
    assert COLD in {m.scenario for m in row(session).measurements}
