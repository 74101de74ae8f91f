"""Any subset of the phases, one after the other: it parses, and planning again proposes nothing that was applied."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import dockerfile as buildkit
import pytest
from stories import bahr, bot_core, phentrieve, truthgraph

from phasewise.cli.demo.create import create as create_demo
from phasewise.migration.git import Repository
from phasewise.migration.planning import Wishes, make_plan
from phasewise.migration.scan import scan, view
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Risk
from phasewise.rules.discovery import all_rules

REPOSITORIES = {
    "demo": create_demo,
    "bahr": bahr.create,
    "bot_core": bot_core.create,
    "phentrieve": phentrieve.create,
    "truthgraph": truthgraph.create,
}


@pytest.mark.parametrize("name", REPOSITORIES)
def test_any_subset_parses_and_is_final(name: str, tmp_path: Path) -> None:
    repository = Repository.open(REPOSITORIES[name](tmp_path / name))
    start = view(repository, "HEAD", scan(repository, "HEAD")[0])
    ids = [phase.id for phase in make_plan(start, Wishes()).phases if phase.risk is not Risk.ASK]
    # All, all but one, and pairs: each way in which two phases can meet without a third between them.
    subsets = {
        frozenset(ids),
        *map(frozenset, combinations(ids, len(ids) - 1)),
        *map(frozenset, combinations(ids, 2)),
    }
    for chosen in subsets:
        seen = start
        for rule in all_rules():
            if rule.id in chosen:
                answer = rule.propose(seen, {})
                seen = seen.with_edits(getattr(answer, "edits", ()))
        text = seen.files[seen.target.dockerfile]
        Dockerfile.parse(text)
        assert buildkit.parse_string(text)
        again = {phase.id for phase in make_plan(seen, Wishes()).phases}
        assert not again & chosen, (sorted(chosen), sorted(again))
