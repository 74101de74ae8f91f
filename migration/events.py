"""The frozen events that a long job yields, in order, from a worker thread."""

from __future__ import annotations

import threading

from msgspec import Struct

from phasewise.model.measurement import CheckResult, Measurement, Outcome, Scenario, Verification


class Event(Struct, frozen=True):
    """Something happened in a long job."""


class Narration(Event, frozen=True):
    """One line for the user: what is done now, or the command that changes something."""

    text: str


class BuildStarted(Event, frozen=True):
    """A build begins: `number` of `total` builds of this job."""

    commit: str
    scenario: Scenario
    number: int = 1
    total: int = 1


class StepStarted(Event, frozen=True):
    """BuildKit begins a vertex. `key` is its digest; `name` reads `[builder 4/6] RUN pip install ...`."""

    key: str
    name: str


class StepFinished(Event, frozen=True):
    """A vertex ended; `error` is empty when it went well."""

    key: str
    name: str
    seconds: float
    cached: bool
    error: str = ""


class LogLine(Event, frozen=True):
    """One line that a step printed; control sequences are still in it."""

    key: str
    text: str


class BuildFinished(Event, frozen=True):
    """A build ended. `error` holds what the failing step said."""

    outcome: Outcome
    seconds: float
    image_id: str = ""
    error: str = ""


class Measured(Event, frozen=True):
    """A measurement is complete and recorded."""

    measurement: Measurement


class CheckFinished(Event, frozen=True):
    """One check answered."""

    result: CheckResult


class Verified(Event, frozen=True):
    """All checks answered; `broken` are those that the baseline passed and this commit does not."""

    verification: Verification
    broken: tuple[CheckResult, ...] = ()


class Committed(Event, frozen=True):
    """A commit was made: a phase, or the revert of one."""

    phase: str
    commit: str
    subject: str
    files: tuple[str, ...]


class Finished(Event, frozen=True):
    """The job is over. Not `ok`: a build or a check failed, `summary` says which."""

    ok: bool
    summary: str


class Cancel:
    """Asks a job to stop; thread-safe, and may be asked before the job begins."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        """Stop as soon as possible."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits for the question to be asked, at most `seconds`; whether it was."""
        return self._asked.wait(seconds)
