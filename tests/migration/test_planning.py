"""Each phase is computed on the text that the earlier ones leave."""

import pytest

from phasewise.migration.ledger import Applied
from phasewise.migration.planning import (
    Wishes,
    left_out,
    make_plan,
    objection,
    recorded_wishes,
    rule_of,
    ticked,
)
from phasewise.model.hunks import hunks
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
    assert "skip the whole phase" in objection(phase, both)


class Rewriting(Rule):
    """Names the first stage, and adds one that copies from it: two hunks, the second needs the first."""

    title, risk, FIRES, SILENT = "rewrite", Risk.SAFE, (), ()

    @property
    def id(self) -> str:
        return "rewriting"

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        text = view.files["Dockerfile"]
        after = text.replace("FROM a\n", "FROM a AS one\n").replace(
            "CMD", "FROM b\nCOPY --from=one / /x\nCMD"
        )
        if text == after or "FROM b" in text:
            return self.declined("done")
        return Phase(self.id, self.title, "why", (FileEdit("Dockerfile", text, after),), (), self.risk)


TWO = RepoView(Target("Dockerfile"), {"Dockerfile": "FROM a\nENV A=1\nCMD x\n"}, frozenset({"Dockerfile"}))


def test_the_rest_is_planned_on_what_the_ticked_hunks_leave() -> None:
    (phase,) = make_plan(TWO, Wishes(), rules=(Rewriting(),)).phases
    copied = hunks(phase.edits[0])[1]
    wishes = Wishes().ticking_hunks("rewriting", "Dockerfile", [copied.id], False)
    plan = make_plan(TWO, wishes, rules=(Rewriting(), Appending("two")))
    assert plan.phases[0].edits == phase.edits, (
        "the proposal stays whole, so that the hunk can be ticked again"
    )
    assert after(plan.phases[1]) == "FROM a AS one\nENV A=1\nCMD x\n# two\n"
    assert left_out(phase, wishes) == {"Dockerfile": frozenset({copied.id})}
    again = wishes.ticking_hunks("rewriting", "Dockerfile", [copied.id], True)
    assert left_out(phase, again) == {}
    assert ticked(phase, again).edits == phase.edits


def test_a_part_that_cannot_stand_alone_is_objected_to() -> None:
    (phase,) = make_plan(TWO, Wishes(), rules=(Rewriting(),)).phases
    named, copied = hunks(phase.edits[0])
    without_name = Wishes().ticking_hunks("rewriting", "Dockerfile", [named.id], False)
    assert (
        objection(phase, without_name)
        == "without that, Dockerfile:4 would need the stage one, which is not above it"
    )
    nothing = without_name.ticking_hunks("rewriting", "Dockerfile", [copied.id], False)
    assert "skip the whole phase" in objection(phase, nothing)
    assert objection(phase, Wishes()) == ""
    stale = Wishes().ticking_hunks("rewriting", "Dockerfile", ["0123456789"], False)
    assert objection(phase, stale) == ""
    assert left_out(phase, stale) == {}
    assert ticked(phase, stale).edits == phase.edits


def test_what_commits_record_counts_until_the_user_decides() -> None:
    entry = Applied("one", "c" * 40, "s", {}, left_out={"a": frozenset(), "b": frozenset({"1"})})
    wishes = recorded_wishes(Wishes(), [entry], rules=(Appending("one"),))
    assert wishes.unticked == {"one": frozenset({"a"})}
    assert wishes.left_out == {"one": {"b": frozenset({"1"})}}
    own = Wishes(unticked={"one": frozenset()}, left_out={"one": {}})
    assert recorded_wishes(own, [entry], rules=(Appending("one"),)).left_out == {"one": {}}


def test_a_dockerfile_that_does_not_parse_is_a_reason() -> None:
    view = RepoView(Target("Dockerfile"), {"Dockerfile": "RUN x\n"}, frozenset({"Dockerfile"}))
    plan = make_plan(view, Wishes())
    assert plan.phases == ()
    others = {declined.id for declined in plan.declined if "Dockerfile:1" not in declined.reason}
    assert others <= {"multi_platform", "refresh_ci_variant"}, "they look for something else first"


@pytest.mark.parametrize("id", ["drop_compileall", "drop_compileall_2"])
def test_the_rule_behind_an_id(id: str) -> None:
    rule = rule_of(id)
    assert rule is not None
    assert rule.id == "drop_compileall"


def test_no_rule_behind_an_id() -> None:
    assert rule_of("no_such_rule") is None


def test_a_later_phase_names_the_committed_lines() -> None:
    class Prepending(Appending):
        def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
            text = view.files["Dockerfile"]
            line = text.split("\n").index("FROM a") + 1
            edits = (FileEdit("Dockerfile", text, f"# {self.name}\n{text}"),)
            return Phase(
                self.name, "", f"Line {line}.", edits, (view.evidence("Dockerfile", line),), self.risk
            )

    plan = make_plan(VIEW, Wishes(), rules=(Prepending("one"), Prepending("two")))
    assert [(phase.why, phase.evidence[0].line) for phase in plan.phases] == [("Line 1.", 1)] * 2
