"""The checks on data as the probes print it: verdicts, what is compared with the baseline, and the sentences."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fake_engine import image_info

from phasewise.migration.checks.config import check_config
from phasewise.migration.checks.objects import check_objects
from phasewise.migration.checks.python import check_imports, check_metadata, explain_import
from phasewise.migration.checks.start import check_start
from phasewise.migration.checks.subject import Baseline, Subject
from phasewise.model.measurement import CheckResult, Verdict, Verification

CONFIG: dict[str, Any] = {
    "Cmd": ["serve"],
    "Env": ["PATH=/opt/venv/bin:/usr/bin:/bin", "MODE=x=y", "PIP_NO_CACHE_DIR=1"],
    "User": "app",
    "WorkingDir": "/srv/",
    "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
    "Healthcheck": {"Test": ["NONE"]},
}
USER = {"user": [1000, 1000]}


def baseline(*results: CheckResult) -> Baseline:
    return Baseline(Verification("c", "i", datetime.now(UTC), results))


def config(before: dict[str, Any], after: dict[str, Any], user: Any = None, **options: Any) -> dict[str, str]:
    """Explanations of what fails, by field."""
    recorded = baseline(*check_config(Subject(image_info(**before), answers=USER)))
    subject = Subject(image_info(**after), recorded, user or USER)
    failed = [result for result in check_config(subject, **options) if result.verdict is Verdict.FAILED]
    return {result.id.removeprefix("config:"): result.explanation for result in failed}


def test_a_baseline_passes_and_so_does_the_same_again() -> None:
    results = list(check_config(Subject(image_info(**CONFIG))))
    assert {result.verdict for result in results} == {Verdict.PASSED}
    assert config(CONFIG, CONFIG) == {}


def test_other_ways_to_write_the_same_are_the_same() -> None:
    same = {
        **CONFIG,
        "WorkingDir": "/srv",
        "ExposedPorts": {"443/tcp": {}, "80/tcp": {}},
        "Healthcheck": None,
    }
    assert config(CONFIG, {**same, "User": "1000", "Entrypoint": [], "Volumes": {}}) == {}


def test_a_shell_does_not_mind_more_space_between_words() -> None:
    spaced = {"Cmd": ["/bin/sh", "-c", "a  b"], "Healthcheck": {"Test": ["CMD-SHELL", "a \t|| exit  1"]}}
    plain = {"Cmd": ["/bin/sh", "-c", "a b"], "Healthcheck": {"Test": ["CMD-SHELL", "a || exit 1"]}}
    assert config({**CONFIG, **spaced}, {**CONFIG, **plain}) == {}
    assert config({**CONFIG, **plain}, {**CONFIG, **spaced}) == {}


@pytest.mark.parametrize(
    "commands",
    [
        (["/bin/sh", "-c", "a 'b  c'"], ["/bin/sh", "-c", "a 'b c'"]),
        (["/bin/sh", "-c", "a \\  b"], ["/bin/sh", "-c", "a \\ b"]),
        (["a", "b  c"], ["a", "b c"]),
        (["/bin/sh", "-c", "a b"], ["/bin/sh", "-c", "ab"]),
    ],
)
def test_where_space_matters_it_is_a_change(commands: tuple[list[str], list[str]]) -> None:
    before, after = commands
    assert set(config({**CONFIG, "Cmd": before}, {**CONFIG, "Cmd": after})) == {"Cmd"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Cmd", ["other"]),
        ("Entrypoint", ["tini"]),
        ("WorkingDir", ""),
        ("ExposedPorts", {"80/tcp": {}}),
        ("Volumes", {"/data": {}}),
        ("Healthcheck", {"Test": ["CMD", "x"]}),
        ("StopSignal", "SIGINT"),
    ],
)
def test_a_changed_field_fails_with_both_values(field: str, value: Any) -> None:
    failed = config(CONFIG, {**CONFIG, field: value})
    assert set(failed) == {field}
    assert " was " in failed[field]


def test_another_user_fails() -> None:
    failed = config(CONFIG, {**CONFIG, "User": ""}, user={"user": [0, 0]})
    assert failed == {"User": "the image ran as app (uid 1000) and now runs as root (uid 0)"}


@pytest.mark.parametrize(
    ("variables", "explanation"),
    [
        (["MODE=x=y"], "PATH lost /usr/bin, /bin"),
        (["PATH=/usr/bin:/bin"], "the variable MODE is gone, it was 'x=y'"),
        (["PATH=/usr/bin:/bin", "MODE=z"], "the variable MODE was 'x=y' and is now 'z'"),
    ],
)
def test_variables_may_not_go_or_change(variables: list[str], explanation: str) -> None:
    assert config(CONFIG, {**CONFIG, "Env": variables}) == {"Env": explanation}


def test_new_variables_and_those_of_the_build_are_free() -> None:
    changed = [*CONFIG["Env"][:2], "UV_LINK_MODE=copy", "PYTHONDONTWRITEBYTECODE=1", "NEW=1"]
    assert config(CONFIG, {**CONFIG, "Env": changed}) == {}
    assert config(CONFIG, {**CONFIG, "Env": [CONFIG["Env"][0], "MODE=z"]}, owned=("MODE",)) == {}
    assert config(CONFIG, {**CONFIG, "Env": [CONFIG["Env"][0], "MODE=z"]}, owned=("MOD",))


@pytest.mark.parametrize(
    ("before", "after", "free"),
    [
        ("/deps", "", True),
        ("/deps:/app", "/app", True),
        ("/a:/b", "/b:/a", False),
        ("/a", "/a:/b", False),
        ("", "/a", False),
    ],
)
def test_python_path_may_only_lose_folders(before: str, after: str, free: bool) -> None:
    envs = [
        {**CONFIG, "Env": [*CONFIG["Env"], *[f"PYTHONPATH={each}"] * bool(each)]} for each in (before, after)
    ]
    assert ("Env" not in config(*envs)) is free


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            "ImportError: numpy\nImportError: libopenblas-r0.so: ELF load command address/offset not page-aligned",
            "numpy no longer loads: libopenblas-r0.so is misaligned after strip",
        ),
        (
            "ImportError: libpq.so.5: cannot open shared object file: No such file or directory",
            "numpy no longer loads: the shared library libpq.so.5 is not in the image",
        ),
        ("ModuleNotFoundError: No module named 'numpy'", "numpy is not in the image any more"),
        (
            "ModuleNotFoundError: No module named 'six'",
            "numpy no longer loads: it needs the module six, which is not in the image",
        ),
        (
            "importlib.metadata.PackageNotFoundError: No package metadata was found for anyio",
            "numpy no longer loads: it asks for the metadata of anyio, whose dist-info directory is gone",
        ),
        ("killed by SIGSEGV", "numpy no longer loads: killed by SIGSEGV"),
    ],
)
def test_an_import_error_becomes_what_a_colleague_would_say(error: str, sentence: str) -> None:
    passed = baseline(CheckResult("import:numpy", "", Verdict.PASSED))
    assert explain_import("numpy", error, Subject(image_info(), passed), "import:numpy") == sentence


def test_what_the_baseline_could_not_is_no_loss() -> None:
    subject = Subject(image_info())
    assert explain_import("x", "ValueError: bad", subject, "import:x") == "x does not load: ValueError: bad"


def test_imports_that_there_was_no_time_for_are_skipped() -> None:
    answers = {"imports": {"a": {"error": "out of time", "seconds": 0.0, "skipped": True}}}
    assert [r.verdict for r in check_imports(Subject(image_info()), answers)] == [Verdict.SKIPPED]


def test_entry_points_must_lead_somewhere() -> None:
    found = {"version": "1.0", "error": "", "entry_points": ["tool"]}
    [result] = check_metadata(Subject(image_info()), {"distributions": {"pkg": found}})
    assert result.verdict is Verdict.FAILED
    assert "tool" in result.explanation


def objects(missing: list[list[str]], refused: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"torch": {"files": 9, "missing": missing, "refused": list(refused)}}


def torch(found: dict[str, Any], before: Baseline | None = None) -> dict[str, CheckResult]:
    results = check_objects(Subject(image_info(), before or Baseline()), found)
    return {result.id: result for result in results if result.id.endswith(":torch")}


def test_a_library_that_the_baseline_lacks_too_is_taken_as_given() -> None:
    cuda = ["libcuda.so.1", "/opt/venv/torch/libc10.so"]
    recorded = torch(objects([cuda]))
    assert recorded["libraries:torch"].verdict is Verdict.PASSED
    before = baseline(*recorded.values())
    moved = ["libcuda.so.1", "/elsewhere/torch/libc10.so"]
    assert torch(objects([moved]), before)["libraries:torch"].verdict is Verdict.PASSED
    lost = torch(objects([moved, ["libgomp.so.1", "/x/libc10.so"]]), before)["libraries:torch"]
    assert lost.verdict is Verdict.FAILED
    assert lost.explanation == "torch needs libgomp.so.1, which the image does not have any more"


def test_a_refused_file_fails_on_a_baseline_too() -> None:
    found = torch(objects([], ("/a/one.so", "/a/two.so", "/b/three.so", "/b/four.so")))["elf:torch"]
    assert found.verdict is Verdict.FAILED
    assert "four.so, one.so, three.so and 1 more of torch" in found.explanation


def test_the_groups_of_the_image_itself_are_always_there() -> None:
    ids = {result.id for result in check_objects(Subject(image_info()), {})}
    assert ids == {
        f"{kind}:{group}" for kind in ("elf", "libraries") for group in ("python", "system", "app")
    }


def test_another_environments_files_are_not_asked_for() -> None:
    subject = Subject(image_info(), answers={**USER, "distributions": {"numpy": {}}})
    ids = {result.id for result in check_objects(subject, objects([]))}
    assert not [id for id in ids if "torch" in id]


def test_a_missing_program_and_a_missing_application_are_told_apart() -> None:
    subject = Subject(image_info(Cmd=["uvicorn", "a:b"], Healthcheck={"Test": ["CMD", "curl", "x"]}))
    answers = {
        "programs": {
            "uvicorn": {"path": "/bin/uvicorn", "error": ""},
            "curl": {"path": "", "error": "not found"},
        },
        "application": {"kind": "object", "value": "a:b", "error": "AttributeError: no b", "seconds": 0.1},
    }
    results = {result.id: result for result in check_start(subject, answers)}
    assert {id: result.verdict.value for id, result in results.items()} == {
        "command": "passed",
        "command:healthcheck": "failed",
        "app": "failed",
    }
    assert results["command:healthcheck"].explanation == "the command curl is not on PATH in the image"
    assert results["app"].explanation == "a does not load: AttributeError: no b"


def test_an_application_that_nobody_can_name_is_said_not_to_be_checked() -> None:
    answers = {"programs": {"serve": {"path": "/serve", "error": ""}}, "application": {"unknown": "why"}}
    found = {r.id: r for r in check_start(Subject(image_info(Cmd=["serve"])), answers)}["app"]
    assert (found.verdict, found.detail) == (Verdict.SKIPPED, "not checked: why")
    passed = baseline(CheckResult("app", "application a:b", Verdict.PASSED))
    lost = {r.id: r for r in check_start(Subject(image_info(Cmd=["serve"]), passed), answers)}["app"]
    assert lost.verdict is Verdict.FAILED
    assert lost.explanation == "the command no longer leads to an application: why"
