"""Exit statuses are an API: 0 done, 1 failed, 2 usage, 3 refused, 4 no engine."""

from pathlib import Path

import pytest
from calling import Phasewise
from git_sandbox import DOCKERFILE, Sandbox

PHASE = "drop_compileall"
ABSENT = "apt_hygiene"
"""A phase that the sandbox's Dockerfile has no use for."""


@pytest.mark.parametrize(
    "words",
    [
        ["plan"],
        ["plan", "--json"],
        ["status", "--json"],
        ["report", "--format", "md"],
        ["report", "--format", "html"],
        ["report", "--format", "json"],
        ["--help"],
        ["apply", "-h"],
        ["--version"],
    ],
)
def test_done(
    sandbox: Sandbox, phasewise: Phasewise, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(sandbox.root)
    called = phasewise(*words)
    assert called.status == 0, called.stderr
    assert called.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "no-such-folder"], "does not exist"),
        (["plan", "--dockerfile", "Other", "."], "Other is not a committed Dockerfile"),
        (["plan", "--target", "production", "."], "production"),
        (["plan", "--colour"], "No such option"),
        (["plan", "--goal", "500"], "500 bytes? give a unit: 500MB"),
        (["plan", "--goal", " 1.5 "], "1.5 bytes? give a unit: 1.5MB"),
        (["status", ".", "-C", "."], "two repositories are named: . and ."),
        (["apply"], "Missing argument"),
        (["apply", "no_such_phase"], "there is no phase no_such_phase"),
        (["apply", PHASE, "no_such_phase"], "there is no phase no_such_phase"),
        (["apply", PHASE, "--pick", "bytecode=none"], "not of the form PHASE.CHOICE"),
        (["apply", PHASE, "--pick", "nothing.bytecode=none"], "the plan has no phase nothing"),
        (["apply", PHASE, "--pick", f"{PHASE}.colour=none"], "has no choice colour"),
        (["apply", PHASE, "--pick", f"{PHASE}.bytecode=all"], "no such option: all"),
        (["apply", PHASE, "--pick", f"{PHASE}.bytecode=none,application"], "exactly one option"),
        (["measure", "--scenario", "tepid"], "tepid"),
        (["measure", "--repeat", "0"], "0 is not in the range"),
        (["measure", "no-such-branch"], "no-such-branch names no commit"),
        (["measure", "--", "--output=/tmp/x"], "'--output=/tmp/x' is not a revision"),
        (["verify", "--", "-"], "'-' is not a revision"),
        (["rollback"], "--all"),
        (["rollback", "no_such_phase"], "there is no phase no_such_phase"),
        (["no-such-folder"], "no-such-folder does not exist"),
        (["report", "--format", "pdf"], "pdf"),
        (["demo", "."], "is not an empty folder"),
    ],
)
def test_usage(
    sandbox: Sandbox,
    phasewise: Phasewise,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(sandbox.root)
    head = sandbox.head()
    called = phasewise(*words)
    assert called.status == 2
    assert said in called.stderr
    assert called.stdout == ""
    assert sandbox.head() == head


@pytest.mark.parametrize("verb", ["plan", "status", "report"])
@pytest.mark.parametrize("option", ["-C", "--repo"])
def test_the_repository_is_an_option_where_it_is_an_argument_too(
    sandbox: Sandbox, tmp_path: Path, phasewise: Phasewise, verb: str, option: str
) -> None:
    called = phasewise(verb, option, sandbox.root)
    assert called.status == 0, called.stderr
    assert called.stdout == phasewise(verb, sandbox.root).stdout
    called = phasewise(verb, option, tmp_path / "elsewhere")
    assert called.status == 2
    assert "elsewhere does not exist" in called.stderr


def test_a_goal_in_bytes_is_one_from_a_kilobyte_on(sandbox: Sandbox, phasewise: Phasewise) -> None:
    assert phasewise("plan", sandbox.root, "--goal", "1000").status == 0


def test_not_a_repository(tmp_path: Path, phasewise: Phasewise) -> None:
    called = phasewise("plan", tmp_path)
    assert called.status == 2
    assert called.stderr.startswith(f"phasewise: {tmp_path} is not in a git repository")


def test_a_dirty_file_is_refused_and_nothing_changes(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.write("Dockerfile", f"{DOCKERFILE}# mine\n")
    head, state = sandbox.head(), sandbox.state()
    called = phasewise("apply", PHASE, "-C", sandbox.root, "--branch", "new")
    assert called.status == 3
    assert "Dockerfile has uncommitted changes" in called.stderr
    assert (sandbox.head(), sandbox.state()) == (head, state)
    assert sandbox.git("branch", "--list", "new") == ""


@pytest.mark.parametrize("name", ["-x", "a b", "a..b", "HEAD@{1}", "\x1b[31m", "main"])
def test_a_branch_that_cannot_be_is_refused(sandbox: Sandbox, phasewise: Phasewise, name: str) -> None:
    head, state = sandbox.head(), sandbox.state()
    called = phasewise("apply", PHASE, "-C", sandbox.root, f"--branch={name}")
    assert called.status == 3
    assert "\x1b" not in called.stderr
    assert (sandbox.head(), sandbox.state()) == (head, state)
    assert sandbox.git("branch", "--format=%(refname)").split() == ["refs/heads/main"]


def test_a_phase_that_does_not_apply_is_refused(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit("clean", Dockerfile="FROM python:3.12\n")
    called = phasewise("apply", PHASE, "-C", sandbox.root)
    assert called.status == 3
    assert f"{PHASE} does not apply" in called.stderr


def test_a_hook_that_refuses_is_heard(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.hook("commit-msg", "echo 'no ticket number' >&2; exit 1")
    head, state = sandbox.head(), sandbox.state()
    called = phasewise("apply", PHASE, "-C", sandbox.root)
    assert called.status == 3
    assert "no ticket number" in called.stderr
    assert (sandbox.head(), sandbox.state()) == (head, state)


def test_taking_back_what_is_not_applied_is_refused(sandbox: Sandbox, phasewise: Phasewise) -> None:
    assert phasewise("rollback", PHASE, "-C", sandbox.root).status == 3


@pytest.mark.parametrize(
    "words", [["apply", PHASE, "--measure"], ["measure"], ["verify"], ["apply", PHASE, "--measure", "--json"]]
)
def test_no_engine(sandbox: Sandbox, phasewise: Phasewise, no_engine: None, words: list[str]) -> None:
    head, state = sandbox.head(), sandbox.state()
    called = phasewise(*words, "-C", sandbox.root)
    assert called.status == 4
    assert "no Docker Engine answers" in called.stderr
    assert called.stdout == ""
    assert (sandbox.head(), sandbox.state()) == (head, state)


def test_no_engine_to_clean(sandbox: Sandbox, phasewise: Phasewise, no_engine: None) -> None:
    assert phasewise("clean", sandbox.root).status == 4


def test_without_an_engine_a_phase_goes_there_and_back(
    sandbox: Sandbox, phasewise: Phasewise, no_engine: None
) -> None:
    called = phasewise("apply", PHASE, "-C", sandbox.root, "--branch", "docker", "--json")
    assert called.status == 0
    assert called.json["branch"] == "docker"
    assert [phase["state"] for phase in called.json["phases"] if phase["id"] == PHASE] == ["applied"]
    called = phasewise("rollback", "--all", "-C", sandbox.root, "--json")
    assert called.status == 0
    assert "not built again: no Docker Engine answers" in called.stderr
    assert [phase["state"] for phase in called.json["phases"] if phase["id"] == PHASE] == ["rolled back"]
    assert sandbox.text("Dockerfile") == DOCKERFILE
    assert phasewise("rollback", "--all", "-C", sandbox.root).status == 0


def test_a_pick_on_the_command_line_is_used(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit("all of it", Dockerfile=DOCKERFILE.replace("compileall .", "compileall -b /opt/venv"))
    called = phasewise("apply", PHASE, "-C", sandbox.root, "--pick", f"{PHASE}.bytecode=pycache")
    assert called.status == 0, called.stderr
    assert "compileall" in sandbox.text("Dockerfile")
    assert "compileall -b" not in sandbox.text("Dockerfile")


def test_a_refusal_after_a_commit_is_not_called_nothing_changed(
    sandbox: Sandbox, phasewise: Phasewise
) -> None:
    head = sandbox.head()
    called = phasewise("apply", PHASE, ABSENT, "-C", sandbox.root, "--json")
    assert called.status == 3
    assert f"stopped at {ABSENT}: " in called.stderr
    assert "nothing was changed" not in called.stderr
    assert called.json["head"] == sandbox.head() != head


def test_a_call_can_be_repeated(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit(Dockerfile=f"{DOCKERFILE}COPY . /app\n")
    sandbox.write(".dockerignore", "# mine\n")
    words = ("apply", PHASE, "explicit_context", PHASE, "-C", sandbox.root)
    assert phasewise(*words).status == 3
    head = sandbox.head()
    called = phasewise(*words)
    assert called.status == 3
    assert called.stderr.count(f"{PHASE} is applied already, and passed over") == 1
    assert "phasewise: .dockerignore is there already" in called.stderr
    assert sandbox.head() == head
    (sandbox.root / ".dockerignore").unlink()
    called = phasewise(*words)
    assert called.status == 0, called.stderr
    assert sandbox.files_of("HEAD") == [".dockerignore"]


def test_what_is_applied_already_is_refused_where_nothing_else_is_asked_for(
    sandbox: Sandbox, phasewise: Phasewise
) -> None:
    words = ("apply", PHASE, PHASE, "-C", sandbox.root)
    assert phasewise(*words).status == 0
    head = sandbox.head()
    called = phasewise(*words)
    assert called.status == 3
    assert f"phasewise: {PHASE} is applied already" in called.stderr
    assert "passed over" not in called.stderr
    assert sandbox.head() == head
