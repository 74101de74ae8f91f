"""The JSON of `phasewise plan` is a public contract: what it holds, of which types, and nothing else on stdout."""

from typing import Any

import pytest
from calling import Phasewise
from git_sandbox import Sandbox

from phasewise.migration import ledger
from phasewise.migration.git import Repository
from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.repo import Target

TEXT, NUMBER, LIST = str, int, list
PLAN = {"repo": TEXT, "head": TEXT, "targets": LIST}
TARGET = {
    "dockerfile": TEXT,
    "stage": (TEXT, None),
    "context": TEXT,
    "phases": LIST,
    "declined": LIST,
    "shared": LIST,
    "floor": (dict, None),
    "goal": (dict, None),
}
PHASE = {
    "id": TEXT,
    "title": TEXT,
    "why": TEXT,
    "risk": TEXT,
    "files": LIST,
    "diff": TEXT,
    "predicted": dict,
    "evidence": LIST,
    "needs": LIST,
    "excludes": LIST,
    "costs": TEXT,
    "affects": LIST,
    "hunks": LIST,
    "choices": LIST,
}
HUNK = {
    "path": TEXT,
    "number": NUMBER,
    "id": TEXT,
    "line": NUMBER,
    "removed": LIST,
    "added": LIST,
    "ticked": bool,
}
PREDICTED = {"image_bytes": (NUMBER, None), "because": TEXT}
EVIDENCE = {
    "path": TEXT,
    "line": NUMBER,
    "text": TEXT,
    "commit": (TEXT, None),
    "author": (TEXT, None),
    "date": (TEXT, None),
    "subject": (TEXT, None),
    "on_default_branch": (bool, None),
}
DECLINED = {"id": TEXT, "reason": TEXT}
FLOOR = {
    "now_bytes": (NUMBER, None),
    "planned_bytes": NUMBER,
    "image_bytes": NUMBER,
    "base_bytes": (NUMBER, None),
    "application_bytes": (NUMBER, None),
    "packages": LIST,
    "with": LIST,
}
PACKAGE = {"name": TEXT, "kind": TEXT, "bytes": NUMBER, "needed_by": LIST}
GOAL = {
    "image_bytes": NUMBER,
    "reachable": bool,
    "over_bytes": NUMBER,
    "with": LIST,
    "packages": LIST,
    "short_bytes": NUMBER,
    "base_bytes": (int, None),
}


@pytest.fixture
def plan(sandbox: Sandbox, phasewise: Phasewise) -> Any:
    called = phasewise("plan", sandbox.root, "--json")
    assert called.status == 0
    return called.json


def check(record: dict[str, Any], shape: dict[str, Any]) -> None:
    assert list(record) == list(shape)
    for key, kinds in shape.items():
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        assert record[key] is None if None in kinds and record[key] is None else type(record[key]) in kinds


def test_every_key_and_type(plan: Any) -> None:
    check(plan, PLAN)
    (target,) = plan["targets"]
    check(target, TARGET)
    assert target["phases"]
    assert target["declined"]
    for phase in target["phases"]:
        check(phase, PHASE)
        check(phase["predicted"], PREDICTED)
        assert phase["hunks"]
        for hunk in phase["hunks"]:
            check(hunk, HUNK)
        assert phase["evidence"]
        for evidence in phase["evidence"]:
            check(evidence, EVIDENCE)
    for declined in target["declined"]:
        check(declined, DECLINED)


def test_what_it_says(plan: Any, sandbox: Sandbox) -> None:
    assert plan["repo"] == str(sandbox.root)
    assert plan["head"] == sandbox.head()
    (target,) = plan["targets"]
    phase = next(phase for phase in target["phases"] if phase["id"] == "drop_compileall")
    assert phase["risk"] == "safe"
    assert phase["files"] == ["Dockerfile"]
    assert phase["diff"].startswith("--- a/Dockerfile\n+++ b/Dockerfile\n@@ ")
    assert phase["predicted"]["image_bytes"] is None
    evidence = phase["evidence"][0]
    assert (evidence["path"], evidence["line"]) == ("Dockerfile", 3)
    assert evidence["text"] == "RUN python -m compileall ."
    assert (evidence["commit"], evidence["author"]) == (sandbox.head(), "Ada")
    assert evidence["subject"] == "start"


def test_the_diff_applies(plan: Any, sandbox: Sandbox) -> None:
    (target,) = plan["targets"]
    for phase in target["phases"]:
        sandbox.git("apply", "--index", stdin=phase["diff"].encode())
        sandbox.git("commit", "--quiet", "--message", phase["id"])


def test_every_target_is_planned(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit("another", **{"api/Dockerfile": "FROM python:3.12\nRUN python -m compileall /srv\n"})
    targets = phasewise("plan", sandbox.root, "--json").json["targets"]
    assert {target["dockerfile"] for target in targets} == {"Dockerfile", "api/Dockerfile"}
    only = phasewise("plan", sandbox.root, "--json", "--dockerfile", "./api/Dockerfile").json["targets"]
    assert [target["dockerfile"] for target in only] == ["api/Dockerfile"]


def test_the_same_data_in_status_and_report(sandbox: Sandbox, phasewise: Phasewise) -> None:
    phasewise("apply", "drop_compileall", "-C", sandbox.root)
    status = phasewise("status", sandbox.root, "--json").json
    assert status == phasewise("report", sandbox.root, "--format", "json").json
    row = next(row for row in status["phases"] if row["id"] == "drop_compileall")
    assert row["commit"] == sandbox.head()
    assert row["measurement"] is None


def record_census(sandbox: Sandbox) -> None:
    """As if the baseline had been built: 150 bytes of base, 450 of torch, 300 of bytecode nobody reads."""
    census = Census(
        1000,
        (
            Layer("", 150),
            Layer("WORKDIR /srv", 0),
            Layer("RUN /bin/sh -c python -m compileall -b /srv # buildkit", 850),
        ),
        1000,
        (Distribution("torch", "2.4.1", "/opt/venv/lib/python3.12/site-packages", 450),),
        legacy_bytecode_bytes={"/srv": 300},
    )
    ledger.record_census(Repository.open(sandbox.root), sandbox.head(), Target("Dockerfile"), census)


def test_the_floor_and_a_goal_below_it(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit(
        "bytecode", Dockerfile="FROM python:3.12\nWORKDIR /srv\nRUN python -m compileall -b /srv\n"
    )
    assert phasewise("plan", sandbox.root, "--json").json["targets"][0]["floor"] is None
    early = phasewise("plan", sandbox.root, "--goal", "500MB")
    assert "known once the baseline is built" in early.stdout
    record_census(sandbox)
    (target,) = phasewise("plan", sandbox.root, "--json", "--goal", "500B").json["targets"]
    check(target, TARGET)
    check(target["floor"], FLOOR)
    assert target["floor"]["planned_bytes"] == target["floor"]["image_bytes"] == 700
    assert (target["floor"]["now_bytes"], target["floor"]["base_bytes"]) == (None, 150)
    (torch,) = target["floor"]["packages"]
    check(torch, PACKAGE)
    assert (torch["name"], torch["bytes"]) == ("torch", 450)
    check(target["goal"], GOAL)
    assert (target["goal"]["reachable"], target["goal"]["over_bytes"]) == (False, 200)
    assert target["goal"]["packages"] == [torch]
    assert target["goal"]["base_bytes"] is None
    said = phasewise("plan", sandbox.root, "--goal", "500 B").stdout
    assert (
        "Floor: 700 B predicted. No phase removes the base image (150 B) and torch (450 B). 100 B are in no package."
        in said
    )
    assert (
        "Goal 500 B: unreachable, the floor is 200 B above it.\nThese would have to go: torch (450 B)."
        in said
    )
    unreachable = phasewise("plan", sandbox.root, "--goal", "100 B")
    assert "Goal 100 B: unreachable" in unreachable.stdout
    assert "The base image alone has 150 B" in unreachable.stdout
    assert unreachable.status == 0, "the plan was made: no status of the contract says otherwise"
    (target,) = phasewise("plan", sandbox.root, "--json", "--goal", "100B").json["targets"]
    assert (target["goal"]["reachable"], target["goal"]["base_bytes"]) == (False, 150)
    assert "Floor: 700 B predicted." in phasewise("report", sandbox.root).stdout
    assert phasewise("plan", sandbox.root, "--goal", "small").status == 2


def test_an_applied_phase_that_was_not_measured_still_counts(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit(
        "bytecode", Dockerfile="FROM python:3.12\nWORKDIR /srv\nRUN python -m compileall -b /srv\n"
    )
    record_census(sandbox)
    phasewise("apply", "drop_compileall", "-C", sandbox.root)
    (target,) = phasewise("plan", sandbox.root, "--json").json["targets"]
    assert target["floor"]["image_bytes"] == 700


def test_the_declared_budget_is_the_goal(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit(
        "bytecode",
        Dockerfile="FROM python:3.12\nWORKDIR /srv\nRUN python -m compileall -b /srv\n",
        **{"phasewise.toml": '[size_budget_bytes]\n"Dockerfile" = 699\n'},
    )
    record_census(sandbox)
    (target,) = phasewise("plan", sandbox.root, "--json").json["targets"]
    assert (target["goal"]["image_bytes"], target["goal"]["over_bytes"]) == (699, 1)
    assert "Goal 699 B: unreachable" in phasewise("status", sandbox.root).stdout
    (target,) = phasewise("plan", sandbox.root, "--json", "--goal", "1kB").json["targets"]
    assert target["goal"]["reachable"]
    sandbox.commit("broken", **{"phasewise.toml": "size_budget_bytes = 3"})
    assert phasewise("plan", sandbox.root, "--json").json["targets"][0]["goal"] is None


def test_a_phase_without_some_of_its_hunks_promises_nothing(sandbox: Sandbox, phasewise: Phasewise) -> None:
    twice = (
        "FROM python:3.12\nRUN python -m compileall -b /srv\nENV A=1\nRUN python -m compileall -b /srv/app\n"
    )
    sandbox.commit("bytecode", Dockerfile=twice)
    record_census(sandbox)
    phasewise("apply", "strip_symbols", "-C", sandbox.root, "--without", "drop_compileall:Dockerfile:1")
    floor = phasewise("plan", sandbox.root, "--json").json["targets"][0]["floor"]
    assert (floor["planned_bytes"], floor["image_bytes"]) == (1000, 700)
