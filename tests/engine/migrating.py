"""Drives whole migrations for the tests: runs jobs to their end and remembers what they said."""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from phasewise.migration.events import BuildFinished, Event, Finished, Narration
from phasewise.migration.session import Session
from phasewise.model.measurement import Outcome
from phasewise.model.status import Row, State, Status
from phasewise.rules.base import Rule
from phasewise.rules.discovery import all_rules

FOUR = ("drop_compileall", "split_base_builder", "strip_symbols", "add_ci_variant")
"""The phases that the product began with."""


def four_rules() -> tuple[Rule, ...]:
    """Their rules: what they do together is tested apart from what others add."""
    return tuple(rule for rule in all_rules() if rule.id in FOUR)


class Job(Struct, frozen=True):
    """What one job yielded."""

    events: tuple[Event, ...]

    @classmethod
    def run(cls, events: Iterable[Event]) -> "Job":
        return cls(tuple(events))

    @property
    def finished(self) -> Finished:
        last = self.events[-1]
        assert isinstance(last, Finished)
        return last

    @property
    def told(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Narration)]

    @property
    def builds(self) -> list[Outcome]:
        return [event.outcome for event in self.events if isinstance(event, BuildFinished)]


def next_row(status: Status) -> Row | None:
    """The first phase that could be applied now."""
    ready = (row for row in status.rows if row.state is State.PROPOSED and not row.refusal)
    return next(ready, None)


def apply_all(session: Session, measure: bool = True) -> dict[str, Job]:
    """Applies every proposed phase in the order of the plan; the jobs by phase."""
    jobs: dict[str, Job] = {}
    while row := next_row(session.status()):
        assert row.id not in jobs, f"{row.id} is proposed again after it was applied"
        jobs[row.id] = Job.run(session.apply(row.id, measure=measure))
    return jobs


def rows(status: Status) -> list[tuple[str, State]]:
    return [(row.id, row.state) for row in status.rows]


def row(status: Status, id: str) -> Row:
    found = status.row(id)
    assert found is not None, f"no row {id}"
    return found


def texts(root: Path) -> dict[str, bytes]:
    """Every file of the work tree."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }
