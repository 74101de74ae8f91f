"""tally and hadolint on every story before and after all phases: no new finding, or the rule's page says why."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from came_built import measured
from msgspec import Struct
from story_runs import REPOSITORIES

from phasewise.migration.git import Repository
from phasewise.migration.planning import Wishes, make_plan
from phasewise.migration.scan import scan, view
from phasewise.model.phase import Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.discovery import all_rules
from phasewise.rules.page import documentation

EXPLAINED: dict[str, set[str]] = {
    "DL3008": {"split_base_builder"},
    "tally/max-lines": {"strip_symbols", "prune_site_packages"},
    "tally/newline-between-instructions": {"split_base_builder", "effective_cleanup"},
    "tally/prefer-package-cache-mounts": {"split_base_builder"},
    "tally/prefer-run-heredoc": {"split_base_builder", "strip_symbols"},
    "tally/sort-packages": {"split_base_builder"},
}
"""The rules behind which a linter may say a code more often than before; the page of each names the code."""


class Linted(Struct, frozen=True):
    """How often the linters said each code, and of which phases that is the work."""

    phases: frozenset[str]
    before: Counter[str]
    after: Counter[str]
    added: dict[str, Counter[str]]
    """By Dockerfile that a phase added."""

    def unexplained(self, found: Counter[str], known: Counter[str]) -> Counter[str]:
        """What was found more often than known, without a phase that may cause it."""
        return Counter(
            {code: n for code, n in (found - known).items() if not EXPLAINED.get(code, set()) & self.phases}
        )


@pytest.fixture(scope="module", params=REPOSITORIES)
def linted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Linted:
    place: Path = REPOSITORIES[request.param].create(tmp_path_factory.mktemp("linted") / request.param)
    repository = Repository.open(place)
    start = measured(view(repository, "HEAD", scan(repository, "HEAD")[0]))
    phases = [phase for phase in make_plan(start, Wishes()).phases if phase.risk is not Risk.ASK]
    own = start.target.dockerfile
    before = findings(place, start, [own])[own]
    after = findings(place, start, [own, *(path for phase in phases for path in write(phase, place))])
    return Linted(frozenset(phase.id for phase in phases), before, after.pop(own), after)


def write(phase: Phase, place: Path) -> list[str]:
    """Puts the phase's files into the work tree; the Dockerfiles among them that are new."""
    for edit in phase.edits:
        if edit.after is None:
            (place / edit.path).unlink()
        else:
            (place / edit.path).parent.mkdir(parents=True, exist_ok=True)
            (place / edit.path).write_text(edit.after, encoding="utf-8", newline="")
    return [edit.path for edit in phase.edits if edit.before is None and is_dockerfile(edit.path)]


def is_dockerfile(path: str) -> bool:
    name = path.rpartition("/")[2]
    return "Dockerfile" in name and not name.endswith(".dockerignore")


def findings(place: Path, seen: RepoView, paths: list[str]) -> dict[str, Counter[str]]:
    """The codes that both linters say of each Dockerfile; tally's begin with its name."""
    context = ["--context", seen.target.context]
    said = json.loads(run(place, "tally", "lint", "--format=json", "--no-config", *OFFLINE, *context, *paths))
    found = {path: Counter[str]() for path in paths}
    for file in said["files"]:
        found[file["file"]].update(
            f"tally/{each['rule'].removeprefix('tally/')}" for each in file["violations"]
        )
    for each in json.loads(run(place, "hadolint", "--no-fail", "--format=json", *paths)):
        found[each["file"]][each["code"]] += 1
    return found


OFFLINE = ("--slow-checks=off", "--fail-level=none")


def run(place: Path, program: str, *words: str) -> str:
    command = [str(Path(sys.executable).with_name(program)), *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout


def test_both_linters_have_something_to_say(linted: Linted) -> None:
    assert any(code.startswith("tally/") for code in linted.before)
    assert any(code.startswith("DL") for code in linted.before)


def test_no_finding_that_was_not_there(linted: Linted) -> None:
    assert linted.unexplained(linted.after, linted.before) == Counter()


def test_no_finding_in_what_is_added_that_is_not_in_the_whole(linted: Linted) -> None:
    for path, found in linted.added.items():
        assert linted.unexplained(found, linted.after) == Counter(), path


def test_the_page_says_why() -> None:
    pages = {rule.id: documentation(rule) for rule in all_rules()}
    for code, rules in EXPLAINED.items():
        for rule in rules:
            assert code in pages[rule], f"{rule} does not explain {code}"
