"""Takes the stories and the demo through all their phases, and measures what their commits cost."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from stories import bahr, bot_core, phentrieve, truthgraph

from phasewise.cli.demo import create as demo
from phasewise.migration.events import Event, Finished, Measured
from phasewise.migration.session import Session
from phasewise.model.measurement import Measurement, Samples, Scenario
from phasewise.model.status import State

REPOSITORIES: dict[str, ModuleType] = {
    "bahr": bahr,
    "truthgraph": truthgraph,
    "bot_core": bot_core,
    "phentrieve": phentrieve,
    "demo": demo,
}


def prepared(name: str, folder: Path) -> Session:
    """The repository below `folder`, with its baseline built, looked into and checked."""
    session = Session.open(REPOSITORIES[name].create(folder / name))
    finish(session.prepare())
    return session


def commit_all(session: Session) -> tuple[str, ...]:
    """Commits every phase that is on by default, without building; their ids in order."""
    while True:
        rows = session.status().rows
        ready = next((row.id for row in rows if row.state is State.PROPOSED and not row.refusal), None)
        if ready is None:
            return session.applied()
        finish(session.apply(ready, measure=False))


def figures(
    session: Session, revision: str, scenarios: Sequence[Scenario], repeat: int = 1
) -> dict[Scenario, Measurement]:
    """What `revision` costs in each scenario; one that does not build is in it too, and says so."""
    events = tuple(session.measure(revision, scenarios, repeat))
    return {event.measurement.scenario: event.measurement for event in events if isinstance(event, Measured)}


def in_turns(
    session: Session, revisions: Sequence[str], scenario: Scenario, turns: int
) -> tuple[list[Measurement], ...]:
    """What each revision costs, one after the other in turns: all meet the same machine.

    A build that fails once is not tried again.
    """
    taken: tuple[list[Measurement], ...] = tuple([] for _ in revisions)
    for _ in range(turns):
        for revision, measurements in zip(revisions, taken, strict=True):
            if all(each.samples for each in measurements):
                measurements.append(figures(session, revision, [scenario])[scenario])
    return taken


def before_and_after(session: Session) -> tuple[str, str]:
    """The baseline's commit and HEAD's."""
    return session.status().baseline, session.repository.head()


def seconds(measurements: Iterable[Measurement]) -> Samples:
    """The times of all their builds together. Raises ValueError when none was built."""
    return Samples(tuple(s for each in measurements if each.samples for s in each.samples.seconds))


def told(measurements: Iterable[Measurement]) -> str:
    """`4.1 s ± 0.3`: the median, and half the spread."""
    samples = seconds(measurements)
    return f"{samples.median:.1f} s ± {samples.spread / 2:.1f}"


def finish(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events of a job that must go well."""
    seen = tuple(events)
    last = seen[-1]
    assert isinstance(last, Finished)
    assert last.ok, last.summary
    return seen
