"""Measuring with real builds: what each scenario finds in the cache, and what it leaves to the user."""

import uuid
from pathlib import Path

import pytest

from phasewise.migration.errors import PhasewiseError
from phasewise.migration.events import BuildFinished, BuildStarted, Cancel, Event, LogLine, Measured
from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.migration.measure import measure
from phasewise.model.measurement import Measurement, Outcome, Scenario
from phasewise.model.repo import Target

pytestmark = pytest.mark.engine

BASE = "python:3.12-slim"
APPLICATION = """\
FROM {base}
COPY requirements.txt .
RUN echo installing {unique}
COPY app /app
RUN echo finishing
CMD ["python3", "/app/main.py"]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print('hello')\n")
    (tmp_path / "requirements.txt").write_text("")
    text = APPLICATION.format(base=BASE, unique=uuid.uuid4().hex)
    (tmp_path / "Dockerfile").write_text(text)
    return tmp_path


def run(
    engine: Engine, checkout: Path, repository: str, *scenarios: Scenario, repeat: int = 1
) -> list[Event]:
    return list(
        measure(
            engine,
            checkout,
            Target("Dockerfile"),
            "c0ffee",
            scenarios=scenarios,
            repeat=repeat,
            tag=f"{repository}:measured",
        )
    )


def measurements(events: list[Event]) -> list[Measurement]:
    return [event.measurement for event in events if isinstance(event, Measured)]


def ran(measurement: Measurement) -> list[str]:
    return [
        step.name.partition("] ")[2] for step in measurement.steps if not step.cached and "] RUN" in step.name
    ]


def test_cold_runs_everything_warm_nothing_and_a_code_change_what_comes_after_it(
    engine: Engine, checkout: Path, repository: str
) -> None:
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    events = run(engine, checkout, repository, Scenario.COLD, Scenario.WARM, Scenario.CODE_CHANGE, repeat=2)
    cold, warm, change = measurements(events)
    assert [len(ran(m)) for m in (cold, warm, change)] == [2, 0, 1]
    assert ran(change) == ["RUN echo finishing"]
    assert [len(m.samples.seconds) for m in (cold, warm, change)] == [2, 2, 2]
    assert cold.image_bytes == engine.inspect(f"{repository}:measured").size_bytes
    assert cold.stage == "0"
    assert sum(layer.size_bytes for layer in cold.layers) == cold.image_bytes
    numbers = [(event.number, event.total) for event in events if isinstance(event, BuildStarted)]
    assert numbers == [(number, 7) for number in range(1, 8)]
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before
    assert not engine.exists(f"{repository}:measured-code-change")


def test_a_cold_build_neither_sees_nor_empties_the_users_cache_mounts(
    engine: Engine, tmp_path: Path, repository: str
) -> None:
    # A mount's id is no part of the cache key, so the command must be new too.
    name = f"phasewise-test-{uuid.uuid4().hex}"
    counted = f"echo {name} >> /c/n; wc -l < /c/n"
    (tmp_path / "Dockerfile").write_text(
        f"FROM {BASE}\nARG TURN\nRUN --mount=type=cache,target=/c,id={name} {counted}\n"
    )

    def by_the_user(turn: int) -> list[str]:
        events = engine.build(
            tmp_path,
            tmp_path / "Dockerfile",
            tag=f"{repository}:counted",
            arguments={"TURN": str(turn)},
            labels={REPOSITORY_LABEL: repository},
        )
        return lines(list(events))

    assert by_the_user(1) == ["1"]
    assert lines(run(engine, tmp_path, repository, Scenario.COLD)) == ["1"]
    assert by_the_user(2) == ["2"]


def lines(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, LogLine)]


def test_a_failed_build_is_a_measurement_that_says_so(
    engine: Engine, tmp_path: Path, repository: str
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo the reason; false\n")
    [measurement] = measurements(run(engine, tmp_path, repository, Scenario.WARM))
    assert measurement.outcome is Outcome.FAILED
    assert measurement.samples is None
    assert "the reason" in measurement.note


def test_a_cancelled_job_ends_with_its_build(engine: Engine, tmp_path: Path, repository: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo {uuid.uuid4().hex}; sleep 300\n")
    cancel, events = Cancel(), []
    job = measure(
        engine,
        tmp_path,
        Target("Dockerfile"),
        "c0ffee",
        scenarios=(Scenario.REBUILD, Scenario.WARM),
        tag=f"{repository}:never",
        cancel=cancel,
    )
    for event in job:
        events.append(event)
        if isinstance(event, LogLine):
            cancel.ask()
    assert [m.outcome for m in measurements(events)] == [Outcome.CANCELLED]
    assert len([event for event in events if isinstance(event, BuildFinished)]) == 1


def test_peak_memory_is_that_of_the_step(engine: Engine, tmp_path: Path, repository: str) -> None:
    hold = "import os, time; held = os.urandom(400_000_000); time.sleep(2)"
    (tmp_path / "Dockerfile").write_text(f'FROM {BASE}\nRUN python3 -c "{hold}"\n')
    [measurement] = measurements(run(engine, tmp_path, repository, Scenario.COLD))
    if measurement.peak_memory_bytes is None:
        assert measurement.note.startswith("peak memory: not available")
        return
    assert measurement.peak_memory_bytes > 400_000_000


def test_a_context_outside_of_the_repository_is_refused(
    engine: Engine, tmp_path: Path, repository: str
) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "out").symlink_to(tmp_path)
    with pytest.raises(PhasewiseError, match="outside"):
        list(
            measure(engine, tmp_path / "inside", Target("Dockerfile", "out"), "c", tag=f"{repository}:never")
        )
