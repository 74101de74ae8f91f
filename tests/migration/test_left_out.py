"""What was left out of a phase stays out: in its commit, on another clone, and when it is planned again."""

import shutil
from pathlib import Path

import pytest
from git_sandbox import Sandbox

from phasewise.migration.errors import Refused
from phasewise.migration.session import Session
from phasewise.model.hunks import hunks
from phasewise.model.phase import Declined, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.base import Picks, Rule

BEFORE = "FROM a\nRUN one\nRUN two\nENV A=1\nENV B=1\nRUN three\nENV C=1\nRUN four\nCMD x\n"


class Replacing(Rule):
    """Replaces lines of the Dockerfile by others."""

    title, risk, FIRES, SILENT = "replace", Risk.SAFE, (), ()

    def __init__(self, name: str, order: int, **lines: str) -> None:
        self.name, self.order, self.lines = name, order, lines  # type: ignore[misc]

    @property
    def id(self) -> str:
        return self.name

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        text = after = view.files["Dockerfile"]
        for old, new in self.lines.items():
            after = after.replace(f"RUN {old}\n", f"RUN {new}\n")
        if text == after:
            return self.declined("done")
        return Phase(self.id, self.title, "why", (FileEdit("Dockerfile", text, after),), (), self.risk)


RULES = (Replacing("first", 10, one="1"), Replacing("second", 20, two="2", three="3", four="4"))


def text(root: Path) -> str:
    return (root / "Dockerfile").read_text()


@pytest.fixture
def applied(sandbox: Sandbox) -> Session:
    """Both phases, the second without its last two hunks."""
    sandbox.commit("start", Dockerfile=BEFORE)
    session = Session.open(sandbox.root, rules=RULES)
    second = session.plan().phase("second")
    assert second is not None
    session.tick_hunks("second", "Dockerfile", [hunk.id for hunk in hunks(second.edits[0])[1:]], False)
    for id in ("first", "second"):
        list(session.apply(id, measure=False))
    return session


def test_the_commit_has_the_rest_and_the_plan_asks_again(applied: Session) -> None:
    assert text(applied.repository.root) == BEFORE.replace("RUN one", "RUN 1").replace("RUN two", "RUN 2")
    rest = applied.plan().phase("second_2")
    assert rest is not None
    assert [hunk.added for hunk in hunks(rest.edits[0])] == [("RUN 3\n",), ("RUN 4\n",)]
    assert applied.left_out() == {"second_2": {}}


def test_another_clone_plans_again_without_it(applied: Session, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(applied.repository.root, clone, symlinks=True)
    shutil.rmtree(clone / ".git" / "phasewise")
    session = Session.open(clone, rules=RULES)
    assert session.later_than("first") == ("second",), "their lines touch"
    list(session.rollback("first", measure=False))
    assert text(clone) == BEFORE.replace("RUN two", "RUN 2")
    assert set(session.applied()) == {"second"}
    list(session.rollback("second", measure=False))
    assert text(clone) == BEFORE
    list(session.apply("second", measure=False))
    assert "RUN 3" in text(clone), "taken back and applied anew, it is whole unless the user says otherwise"


def test_a_refused_tick_is_not_remembered(applied: Session) -> None:
    rest = applied.plan().phase("second_2")
    assert rest is not None
    one, other = hunks(rest.edits[0])
    applied.tick_hunks("second_2", "Dockerfile", [one.id], False)
    with pytest.raises(Refused, match="at least one change"):
        applied.tick_hunks("second_2", "Dockerfile", [other.id], False)
    with pytest.raises(Refused, match="at least one change"):
        applied.tick("second_2", "Dockerfile", False)
    assert applied.left_out() == {"second_2": {"Dockerfile": frozenset({one.id})}}
    (row,) = [row for row in applied.status().rows if row.id == "second_2"]
    assert row.left_out == {"Dockerfile": frozenset({one.id})}
