"""Building, running and cleaning up with the real engine."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from phasewise.migration.confinement import Confinement
from phasewise.migration.containers import RUN_LABEL
from phasewise.migration.errors import Cancelled, PhasewiseError
from phasewise.migration.events import BuildFinished, Cancel, LogLine, StepFinished, StepStarted
from phasewise.migration.images import COMMIT_LABEL, REPOSITORY_LABEL, Engine
from phasewise.model.measurement import Outcome

pytestmark = pytest.mark.engine

BASE = "python:3.12-slim"


def our_containers() -> set[str]:
    api = docker.from_env().api
    return {container["Id"] for container in api.containers(all=True, filters={"label": RUN_LABEL})}


@pytest.fixture
def context(tmp_path: Path) -> Callable[[str], Path]:
    def write(dockerfile: str) -> Path:
        (tmp_path / "Dockerfile").write_text(dockerfile)
        return tmp_path

    return write


def build(engine: Engine, folder: Path, repository: str, **options: object) -> list[object]:
    tag = f"{repository}:built"
    labels = {REPOSITORY_LABEL: repository, COMMIT_LABEL: "c0ffee"}
    return list(engine.build(folder, folder / "Dockerfile", tag=tag, labels=labels, **options))


def test_a_build_tells_its_steps_their_output_and_the_image(engine: Engine, context, repository: str) -> None:
    folder = context(f"FROM {BASE}\nRUN echo out; echo err >&2; printf 'no newline'\n")
    events = build(engine, folder, repository, cold=True)
    started = [event.name for event in events if isinstance(event, StepStarted)]
    finished = {event.name: event for event in events if isinstance(event, StepFinished)}
    step = next(name for name in started if "RUN echo out" in name)
    assert not finished[step].error
    lines = [event.text for event in events if isinstance(event, LogLine)]
    assert sorted(lines) == ["err", "no newline", "out"]
    assert isinstance(events[-1], BuildFinished)
    info = engine.inspect(f"{repository}:built")
    assert events[-1].image_id == info.id
    assert info.config["Labels"][COMMIT_LABEL] == "c0ffee"
    assert [
        image.commit for image in engine.images_of(repository) if f"{repository}:built" in image.tags
    ] == ["c0ffee"]


def test_a_failing_step_is_named_with_its_last_lines(engine: Engine, context, repository: str) -> None:
    folder = context(f"FROM {BASE} AS builder\nRUN seq 100; echo what went wrong; exit 3\n")
    finished = build(engine, folder, repository)[-1]
    assert isinstance(finished, BuildFinished)
    assert finished.outcome is Outcome.FAILED
    lines = finished.error.splitlines()
    assert "] RUN seq 100" in lines[0]
    assert "what went wrong" in lines
    assert len(lines) == 22
    assert lines[-1].endswith("exit code: 3")


def test_a_missing_file_and_a_broken_dockerfile_fail_with_buildx_words(
    engine, context, repository: str
) -> None:
    finished = build(engine, context(f"FROM {BASE}\nCOPY missing.txt /\n"), repository)[-1]
    assert finished.outcome is Outcome.FAILED
    assert "missing.txt" in finished.error
    finished = build(engine, context(f"FROM {BASE}\nRUNN true\n"), repository)[-1]
    assert finished.outcome is Outcome.FAILED
    assert "RUNN" in finished.error


def test_an_unreachable_host_is_inconclusive(engine: Engine, context, repository: str) -> None:
    fetch = "import urllib.request as u; u.urlopen('http://nowhere.invalid/')"
    finished = build(engine, context(f'FROM {BASE}\nRUN python3 -c "{fetch}"\n'), repository)[-1]
    assert finished.outcome is Outcome.INCONCLUSIVE
    assert finished.error.startswith("A host name could not be resolved")


def test_values_that_look_like_options_are_values(engine: Engine, tmp_path: Path, repository: str) -> None:
    folder = tmp_path / "--pull"
    folder.mkdir()
    (folder / "--no-cache").write_text(f'FROM {BASE} AS last\nARG NAME\nRUN echo "<$NAME>"\n')
    events = list(
        engine.build(
            folder,
            folder / "--no-cache",
            tag=f"{repository}:options",
            stage="last",
            arguments={"NAME": "--help"},
            labels={REPOSITORY_LABEL: repository},
            cold=True,
        )
    )
    assert events[-1].outcome is Outcome.BUILT
    assert "<--help>" in [event.text for event in events if isinstance(event, LogLine)]


def test_cancelling_ends_the_build_and_its_processes(engine: Engine, context, repository: str) -> None:
    folder = context(f"FROM {BASE}\nRUN echo begun; sleep 300\n")
    cancel, events = Cancel(), []
    for event in engine.build(
        folder, folder / "Dockerfile", tag=f"{repository}:never", cold=True, cancel=cancel
    ):
        events.append(event)
        if isinstance(event, LogLine):
            cancel.ask()
    assert events[-1].outcome is Outcome.CANCELLED
    assert not engine.exists(f"{repository}:never")
    assert not [line for line in processes() if str(folder) in line]


def processes() -> list[str]:
    return subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_a_program_runs_without_network_and_capabilities(engine: Engine) -> None:
    status = "import os; print(open('/proc/self/status').read()); print(os.listdir('/sys/class/net'))"
    ran = engine.run(BASE, ["python3", "-c", status])
    assert ran.ok
    assert "CapEff:\t0000000000000000" in ran.stdout
    assert "NoNewPrivs:\t1" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "['lo']"


def test_the_images_entry_point_is_switched_off(engine: Engine, make_image) -> None:
    image = make_image("entry", f'FROM {BASE}\nENTRYPOINT ["false"]\nCMD ["false"]\n')
    assert engine.run(image, ["echo", "hello"]).stdout == "hello\n"


@pytest.mark.parametrize(("argv", "status"), [(["nowhere"], 127), (["/nowhere"], 127), (["/etc"], 126)])
def test_a_program_that_cannot_start_ends_as_in_a_shell(engine: Engine, argv: list[str], status: int) -> None:
    assert engine.run(BASE, argv).exit_code == status


def test_time_and_memory_and_output_have_limits(engine: Engine) -> None:
    late = engine.run(BASE, ["sh", "-c", "echo begun; sleep 300"], Confinement(timeout_seconds=1))
    assert (late.timed_out, late.exit_code, late.stdout) == (True, None, "begun\n")
    greedy = engine.run(
        BASE, ["python3", "-c", "x = b'1' * 900_000_000"], Confinement(memory_bytes=200_000_000)
    )
    assert greedy.oom
    chatty = engine.run(BASE, ["python3", "-c", "print('x' * 9_000_000)"])
    assert chatty.ok
    assert len(chatty.stdout) == 4_000_000


def test_nothing_is_left_behind_and_cancel_is_quick(engine: Engine) -> None:
    before = our_containers()
    cancel = Cancel()
    threading.Timer(0.5, cancel.ask).start()
    with pytest.raises(Cancelled):
        engine.run(BASE, ["sleep", "300"], cancel=cancel)
    with pytest.raises(PhasewiseError):
        engine.run("phasewise-test/nowhere:1", ["true"])
    assert our_containers() <= before


def test_the_container_of_a_killed_process_is_swept(engine: Engine) -> None:
    script = (
        "from phasewise.migration.confinement import Confinement\n"
        "from phasewise.migration.images import find_engine\n"
        f"find_engine().run({BASE!r}, ['sleep', '300'], Confinement(timeout_seconds=300))\n"
    )
    before = our_containers()
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        left = wait_for(lambda: our_containers() - before)
    finally:
        process.kill()
        process.wait()
    assert set(engine.sweep()) >= left
    assert not our_containers() & left


def test_the_container_of_a_living_process_is_not_swept(engine: Engine) -> None:
    cancel = Cancel()
    before = our_containers()
    thread = threading.Thread(target=run_until_cancelled, args=(engine, cancel))
    thread.start()
    running = wait_for(lambda: our_containers() - before)
    assert not set(engine.sweep()) & running
    cancel.ask()
    thread.join()


def run_until_cancelled(engine: Engine, cancel: Cancel) -> None:
    with pytest.raises(Cancelled):
        engine.run(BASE, ["sleep", "300"], Confinement(timeout_seconds=300), cancel)


def wait_for(condition: Callable[[], set[str]]) -> set[str]:
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)
    return found


def test_only_images_of_ours_are_removed(engine: Engine, make_image) -> None:
    image = make_image("removable", f"FROM {BASE}\nLABEL a=b\n")
    engine.tag(BASE, "phasewise-test-foreign:1")
    try:
        assert engine.remove([image, "phasewise-test-foreign:1", "phasewise-test/nowhere:1"]) == (image,)
        assert engine.exists("phasewise-test-foreign:1")
        assert not engine.exists(image)
    finally:
        engine.untag("phasewise-test-foreign:1")


def test_an_image_with_another_name_is_not_discarded(engine: Engine, make_image, repository: str) -> None:
    image = make_image("named", f"FROM {BASE}\nLABEL a=c\n")
    id = engine.inspect(image).id
    engine.tag(image, f"{repository}:current")
    assert not engine.discard(id)
    assert engine.exists(f"{repository}:current")
