"""Verifying over a scripted engine: what is asked of an image, and what is made of its silence."""

import json
from typing import Any

import pytest
from fake_engine import FakeEngine, image_info, printed

from phasewise.migration.confinement import Confinement
from phasewise.migration.containers import RunResult
from phasewise.migration.errors import Cancelled
from phasewise.migration.events import Cancel, CheckFinished, Verified
from phasewise.migration.probe import PYTHONS, bundle
from phasewise.migration.verify import DeclaredCheck, verify
from phasewise.model.measurement import CheckResult, Verdict, Verification

IMAGE = "phasewise/service-1:c0ffee"
FINE = {"error": "", "seconds": 0.1}
ANSWERS: dict[str, Any] = {
    "python": "/usr/bin/python3",
    "version": "3.12.1",
    "user": [0, 0],
    "programs": {"serve": {"path": "/bin/serve", "error": ""}},
    "distributions": {"numpy": {"version": "1", "error": "", "entry_points": []}},
    "scripts": {"f2py": {"path": "/bin/f2py", "error": ""}},
    "application": {"unknown": "the command serve names no application"},
    "imports": {"numpy": FINE},
}


def engine_with(*runs: RunResult | None) -> FakeEngine:
    engine = FakeEngine()
    engine.images[IMAGE] = image_info(Cmd=["serve"])
    for run in runs:
        engine.expect_run(run)
    return engine


def run(engine: FakeEngine, **options: Any) -> tuple[Verification, dict[str, CheckResult]]:
    with engine:
        *events, last = verify(engine, IMAGE, commit="c0ffee", **options)
    assert isinstance(last, Verified)
    results = [event.result for event in events if isinstance(event, CheckFinished)]
    assert last.verification.results == tuple(results)
    return last.verification, {result.id: result for result in results}


def test_everything_that_the_probes_answer_becomes_a_result() -> None:
    verification, results = run(engine_with(printed(ANSWERS), printed({})))
    assert {"python", "command", "import:numpy", "metadata:numpy", "scripts:f2py", "elf:app"} <= set(results)
    assert {result.verdict for result in results.values()} == {Verdict.PASSED, Verdict.SKIPPED}
    assert (verification.commit, verification.image_id) == ("c0ffee", image_info(Cmd=["serve"]).id)


def test_the_probe_is_asked_for_what_the_baseline_could() -> None:
    baseline, _ = run(engine_with(printed(ANSWERS), printed({})))
    engine = engine_with(printed(ANSWERS), printed({}))
    asked: list[dict[str, Any]] = []
    original = engine.run

    def spy(image: str, argv: Any, *others: Any) -> RunResult:
        asked.extend(json.loads(word) for word in argv[3:])
        return original(image, argv, *others)

    engine.run = spy  # type: ignore[method-assign]
    run(engine, baseline=baseline)
    assert asked == [
        {
            "programs": ["serve"],
            "start": ["serve"],
            "imports": ["numpy"],
            "distributions": ["numpy"],
            "scripts": ["f2py"],
        }
    ]


def test_an_image_without_python_is_asked_once_for_each_place() -> None:
    _, results = run(engine_with(*[None] * len(PYTHONS)))
    assert not [id for id in results if id.startswith(("python", "import", "elf"))]
    assert "config:Cmd" in results


def test_a_python_that_fails_is_a_failing_check() -> None:
    broken = RunResult(1, "", "Fatal Python error: init_fs_encoding")
    _, results = run(engine_with(broken, printed({})))
    assert results["python"].verdict is Verdict.FAILED
    assert "init_fs_encoding" in results["python"].explanation


def test_what_else_the_image_prints_does_not_disturb() -> None:
    noisy = RunResult(0, "hello from sitecustomize\n" + printed(ANSWERS).stdout + "\n", "")
    _, results = run(engine_with(noisy, printed({})))
    assert results["import:numpy"].verdict is Verdict.PASSED


def test_health_is_skipped_when_it_can_tell_nothing() -> None:
    _, results = run(engine_with(printed(ANSWERS), printed({})))
    assert results["health"].verdict is Verdict.SKIPPED
    engine = engine_with(printed(ANSWERS), printed({}))
    engine.images[IMAGE] = image_info(Cmd=["serve"], Healthcheck={"Test": ["CMD", "serve"]})
    engine.expect_health("unhealthy", "no database\n")
    sick, results = run(engine)
    assert results["health"].explanation == "started without network, the container is unhealthy: no database"
    engine = engine_with(printed(ANSWERS), printed({}))
    engine.images[IMAGE] = image_info(Cmd=["serve"], Healthcheck={"Test": ["CMD", "serve"]})
    _, results = run(engine, baseline=sick)
    assert results["health"].verdict is Verdict.SKIPPED


def test_the_compose_files_health_check_counts_where_the_image_has_none() -> None:
    compose = {"Test": ["CMD", "curl", "x"]}
    programs = {**ANSWERS["programs"], "curl": {"path": "", "error": "not found"}}
    engine = engine_with(printed({**ANSWERS, "programs": programs}), printed({}))
    engine.expect_health("healthy", "fine\n", healthcheck=compose)
    _, results = run(engine, compose_health=compose)
    assert (results["health"].verdict, results["health"].title) == (
        Verdict.PASSED,
        "health check of the compose file",
    )
    assert results["command:healthcheck"].explanation == "the command curl is not on PATH in the image"


def test_the_images_own_health_check_counts_first() -> None:
    engine = engine_with(printed(ANSWERS), printed({}))
    engine.images[IMAGE] = image_info(Cmd=["serve"], Healthcheck={"Test": ["CMD", "serve"]})
    engine.expect_health("healthy", "fine\n", healthcheck=None)
    _, results = run(engine, compose_health={"Test": ["CMD", "curl", "x"]})
    assert results["health"].title == "health check"


def test_a_declared_check_runs_with_its_own_words() -> None:
    engine = engine_with(printed(ANSWERS), printed({}))
    within = Confinement(network=True, timeout_seconds=9)
    engine.expect_run(RunResult(1, "", "it broke\n"), argv=("pytest", "-q"), within=within)
    declared = DeclaredCheck("tests", ("pytest", "-q"), network=True, timeout_seconds=9)
    _, results = run(engine, declared=(declared,))
    assert results["declared:tests"].explanation == "pytest -q ended with status 1: it broke"


def test_cancelling_raises() -> None:
    cancel = Cancel()
    cancel.ask()
    with pytest.raises(Cancelled):
        list(verify(engine_with(), IMAGE, commit="c0ffee", cancel=cancel))


@pytest.mark.parametrize(
    "modules", [("environments", "commands", "application"), ("elf", "libraries", "environments", "census")]
)
def test_a_bundle_defines_its_modules_in_any_python(modules: tuple[str, ...]) -> None:
    script = bundle(*modules)
    compile(script, "bundle", "exec")
    assert len(script.encode()) < 131_072
