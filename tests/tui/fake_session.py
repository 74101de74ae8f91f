"""A session without git and engine: serves a story, plays scripted events, fails on calls nobody announced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from phasewise.migration.errors import Cancelled, NoEngine, PhasewiseError
from phasewise.migration.events import Cancel, Event
from phasewise.model.census import Census
from phasewise.model.elsewhere import Elsewhere
from phasewise.model.repo import Target
from phasewise.model.status import Row, State, Status
from phasewise.rules.discovery import all_rules
from phasewise.rules.page import page


class Gate:
    """A place in a script where the job waits until the test opens it."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def open(self) -> None:
        """Lets the job go on."""
        self._open.set()

    def wait(self, cancel: Cancel) -> None:
        """Waits; raises Cancelled when the job is asked to stop."""
        while not self._open.wait(0.005):
            if cancel.asked:
                raise Cancelled("nothing was left behind")


Script = list[Event | Gate | PhasewiseError | Callable[[], None]]


class FakeSession:
    """Reading is always allowed; everything that changes something must be expected, and must happen."""

    def __init__(self, status: Status, *, engine: bool = True, census: Census | None = None) -> None:
        self.now = status
        self.engine = engine
        self.found = census
        self.entries: tuple[object, ...] = ()
        self.text = "## Smaller image\n\n- one phase\n"
        self.others: tuple[Elsewhere, ...] = ()
        self.pages: dict[str, str] = {}
        """Pages to show instead of the rules' own."""
        self.later: tuple[str, ...] = ()
        self.done: list[tuple[object, ...]] = []
        """The calls that were made and expected, in order."""
        self.surprises: list[tuple[object, ...]] = []
        """The calls that nobody expected."""
        self._expected: list[tuple[tuple[object, ...], Script]] = []

    def expect(self, *call: object, script: Script | None = None) -> None:
        """Announces the next call; `script` is what a job then does."""
        self._expected.append((call, script or []))

    def verify(self, revision: str = "HEAD", cancel: Cancel | None = None) -> Iterator[Event]:
        return self._play(self._called("verify", revision), cancel)

    def check(self) -> None:
        """Fails when a call was not expected, or an expected one was never made."""
        assert not self.surprises, f"unexpected calls: {self.surprises}"
        assert not self._expected, f"calls that were never made: {[call for call, _ in self._expected]}"

    # Reading

    @property
    def target(self) -> Target:
        return self.now.target

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.now.targets

    def status(self) -> Status:
        return self.now

    def history(self) -> tuple[object, ...]:
        return self.entries

    def census(self) -> Census | None:
        return self.found

    def report(self, format: str) -> str:
        assert format == "md"
        return self.text

    def elsewhere(self, among: Iterable[Target] | None = None) -> tuple[Elsewhere, ...]:
        asked = self.targets if among is None else tuple(among)
        return tuple(one for one in self.others if one.target in asked)

    def page(self, phase: str) -> str:
        return self.pages.get(phase) or page(next(rule for rule in all_rules() if rule.id == phase))

    def applied(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.now.rows if row.commit)

    def later_than(self, phase: str) -> tuple[str, ...]:
        return self.later

    def engine_label(self) -> str:
        if not self.engine:
            raise NoEngine(
                "nothing answers on the default socket", "install Docker Engine 23 or newer, then press f5"
            )
        return "docker 26.1.5 · buildx 0.13.1 · local"

    # Wishes

    def select(self, target: Target) -> None:
        self._called("select", target.label)
        self.now = replace(self.now, target=target)

    def pick(self, phase: str, choice: str, options: frozenset[str]) -> None:
        self._called("pick", phase, choice, options)
        row = self.now.row(phase)
        assert row is not None
        assert row.phase is not None
        choices = tuple(
            replace(one, picked=options) if one.id == choice else one for one in row.phase.choices
        )
        self.put(phase, phase=replace(row.phase, choices=choices))

    def tick(self, phase: str, path: str, on: bool) -> None:
        self._called("tick", phase, path, on)
        row = self.now.row(phase)
        assert row is not None
        self.put(phase, unticked=row.unticked - {path} if on else row.unticked | {path})

    def tick_hunks(self, phase: str, path: str, hunks: tuple[str, ...], on: bool) -> None:
        self._called("tick_hunks", phase, path, hunks, on)
        row = self.now.row(phase)
        assert row is not None
        before = row.left_out.get(path, frozenset())
        after = before - set(hunks) if on else before | set(hunks)
        self.put(phase, left_out={**row.left_out, path: after})

    def skip(self, phase: str, on: bool) -> None:
        self._called("skip", phase, on)
        self.put(phase, state=State.SKIPPED if on else State.PROPOSED)

    # Jobs

    def prepare(self, cancel: Cancel | None = None) -> Iterator[Event]:
        return self._play(self._called("prepare"), cancel)

    def apply(
        self, phase: str, *, branch: str | None = None, measure: bool = True, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        return self._play(self._called("apply", phase, branch, measure), cancel)

    def measure(
        self,
        revision: str = "HEAD",
        scenarios: object = (),
        repeat: int = 1,
        compare: bool = False,
        cancel: Cancel | None = None,
    ) -> Iterator[Event]:
        return self._play(self._called("measure", revision, compare), cancel)

    def rollback(self, *phases: str, measure: bool = True, cancel: Cancel | None = None) -> Iterator[Event]:
        return self._play(self._called("rollback", *phases, measure), cancel)

    # Parts

    def put(self, id: str, **changes: object) -> None:
        """Changes one row of the status."""
        rows = tuple(replace(row, **changes) if row.id == id else row for row in self.now.rows)  # type: ignore[arg-type]
        self.now = replace(self.now, rows=rows)

    def row(self, id: str) -> Row:
        """A row that is there."""
        found = self.now.row(id)
        assert found
        return found

    def _called(self, *call: object) -> Script:
        if not self._expected or self._expected[0][0] != call:
            self.surprises.append(call)
            raise AssertionError(f"unexpected call {call}, expected {self._expected[:1]}")
        self.done.append(call)
        return self._expected.pop(0)[1]

    def _play(self, script: Script, cancel: Cancel | None) -> Iterator[Event]:
        cancel = cancel or Cancel()
        for item in script:
            if isinstance(item, Gate):
                item.wait(cancel)
            elif isinstance(item, PhasewiseError):
                raise item
            elif callable(item):
                item()
            else:
                yield item
