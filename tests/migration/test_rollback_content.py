"""Rolling back any one phase leaves each file with the text that it would have had without that phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from git_sandbox import Sandbox
from stories import bahr, truthgraph

from phasewise.cli.demo.create import create as create_demo
from phasewise.migration.errors import Refused
from phasewise.migration.planning import rule_of
from phasewise.migration.scan import view
from phasewise.migration.session import Session
from phasewise.model.phase import Phase
from phasewise.rules.discovery import all_rules

RULES = [rule.id for rule in all_rules()]


def migrate(sandbox: Sandbox, order: Sequence[str]) -> Session:
    """A session on the repository with those phases applied that apply when it is their turn."""
    session = Session.open(sandbox.root)
    for id in order:
        try:
            list(session.apply(id, measure=False))
        except Refused:
            continue
    return session


def expected(session: Session, start: str, order: Sequence[str]) -> Mapping[str, str]:
    """The text of each file after the phases of `order`, with no commit made."""
    seen = view(session.repository, start, session.target)
    for id in order:
        rule = rule_of(id)
        assert rule is not None
        answer = rule.propose(seen, {})
        if isinstance(answer, Phase):
            seen = seen.with_edits(answer.edits)
    return dict(seen.files)


@pytest.mark.parametrize(
    ("create", "step"),
    [(create_demo, 1), (bahr.create, 1), (truthgraph.create, -1)],
    ids=["demo, as planned", "bahr, as planned", "truthgraph, the other way round"],
)
def test_as_if_it_had_never_been(create: Callable[[Path], Path], step: int, tmp_path: Path) -> None:
    sandbox = Sandbox(create(tmp_path / "repository"))
    start = sandbox.head()
    session = migrate(sandbox, RULES[::step])
    everything, applied = sandbox.head(), session.applied()
    assert len(applied) > 2
    for id in applied[:-1]:
        list(session.rollback(id, measure=False))
        assert id not in session.applied()
        others = [other for other in applied if other != id]
        assert dict(session.repository.files("HEAD")) == expected(session, start, others), id
        sandbox.git("reset", "--quiet", "--hard", everything)
        session = Session.open(sandbox.root)
