"""A Dockerfile that cannot be read: said once, with its line; the others are planned all the same."""

import pytest
from calling import Phasewise
from git_sandbox import DOCKERFILE, Sandbox

BROKEN = "FROM python:3.12\nRUNN pip install x\n"
SAID = "unknown instruction: RUNN"


@pytest.fixture
def broken(sandbox: Sandbox) -> Sandbox:
    """Its one Dockerfile has a slip of the pen in line 2."""
    sandbox.commit(Dockerfile=BROKEN)
    return sandbox


@pytest.fixture
def one_broken(sandbox: Sandbox) -> Sandbox:
    """One Dockerfile that can be read, and another that cannot."""
    sandbox.commit(api__Dockerfile=BROKEN)
    return sandbox


@pytest.mark.parametrize("options", [[], ["--dockerfile", "Dockerfile"], ["--target", "final"]])
def test_it_is_refused_and_said_once(broken: Sandbox, phasewise: Phasewise, options: list[str]) -> None:
    called = phasewise("plan", broken.root, *options)
    assert called.status == 3
    assert called.stdout == ""
    assert called.stderr.splitlines() == [
        f"phasewise: nothing can be planned: Dockerfile:2: {SAID}",
        "  mend the line and commit it: what is committed is planned",
    ]


def test_the_data_keep_their_form(broken: Sandbox, phasewise: Phasewise) -> None:
    called = phasewise("plan", broken.root, "--json")
    assert called.status == 3
    (target,) = called.json["targets"]
    assert target["phases"] == []
    reasons = {one["id"]: one["reason"] for one in target["declined"]}
    assert reasons["drop_compileall"] == f"the Dockerfile cannot be read: Dockerfile:2: {SAID}"
    assert called.stderr.count(SAID) == 1


def test_the_others_are_planned(one_broken: Sandbox, phasewise: Phasewise) -> None:
    called = phasewise("plan", one_broken.root)
    assert called.status == 0
    assert "1 drop_compileall: " in called.stdout
    assert "api/Dockerfile  (context" not in called.stdout
    assert called.stderr.splitlines() == [
        f"not planned: api/Dockerfile:2: {SAID}; mend the line and commit it: what is committed is planned"
    ]
    as_json = phasewise("plan", one_broken.root, "--json")
    assert as_json.status == 0
    assert [target["dockerfile"] for target in as_json.json["targets"]] == ["Dockerfile", "api/Dockerfile"]


def test_the_one_that_is_asked_for_decides(one_broken: Sandbox, phasewise: Phasewise) -> None:
    assert phasewise("plan", one_broken.root, "--dockerfile", "api/Dockerfile").status == 3
    called = phasewise("plan", one_broken.root, "--dockerfile", "Dockerfile")
    assert (called.status, called.stderr) == (0, "")


def test_several_are_all_named(one_broken: Sandbox, phasewise: Phasewise) -> None:
    one_broken.commit(Dockerfile=f"# mine\n{BROKEN}")
    called = phasewise("plan", one_broken.root)
    assert called.status == 3
    assert f"Dockerfile:3: {SAID}; api/Dockerfile:2: {SAID}" in called.stderr


def test_a_stage_that_is_not_there_is_still_a_slip_of_the_call(
    sandbox: Sandbox, phasewise: Phasewise
) -> None:
    sandbox.commit(Dockerfile=DOCKERFILE)
    assert phasewise("plan", sandbox.root, "--target", "final").status == 2
