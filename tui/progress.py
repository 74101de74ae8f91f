"""What a long job has done so far, folded from its events; the build panel and the build tab show it."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from msgspec import Struct, field

from phasewise.migration import events

_LOG_LINES = 5000


class StepState(StrEnum):
    """How far a build step is."""

    RUNNING = "running"
    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"


class StepProgress(Struct):
    """One build step."""

    name: str
    state: StepState
    started: float
    """On the clock that `Progress` was given, in seconds."""
    seconds: float = 0.0


class Entry(Struct, frozen=True):
    """One line of the job's log."""

    kind: str
    """`log`, `say`, `command`, `good`, `bad` or `step`."""
    text: str
    step: StepProgress | None = None
    """The step that the line stands for; it goes on changing."""


class Progress(Struct):
    """A job from its start to its end; `take` adds one event."""

    title: str
    phase: str
    """The phase that the job is about; empty when it is about none."""
    started: float
    what: str = ""
    """What it is doing now."""
    steps: dict[str, StepProgress] = field(default_factory=dict)
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))
    checks: int = 0
    build: events.BuildStarted | None = None
    finished: events.Finished | None = None
    ended: float | None = None
    stopping: bool = False
    leads_on: bool = False
    """Whether the cursor goes on to the next phase when all went well."""
    then: str = ""
    """The title of the job that waits for this one."""

    def take(self, event: events.Event, now: float) -> None:
        """Takes in one event that arrived at `now` (seconds on the same clock as `started`)."""
        match event:
            case events.Narration(text):
                self.what = text
                self._say("command" if text.startswith(("git ", "docker ")) else "say", text)
            case events.BuildStarted():
                self.build, self.steps, self.what = event, {}, ""
                self._say("say", f"building {event.commit[:7]}, {event.scenario.value}")
            case events.StepStarted(key, name):
                self._step(key, name, now)
            case events.StepFinished():
                self._step_finished(event, now)
            case events.LogLine(_, text):
                self.log.append(Entry("log", text))
            case events.BuildFinished(outcome, seconds, _, error):
                good = outcome == "built"
                self._say("good" if good else "bad", f"{outcome.value} in {seconds:.1f} s")
                failed = any(step.state is StepState.FAILED for step in self.steps.values())
                for line in [] if failed else error.splitlines():
                    # A step that failed has said all of it already.
                    self.log.append(Entry("bad", line))
            case events.CheckFinished(result):
                self.checks += 1
                self.what = f"checking: {result.title}"
                self._say(
                    "bad" if result.verdict == "failed" else "good", f"{result.verdict.value}: {result.title}"
                )
            case events.Committed(_, commit, subject):
                self._say("good", f"committed {commit[:7]} {subject}")
            case events.Finished(ok, summary):
                self.finished, self.ended = event, now
                self._say("good" if ok else "bad", summary)
            case _:
                pass

    def seconds(self, now: float) -> float:
        """How long the job runs, or ran."""
        return (self.ended if self.ended is not None else now) - self.started

    @property
    def running(self) -> StepProgress | None:
        """The step that began last and still runs."""
        return next((step for step in reversed(self.steps.values()) if step.state is StepState.RUNNING), None)

    def _step_finished(self, event: events.StepFinished, now: float) -> None:
        state = StepState.FAILED if event.error else StepState.CACHED if event.cached else StepState.DONE
        step = self.steps.get(event.key) or self._step(event.key, event.name, now)
        step.state, step.seconds = state, event.seconds
        for line in event.error.splitlines():
            self.log.append(Entry("bad", line))

    def _step(self, key: str, name: str, now: float) -> StepProgress:
        """A step begins: it has a line in the log from now on."""
        step = self.steps[key] = StepProgress(name, StepState.RUNNING, now)
        self.log.append(Entry("step", name, step))
        return step

    def _say(self, kind: str, text: str) -> None:
        self.log.append(Entry(kind, text))
