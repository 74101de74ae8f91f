"""Each phase is computed on the text that the earlier ones leave."""

import pytest

from phasewise.migration.planning import Wishes, make_plan, rule_of, ticked
from phasewise.model.phase import Declined, Evidence, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView, Target
from phasewise.rules.base import Picks, Rule


class Appending(Rule):
    """Appends a line with its own name, once."""

    title, risk, FIRES, SILENT = "append", Risk.SAFE, (), ()

    def __init__(self, name: str, risk: Risk = Risk.SAFE) -> None:
        self.name, self.risk = name, risk

    @property
    def id(self) -> str:
        return self.name

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        text = view.files["Dockerfile"]
        if self.name in text:
            return self.declined("done")
        edits = (FileEdit("Dockerfile", text, f"{text}# {self.name}\n"), FileEdit("other", None, self.name))
        return Phase(self.name, self.title, "why", edits, (Evidence("Dockerfile", 1, "FROM a"),), self.risk)


VIEW = RepoView(Target("Dockerfile"), {"Dockerfile": "FROM a\n"}, frozenset({"Dockerfile"}))


def after(phase: Phase) -> str | None:
    return phase.edits[0].after


def test_later_phases_see_earlier_ones() -> None:
    plan = make_plan(VIEW, Wishes(), rules=(Appending("one"), Appending("two")))
    assert [after(phase) for phase in plan.phases] == ["FROM a\n# one\n", "FROM a\n# one\n# two\n"]


def test_skipped_and_asking_phases_leave_no_trace() -> None:
    rules = (Appending("one"), Appending("asks", Risk.ASK), Appending("two"))
    plan = make_plan(VIEW, Wishes(skipped=frozenset({"one"})), rules=rules)
    assert [phase.id for phase in plan.phases] == ["one", "asks", "two"]
    assert after(plan.phases[2]) == "FROM a\n# two\n"


def test_a_rule_that_fires_again_gets_a_suffix() -> None:
    plan = make_plan(VIEW, Wishes(), frozenset({"one"}), rules=(Appending("one"),))
    assert [phase.id for phase in plan.phases] == ["one_2"]


def test_declined_rules_are_listed_with_their_reason() -> None:
    view = RepoView(Target("Dockerfile"), {"Dockerfile": "FROM a # one\n"}, frozenset())
    plan = make_plan(view, Wishes(), rules=(Appending("one"),))
    assert plan.phases == ()
    assert [(declined.id, declined.reason) for declined in plan.declined] == [("one", "done")]


def test_a_file_that_is_not_ticked_is_left_out_and_never_all_of_them() -> None:
    (phase,) = make_plan(VIEW, Wishes(), rules=(Appending("one"),)).phases
    assert ticked(phase, Wishes(unticked={"one": frozenset({"other"})})).files == ("Dockerfile",)
    both = Wishes(unticked={"one": frozenset({"other", "Dockerfile"})})
    assert ticked(phase, both).files == ("Dockerfile", "other")


def test_a_dockerfile_that_does_not_parse_is_a_reason() -> None:
    view = RepoView(Target("Dockerfile"), {"Dockerfile": "RUN x\n"}, frozenset({"Dockerfile"}))
    plan = make_plan(view, Wishes())
    assert plan.phases == ()
    assert all("Dockerfile:1" in declined.reason for declined in plan.declined)


@pytest.mark.parametrize("id", ["drop_compileall", "drop_compileall_2"])
def test_the_rule_behind_an_id(id: str) -> None:
    rule = rule_of(id)
    assert rule is not None
    assert rule.id == "drop_compileall"


def test_no_rule_behind_an_id() -> None:
    assert rule_of("no_such_rule") is None
