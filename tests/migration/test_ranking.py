"""Dependencies decide the order; among rules that are free of each other, what they save for their risk."""

from pathlib import Path

from git_sandbox import Sandbox

from phasewise.migration import ledger
from phasewise.migration.ranking import ranked
from phasewise.migration.session import Session
from phasewise.model.census import Census
from phasewise.model.phase import Declined, FileEdit, Phase, Plan, Prediction, Risk
from phasewise.model.repo import RepoView, Target
from phasewise.rules.base import Picks, Rule


class Saving(Rule):
    """Adds a file of its own, and says that it saves something where a census is there."""

    title, FIRES, SILENT = "save", (), ()

    def __init__(self, name: str, order: int, saves: int | None, risk: Risk = Risk.SAFE) -> None:
        self.name, self.saves, self.order, self.risk = name, saves, order, risk  # type: ignore[misc]

    @property
    def id(self) -> str:
        return self.name

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        if self.name in view.files:
            return self.declined("done")
        return self.phase(self.saves if view.census else None)

    def phase(self, saves: int | None) -> Phase:
        predicted = Prediction(None if saves is None else -saves)
        return Phase(self.id, "t", "why", (FileEdit(self.name, None, "x"),), (), self.risk, predicted)


RULES = (
    Saving("early", 5, 1),
    Saving("asks", 30, 9000, Risk.ASK),
    Saving("big_but_risky", 30, 190, Risk.CHECK),
    Saving("middle", 30, 100),
    Saving("small", 30, 10),
    Saving("unknown", 30, None),
    Saving("late", 40, 5000),
)


def ids(rules: tuple[Rule, ...]) -> list[str]:
    return [rule.id for rule in rules]


def test_gain_per_risk_decides_among_equals_only() -> None:
    plan = Plan(tuple(rule.phase(rule.saves) for rule in RULES), ())
    assert ids(ranked(RULES, plan)) == [
        "early",
        "middle",
        "big_but_risky",
        "small",
        "unknown",
        "asks",
        "late",
    ]


def test_without_a_figure_the_ids_decide() -> None:
    assert ids(ranked(RULES, Plan((), ()))) == [
        "early",
        "big_but_risky",
        "middle",
        "small",
        "unknown",
        "asks",
        "late",
    ]


def test_the_census_of_the_baseline_decides_once(sandbox: Sandbox, tmp_path: Path) -> None:
    rules = (Saving("a", 30, 1), Saving("b", 30, 2), Saving("c", 30, 3))

    def shown(session: Session) -> list[str]:
        return [row.id for row in session.status().rows]

    session = Session.open(sandbox.root, rules=rules)
    assert shown(session) == ["a", "b", "c"], "nothing is known yet"
    ledger.record_census(session.repository, sandbox.head(), Target("Dockerfile"), Census(9, (), 9))
    assert shown(session) == ["c", "b", "a"]
    assert [phase.id for phase in session.plan().phases] == ["c", "b", "a"]
    for id in ("b", "c"):
        list(session.apply(id, measure=False))
        assert shown(session) == ["c", "b", "a"], "no row jumps"
    list(session.rollback("b", measure=False))
    session.skip("a", True)
    assert shown(Session.open(sandbox.root, rules=rules)) == ["c", "b", "a"]
