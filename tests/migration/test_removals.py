"""What a phase takes out on purpose is not missed; everything else is."""

from pathlib import Path

import pytest
from git_sandbox import Sandbox
from msgspec.structs import replace
from test_session import Writing
from test_verify_fake import ANSWERS, engine_with, printed, run

from phasewise.migration import ledger
from phasewise.migration.choices import Choices
from phasewise.migration.removals import allowed, checks_of, unasked
from phasewise.migration.session import Session
from phasewise.migration.survey import Survey
from phasewise.model.census import Census, Distribution, Script
from phasewise.model.measurement import CheckResult, Verdict, Verification
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView
from phasewise.rules.base import Picks

CENSUS = Census(
    image_bytes=1,
    layers=(),
    file_bytes=1,
    distributions=(
        Distribution("triton", "3", "/s", 1, imports=("triton", "shared")),
        Distribution("numpy", "1", "/s", 1, imports=("numpy", "shared")),
    ),
    scripts=(
        Script("/opt/venv/bin/proton", "/opt/venv/bin/python", "triton"),
        Script("/bin/f2py", "", "numpy"),
    ),
)


def test_only_what_belongs_to_nothing_else() -> None:
    assert checks_of(CENSUS, {"triton"}) == {
        "metadata:triton",
        "elf:triton",
        "libraries:triton",
        "import:triton",
        "scripts:proton",
    }
    assert checks_of(None, {"triton"}) == frozenset()


def test_a_failure_of_something_else_stays_one() -> None:
    gone = checks_of(CENSUS, {"triton"})
    failed = CheckResult("import:numpy", "import numpy", Verdict.FAILED)
    assert allowed(failed, gone) is failed
    assert (
        allowed(CheckResult("import:triton", "import triton", Verdict.FAILED), gone).verdict is Verdict.PASSED
    )


def test_verifying_passes_without_what_is_gone_and_fails_without_the_word() -> None:
    package = {"version": "3", "error": "", "entry_points": []}
    fine = {"error": "", "seconds": 0.1}
    before = ANSWERS | {
        "distributions": ANSWERS["distributions"] | {"triton": package},
        "imports": ANSWERS["imports"] | {"triton": fine},
    }
    objects = {"triton": {"refused": [], "missing": []}}
    baseline, results = run(engine_with(printed(before), printed(objects)))
    assert "elf:triton" in results
    after = ANSWERS | {
        "distributions": ANSWERS["distributions"] | {"triton": package | {"error": "no metadata"}},
        "imports": ANSWERS["imports"] | {"triton": fine | {"error": "No module named 'triton'"}},
    }
    verified, _ = run(engine_with(printed(after), printed({})), baseline=baseline)
    missed = {each.id for each in verified.broken_since(baseline)}
    assert missed == {"import:triton", "metadata:triton", "elf:triton", "libraries:triton"}
    gone = checks_of(CENSUS, {"triton"})
    verified, _ = run(engine_with(printed(after), printed({})), baseline=baseline, gone=gone)
    assert verified.broken_since(baseline) == ()
    assert not tuple(unasked(None, (), gone))
    assert isinstance(verified, Verification)


class Removing(Writing):
    """Writes a file, and says that a package is gone with it."""

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        answer = super().propose(view, picks)
        return replace(answer, removes=("triton",)) if isinstance(answer, Phase) else answer


def test_from_the_phase_on_and_until_it_is_taken_back(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing-listens-here.sock")
    rules = [Writing("first", "a", "1"), Removing("second", "b", "2")]
    session = Session.open(sandbox.root, rules=rules)
    repository, target = session.repository, session.target
    ledger.record_census(repository, repository.head(), target, CENSUS)
    for id in ("first", "second"):
        list(session.apply(id, measure=False))
    survey = Survey(repository, target, Choices(repository.git_directory), rules)
    assert "import:triton" in survey.gone(repository.head())
    assert survey.gone(repository.resolve("HEAD^")) == frozenset()
    list(session.rollback("second", measure=False))
    assert survey.gone(repository.head()) == frozenset()
