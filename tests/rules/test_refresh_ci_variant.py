"""A CI variant follows production: made anew as it would be now, or a reason why not; nobody's work is undone."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

from phasewise.cli.demo import create as demo
from phasewise.migration import scan
from phasewise.migration.git import Repository
from phasewise.model.builds.references import build_references
from phasewise.model.census import Built, Census, Distribution
from phasewise.model.phase import Declined, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView, Target
from phasewise.rules.add_ci_variant import AddCiVariant
from phasewise.rules.discovery import all_rules
from phasewise.rules.refresh_ci_variant import RefreshCiVariant
from tests.stories import bot_core, phentrieve, truthgraph

ADD, REFRESH = AddCiVariant(), RefreshCiVariant()
DOCKERFILE = AddCiVariant.FIRES[0].before
INSTALL = "RUN pip install --no-cache-dir -r requirements.txt\n"
FILES = AddCiVariant.FIRES[0].files
STORIES = [demo, bot_core, phentrieve, truthgraph]


def view_of(files: Mapping[str, str]) -> RepoView:
    everything = {"Dockerfile": DOCKERFILE, **FILES, **files}
    builds = build_references(everything, everything)
    return RepoView(Target("Dockerfile"), everything, frozenset(everything), builds)


def commit(view: RepoView, phase: Phase | Declined) -> RepoView:
    """The repository with the phase committed."""
    assert isinstance(phase, Phase), phase
    return replace(view.with_edits(phase.edits), original=None)


def with_variant(files: Mapping[str, str] | None = None, *picked: str) -> RepoView:
    view = view_of(files or {})
    return commit(view, ADD.propose(view, {"leave_out": frozenset(picked)} if picked else {}))


def changed(view: RepoView, path: str, old: str, new: str) -> RepoView:
    """The repository with another text in one file, committed by its owner."""
    text = view.files[path]
    assert old in text
    return replace(view.with_edits([FileEdit(path, text, text.replace(old, new))]), original=None)


def fires(view: RepoView) -> Phase:
    answer = REFRESH.propose(view, {})
    assert isinstance(answer, Phase), answer
    assert isinstance(REFRESH.propose(commit(view, answer), {}), Declined)
    return answer


def reason(view: RepoView, *, wrong: bool) -> str:
    answer = REFRESH.propose(view, {})
    assert isinstance(answer, Declined), answer.diff()
    assert answer.wrong is wrong
    return answer.reason


def generated(view: RepoView) -> dict[str, str]:
    """What the variant consists of."""
    endings = (".ci", ".ci.Dockerfile", "-ci.txt")
    return {path: text for path, text in view.files.items() if path.endswith(endings)}


# -- whole repositories ------------------------------------------------------------------------------------


def opened(module: ModuleType, folder: Path) -> RepoView:
    repository = Repository.open(module.create(folder))
    path = getattr(module, "DOCKERFILE", "Dockerfile")
    target = next(each for each in scan.scan(repository, "HEAD") if each.dockerfile == path)
    return scan.view(repository, "HEAD", target)


def others_after(view: RepoView) -> RepoView:
    """The view after every other phase that comes before the variant in the plan."""
    for rule in all_rules():
        answer = rule.propose(view, {})
        if rule.order < ADD.order and isinstance(answer, Phase) and answer.risk is not Risk.ASK:
            view = commit(view, answer)
    return view


@pytest.mark.parametrize("module", STORIES)
def test_phases_applied_afterwards_end_as_if_they_had_come_before(module: ModuleType, tmp_path: Path) -> None:
    start = opened(module, tmp_path / "repository")
    stale = others_after(commit(start, ADD.propose(start, {})))
    phase = fires(stale)
    assert phase.risk is Risk.CHECK
    assert set(phase.files) <= set(generated(stale))
    assert all(each.text.startswith("#   dockerfile: ") for each in phase.evidence)
    fresh = others_after(start)
    fresh = commit(fresh, ADD.propose(fresh, {}))
    after = commit(stale, phase)
    assert generated(after) == generated(fresh)
    for path in after.paths:
        (tmp_path / "after" / path).parent.mkdir(parents=True, exist_ok=True)
        text = after.files[path].encode("utf-8", "surrogateescape")
        (tmp_path / "after" / path).write_bytes(text)
    lists = sorted(path for path in generated(after) if path.endswith(".txt"))
    command = [sys.executable, "-I", "ci/check_requirements_ci.py", *lists]
    check = subprocess.run(command, cwd=tmp_path / "after", capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout


# -- what stays as it was recorded -------------------------------------------------------------------------


def test_what_the_user_ticked_stays_left_out() -> None:
    files = {
        "requirements.txt": "fastapi==1\npandas==2\ntorch==2\n",
        "app/model.py": "def f():\n    import torch, pandas\n",
    }
    view = changed(with_variant(files, "pandas"), "Dockerfile", "/srv", "/app")
    phase = fires(view)
    assert "torch==2" in commit(view, phase).files["requirements-ci.txt"]
    assert "pandas==2" not in commit(view, phase).files["requirements-ci.txt"]
    assert "without pandas as before" in phase.why
    assert "WORKDIR /app" in commit(view, phase).files["Dockerfile.ci"]


def test_what_the_dockerfile_itself_names_stays_left_out() -> None:
    dockerfile = DOCKERFILE.replace("COPY app", "RUN pip install torchvision==0.24\nCOPY app")
    view = changed(with_variant({"Dockerfile": dockerfile}), "Dockerfile", "/srv", "/app")
    assert "torchvision" in view.files["Dockerfile"]
    phase = fires(view)
    assert "torchvision" not in commit(view, phase).files["Dockerfile.ci"]
    assert "Not run in Dockerfile.ci, as it needs what is left out: pip install torchvision" in phase.why


def test_pins_stay_and_new_requirements_come_in() -> None:
    census = Census(
        10, (), 10, (Distribution("fastapi", "0.121.2", "/x", 1), Distribution("torch", "2.9.1", "/x", 90))
    )
    view = replace(view_of({"requirements.txt": "fastapi\ntorch\n"}), census=census)
    view = commit(view, ADD.propose(view, {}))
    view = changed(view, "requirements.txt", "torch\n", "torch\nredis==7.0.1\n")
    phase = fires(view)
    assert phase.files == ("requirements-ci.txt",)
    listed = commit(view, phase).files["requirements-ci.txt"]
    assert listed.endswith("fastapi==0.121.2  # production: fastapi\nredis==7.0.1\n")
    assert "requirements-ci.txt: generated again" in phase.why


def test_build_tools_are_decided_anew() -> None:
    site = "/usr/local/lib/python3.12/site-packages"
    names = (("fastapi", "0.121.2"), ("uvicorn", "0.38.0"))
    census = Census(
        10, (), 10, tuple(Distribution(name, version, site, 1, built=Built.PURE) for name, version in names)
    )
    builder = DOCKERFILE.replace("FROM python:3.12-slim", "FROM python:3.12-slim AS builder").partition(
        "COPY app"
    )[0]
    tools = "RUN apt-get update && apt-get install -y gcc\n"
    final = f"FROM python:3.12-slim\nCOPY --from=builder /usr/local /usr/local\n{DOCKERFILE.partition(INSTALL)[2]}"
    view = with_variant({"Dockerfile": builder + final})
    view = changed(view, "Dockerfile", "WORKDIR /srv\n", f"WORKDIR /srv\n{tools}")
    assert "gcc" in commit(view, fires(view)).files["Dockerfile.ci"]
    known = replace(view, census=census)
    assert "gcc" not in commit(known, fires(known)).files["Dockerfile.ci"].partition("\n\n")[2]
    assert "Dockerfile.ci goes without gcc" in fires(known).why


# -- what counts -------------------------------------------------------------------------------------------


def test_what_is_only_proposed_does_not_count() -> None:
    view = with_variant()
    edit = FileEdit("Dockerfile", DOCKERFILE, DOCKERFILE.replace("/srv", "/app"))
    assert isinstance(REFRESH.propose(view.with_edits([edit]), {}), Declined)
    stale = replace(view.with_edits([edit]), original=None)
    back = FileEdit("Dockerfile", stale.files["Dockerfile"], DOCKERFILE)
    phase = REFRESH.propose(stale.with_edits([back]), {})
    assert isinstance(phase, Phase)
    assert "WORKDIR /app" in phase.diff()


def test_remarks_do_not_count() -> None:
    view = changed(with_variant(), "Dockerfile", "WORKDIR", "# Where it lives\n\nWORKDIR")
    assert reason(view, wrong=False) == "Dockerfile.ci follows Dockerfile"


def test_windows_line_ends_of_the_variant_do_not_count() -> None:
    view = changed(with_variant(), "Dockerfile.ci", "\n", "\r\n")
    assert fires(changed(view, "Dockerfile", "/srv", "/app"))


def test_the_variant_itself() -> None:
    view = with_variant()
    other = replace(view, target=replace(view.target, dockerfile="Dockerfile.ci"))
    assert reason(other, wrong=False) == "it is a CI variant itself"


# -- declining ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [("WORKDIR", "# ours\nWORKDIR"), ("CMD", "ENV CI=1\nCMD")])
def test_changes_by_hand_are_not_undone(old: str, new: str) -> None:
    view = changed(with_variant(), "Dockerfile.ci", old, new)
    assert reason(view, wrong=False) == "Dockerfile.ci follows Dockerfile"
    view = changed(view, "Dockerfile", "/srv", "/app")
    assert "Dockerfile.ci was changed by hand since it was generated" in reason(view, wrong=True)


def test_a_variant_that_does_not_record_its_own_text_counts_as_changed_by_hand() -> None:
    view = with_variant()
    line = next(each for each in view.files["requirements-ci.txt"].split("\n") if " as made: " in each)
    view = changed(view, "requirements-ci.txt", f"{line}\n", "")
    assert "changed by hand" in reason(changed(view, "Dockerfile", "/srv", "/app"), wrong=True)


def test_an_import_of_what_is_left_out_cannot_be_brought_up() -> None:
    view = changed(with_variant(), "app/model.py", "def predict", "import torch\n\n\ndef predict")
    assert "app/model.py:1 imports torch, which requirements-ci.txt leaves out" in reason(view, wrong=True)


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("Dockerfile", "requirements.txt", "other.txt", "is not installed any more"),
        (
            "Dockerfile",
            "-r requirements.txt",
            "-r requirements.txt -r other.txt",
            "torch comes from other.txt now",
        ),
        ("Dockerfile", "-r requirements.txt", "-r $LIST", "is no file of the repository"),
        ("requirements.txt", "torch", "-r missing.txt\ntorch", "missing.txt"),
    ],
)
def test_reasons(path: str, old: str, new: str, said: str) -> None:
    files = {
        "other.txt": "torch==2.9.1\n",
        "Dockerfile": DOCKERFILE.replace("requirements.txt .", "*.txt ./"),
    }
    view = with_variant(files)
    said_now = reason(changed(view, path, old, new), wrong=True)
    assert said in said_now
    assert said_now.startswith("Dockerfile.ci does not follow Dockerfile any more: ")
