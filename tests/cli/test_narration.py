"""What a job's events become on standard error."""

from datetime import UTC, datetime

import pytest

from phasewise.cli.output import describe, describe_measurement, follow
from phasewise.migration.events import (
    BuildFinished,
    BuildStarted,
    Event,
    Finished,
    LogLine,
    StepFinished,
    Verified,
)
from phasewise.model.measurement import (
    CheckResult,
    Measurement,
    Outcome,
    Samples,
    Scenario,
    Verdict,
    Verification,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PASSED = CheckResult("a", "a", Verdict.PASSED)
NUMPY = CheckResult("import:numpy", "import numpy", Verdict.FAILED, "Traceback", "numpy no longer loads")
KNOWN = CheckResult("health", "health check", Verdict.FAILED, "exited")


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (LogLine("k", "pip is busy"), []),
        (StepFinished("k", "[1/2] RUN a \\\n b", 3.0, False), ["  [1/2] RUN a b  3.0 s"]),
        (StepFinished("k", "[1/2] RUN <<EOF\na\nEOF", 3.0, False), ["  [1/2] RUN <<EOF…  3.0 s"]),
        (StepFinished("k", "[1/2] RUN " + "a" * 200, 3.0, True), [f"  [1/2] RUN {'a' * 99}…  cached"]),
        (StepFinished("k", "[internal] load .dockerignore", 0.1, False), []),
        (StepFinished("k", "[1/2] RUN a", 3.0, True), ["  [1/2] RUN a  cached"]),
        (
            StepFinished("k", "[1/2] RUN a", 3.0, False, "exit code: 1"),
            ["  [1/2] RUN a  3.0 s  failed"],
        ),
        (
            BuildFinished(Outcome.FAILED, 3.0, error="one\n\x1b[31mtwo"),
            ["failed in 3.0 s", "  one", "  two"],
        ),
        (Finished(True, "all checks pass"), ["all checks pass"]),
        (Finished(False, "it does not build"), ["FAILED: it does not build"]),
        (
            Verified(Verification("c", "i", NOW, (PASSED, NUMPY, KNOWN)), (NUMPY,)),
            [
                "1 of 3 checks pass",
                "broken: numpy no longer loads",
                "fails on the baseline already: health check",
            ],
        ),
    ],
)
def test_lines(event: Event, lines: list[str]) -> None:
    assert describe(event) == lines


def measured(outcome: Outcome = Outcome.BUILT, **figures: object) -> Measurement:
    return Measurement("c0ffee" * 7, "Dockerfile", "0", Scenario.COLD, outcome, NOW, "docker", **figures)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measurement", "line"),
    [
        (
            measured(image_bytes=512_000_000, samples=Samples((40.0,))),
            "measured c0ffeec0ffee cold: 512 MB, in 40 s",
        ),
        (
            measured(image_bytes=512_000_000, samples=Samples((38.0, 40.0, 44.0)), peak_memory_bytes=10**9),
            "measured c0ffeec0ffee cold: 512 MB, in 40 s ± 3.0 s, peak memory 1.00 GB",
        ),
        (
            measured(Outcome.INCONCLUSIVE, note="the disk is full"),
            "measured c0ffeec0ffee cold: inconclusive the disk is full",
        ),
    ],
)
def test_a_measurement_is_a_line(measurement: Measurement, line: str) -> None:
    assert describe_measurement(measurement) == line


def test_a_step_that_is_told_twice_stands_there_once(capsys: pytest.CaptureFixture[str]) -> None:
    step = StepFinished("k", "[1/2] FROM a", 0.0, False)
    start = BuildStarted("c0ffee", Scenario.REBUILD)
    events = [start, step, StepFinished("k", "[1/2] FROM a", 0.0, True), start, step]
    assert follow(event for event in events)
    assert capsys.readouterr().err.count("[1/2] FROM a") == 2
