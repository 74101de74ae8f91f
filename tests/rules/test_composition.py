"""Any subset of the phases in any legal order: it parses, and planning again proposes nothing that was applied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import dockerfile as buildkit
import pytest
from came_built import measured
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stories import bahr, bot_core, phentrieve, truthgraph

from phasewise.cli.demo.create import create as create_demo
from phasewise.migration.board import order_refusal
from phasewise.migration.git import Repository
from phasewise.migration.planning import Wishes, make_plan, rule_of
from phasewise.migration.scan import scan, view
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.discovery import all_rules

REPOSITORIES = {
    "demo": create_demo,
    "bahr": bahr.create,
    "bot_core": bot_core.create,
    "phentrieve": phentrieve.create,
    "truthgraph": truthgraph.create,
}
MEASURED = {"bahr, measured": "bahr", "bot_core, measured": "bot_core", "truthgraph, measured": "truthgraph"}
"""With a census, in which every package came built: rules that need one join in."""
RULES = [rule.id for rule in all_rules()]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RepoView]:
    """Each repository as it is before any phase."""
    views = {}
    for name, create in REPOSITORIES.items():
        repository = Repository.open(create(tmp_path_factory.mktemp("composition") / name))
        views[name] = view(repository, "HEAD", scan(repository, "HEAD")[0])
    return {**views, **{name: measured(views[other]) for name, other in MEASURED.items()}}


def applied(seen: RepoView, order: Sequence[str]) -> tuple[RepoView, list[str]]:
    """The view after those phases of `order` that apply when it is their turn, and which those were."""
    done: list[str] = []
    for id in order:
        rule = rule_of(id)
        assert rule is not None
        answer = rule.propose(seen, {})
        if isinstance(answer, Phase) and not order_refusal(answer, frozenset(done)):
            # Each is committed before the next one is proposed.
            seen = replace(seen.with_edits(answer.edits), original=None)
            done.append(id)
    return seen, done


def check(before: RepoView, after: RepoView, done: Sequence[str]) -> None:
    text = after.files[after.target.dockerfile]
    stages = {stage.name for stage in Dockerfile.parse(text).stages}
    assert {stage.name for stage in before.dockerfile.stages if stage.name} <= stages
    assert buildkit.parse_string(text)
    # What was left out stays so: the strip would bring an install of binutils, which wants mounts again.
    again = {phase.id for phase in make_plan(after, Wishes(skipped=frozenset(RULES).difference(done))).phases}
    assert not again & set(done), (done, sorted(again), text)


def brought_up(seen: RepoView, done: Sequence[str]) -> tuple[RepoView, list[str]]:
    """The view after the CI variant was brought up to what phases behind it changed in production."""
    after, more = applied(seen, ["refresh_ci_variant"] if "add_ci_variant" in done else [])
    return after, [*done, *more]


@pytest.mark.parametrize("name", [*REPOSITORIES, *MEASURED])
def test_any_subset_parses_and_is_final(name: str, start: dict[str, RepoView]) -> None:
    ids = [phase.id for phase in make_plan(start[name], Wishes()).phases if phase.risk is not Risk.ASK]
    # All, all but one, and pairs: each way in which two phases can meet without a third between them.
    subsets = {
        frozenset(ids),
        *map(frozenset, combinations(ids, len(ids) - 1)),
        *map(frozenset, combinations(ids, 2)),
    }
    for chosen in subsets:
        after, done = applied(start[name], [id for id in RULES if id in chosen])
        check(start[name], after, done)


@given(
    name=st.sampled_from(sorted([*REPOSITORIES, *MEASURED])),
    order=st.lists(st.sampled_from(RULES), unique=True),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_legal_order_parses_and_is_final(name: str, order: list[str], start: dict[str, RepoView]) -> None:
    after, done = brought_up(*applied(start[name], order))
    check(start[name], after, done)


def test_a_variant_that_came_first_follows_what_comes_after(start: dict[str, RepoView]) -> None:
    others = [id for id in RULES if id not in ("add_ci_variant", "refresh_ci_variant")]
    after, done = applied(start["demo"], ["add_ci_variant", *others])
    assert len(done) > 2
    assert [phase.id for phase in make_plan(after, Wishes()).phases] == ["refresh_ci_variant"]
    settled, done = brought_up(after, done)
    assert done[-1] == "refresh_ci_variant"
    check(start["demo"], settled, done)
    assert not make_plan(settled, Wishes()).phases


@pytest.mark.parametrize("name", [*REPOSITORIES, *MEASURED])
def test_rules_of_the_same_order_are_free_of_each_other(name: str, start: dict[str, RepoView]) -> None:
    """The plan sorts them by what they save: whichever way round, the same phases, and nothing left over."""
    upright = all_rules()
    turned = tuple(sorted(upright, key=lambda rule: (rule.order, -upright.index(rule))))
    assert turned != upright
    plan = make_plan(start[name], Wishes(), rules=turned)
    assert {phase.id for phase in plan.phases} == {
        phase.id for phase in make_plan(start[name], Wishes()).phases
    }
    seen = start[name]
    for phase in plan.phases:
        seen = seen.with_edits(phase.edits if phase.risk is not Risk.ASK else ())
    assert buildkit.parse_string(seen.files[seen.target.dockerfile])
    left = {phase.id for phase in make_plan(seen, Wishes()).phases if phase.risk is not Risk.ASK}
    assert not left & {phase.id for phase in plan.phases}
