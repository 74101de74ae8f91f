"""`apply --without`: files and hunks that are left out, from the plan's numbers to the commit and back."""

import pytest
from calling import Phasewise
from git_sandbox import Sandbox

TWICE = "FROM python:3.12\nRUN python -m compileall /a\nENV A=1\nRUN python -m compileall /b\nCMD python\n"
PHASE = "drop_compileall"


@pytest.fixture
def twice(sandbox: Sandbox) -> Sandbox:
    sandbox.commit("twice", Dockerfile=TWICE)
    return sandbox


def test_a_hunk_is_left_out_of_the_commit_and_planned_again(twice: Sandbox, phasewise: Phasewise) -> None:
    said = phasewise("plan", twice.root).stdout
    assert f"    --without {PHASE}:Dockerfile:2  -RUN python -m compileall /b\n" in said
    done = phasewise("apply", PHASE, "-C", twice.root, "--without", f"{PHASE}:Dockerfile:2")
    assert done.status == 0
    assert twice.text("Dockerfile") == TWICE.replace("RUN python -m compileall /a\n", "")
    message = twice.git("log", "-1", "--format=%B")
    (target,) = phasewise("plan", twice.root, "--json").json["targets"]
    rest = next(phase for phase in target["phases"] if phase["id"] == f"{PHASE}_2")
    (hunk,) = rest["hunks"]
    assert (hunk["removed"], hunk["ticked"]) == (["RUN python -m compileall /b"], True)
    assert f"Phasewise-Without: Dockerfile={hunk['id']}\n" in message


def test_ticks_are_remembered_and_taken_back(twice: Sandbox, phasewise: Phasewise) -> None:
    refused = phasewise("apply", "split_base_builder", "-C", twice.root, "--without", f"{PHASE}:Dockerfile:1")
    assert refused.status == 3, "another phase that does not apply: nothing is committed, the tick stays"
    hunks = phasewise("plan", twice.root, "--json").json["targets"][0]["phases"][0]["hunks"]
    assert [hunk["ticked"] for hunk in hunks] == [False, True]
    assert "Dockerfile:1  left out: -RUN python -m compileall /a" in phasewise("plan", twice.root).stdout
    by_id = f"{PHASE}:Dockerfile:{hunks[0]['id']}"
    assert phasewise("apply", PHASE, "-C", twice.root, "--with", by_id).status == 0
    assert "compileall" not in twice.text("Dockerfile")
    assert "Phasewise-Without" not in twice.git("log", "-1", "--format=%B")


def test_nothing_left_is_refused(twice: Sandbox, phasewise: Phasewise) -> None:
    head = twice.head()
    called = phasewise(
        *("apply", PHASE, "-C", twice.root),
        *("--without", f"{PHASE}:Dockerfile:1", "--without", f"{PHASE}:Dockerfile:2"),
    )
    assert called.status == 3
    assert "at least one change" in called.stderr
    assert phasewise("apply", PHASE, "-C", twice.root, "--without", f"{PHASE}:Dockerfile").status == 3
    assert twice.head() == head


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (PHASE, "not of the form"),
        ("no_such:Dockerfile", "the plan has no phase no_such"),
        (f"{PHASE}:other", "does not edit that file"),
        (f"{PHASE}:other:1", "does not edit that file"),
        (f"{PHASE}:Dockerfile:3", "there is no hunk 3"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(
    twice: Sandbox, phasewise: Phasewise, part: str, said: str
) -> None:
    called = phasewise("apply", PHASE, "-C", twice.root, "--without", part)
    assert called.status == 2
    assert said in called.stderr
