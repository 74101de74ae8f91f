"""A phase that edits what several targets read says so, in its own plan and in theirs."""

import pytest
from calling import Phasewise
from git_sandbox import Sandbox
from msgspec.structs import replace

from phasewise.cli import output
from phasewise.migration.session import Session
from phasewise.model.phase import Declined, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.base import Picks, Rule

API, WORKER, ALONE = "api/Dockerfile", "worker/Dockerfile", "alone/Dockerfile"


class Lighter(Rule):
    """Takes torch out of the requirements that a Dockerfile copies."""

    title, risk, FIRES, SILENT = "Do without torch", Risk.SAFE, (), ()

    @property
    def id(self) -> str:
        return "lighter"

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        text = view.files["requirements.txt"]
        if "torch" not in text or "requirements" not in view.files[view.target.dockerfile]:
            return self.declined("no torch here")
        edit = FileEdit("requirements.txt", text, text.replace("torch\n", ""))
        return Phase(self.id, self.title, "why", (edit,), (), self.risk)


@pytest.fixture
def session(sandbox: Sandbox) -> Session:
    files = {
        API: "FROM a\nCOPY requirements.txt .\n",
        WORKER: "FROM a\nCOPY requirements*.txt /\n",
        ALONE: "FROM a\nCOPY alone/x /\n",
        "alone/x": "",
        "requirements.txt": "torch\nidna\n",
    }
    sandbox.git("rm", "--quiet", "Dockerfile")
    sandbox.commit("several targets", **files)
    return Session.open(sandbox.root, rules=(Lighter(),))


def planned(session: Session) -> list[output.Planned]:
    plans = []
    for target in session.targets:
        session.select(target)
        plans.append(output.Planned(target, session.plan(), session.floor(), elsewhere=session.elsewhere()))
    return plans


def test_the_plans_name_each_other(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    plans = planned(session)
    targets = {target["dockerfile"]: target for target in output.plan_record(session, plans)["targets"]}
    assert targets[API]["phases"][0]["affects"] == [WORKER]
    assert targets[WORKER]["phases"][0]["affects"] == [API]
    assert targets[API]["shared"] == [
        {"id": "lighter", "dockerfile": WORKER, "stage": None, "files": ["requirements.txt"]}
    ]
    assert targets[ALONE]["shared"] == targets[ALONE]["phases"] == []
    output.print_plans(plans)
    said = capsys.readouterr().out
    assert f"    also affects {WORKER}\n" in said
    assert f"lighter of {API} changes files that this target shares: requirements.txt\n" in said


def test_a_stage_of_its_own_hears_of_other_dockerfiles_and_not_of_what_they_set_aside(
    session: Session,
) -> None:
    api, worker = (
        next(target for target in session.targets if target.dockerfile == path) for path in (API, WORKER)
    )
    session.select(replace(api, stage="0"))
    (other,) = session.elsewhere()
    assert (other.target, other.phase.id, other.paths) == (worker, "lighter", ("requirements.txt",))
    assert session.elsewhere((worker,)) == (other,)
    assert session.elsewhere((api,)) == ()
    session.select(worker)
    session.skip("lighter", True)
    session.select(api)
    assert session.elsewhere() == ()


def test_one_dockerfile_asked_for_is_told_of_the_others(sandbox: Sandbox, phasewise: Phasewise) -> None:
    text = 'FROM python:3.12-slim\nCOPY . /app\nCMD ["python", "/app/main.py"]\n'
    files = {
        "Dockerfile": text,
        "worker.Dockerfile": text,
        "main.py": "",
        "README.md": "",
        "tests/test_a.py": "",
    }
    sandbox.commit("two targets, one build context", **files)
    (target,) = phasewise("plan", "--json", "--dockerfile", "Dockerfile", sandbox.root).json["targets"]
    assert target["dockerfile"] == "Dockerfile"
    other = {"dockerfile": "worker.Dockerfile", "stage": None, "files": [".dockerignore"]}
    assert target["shared"] == [{"id": "explicit_context", **other}]


def test_what_was_done_for_another_target_is_not_a_riddle(session: Session) -> None:
    session.select(next(target for target in session.targets if target.dockerfile == API))
    list(session.apply("lighter", measure=False))
    (row,) = session.status().rows
    assert row.phase is not None
    assert row.phase.affects == (WORKER,)
    reasons = {}
    for each in planned(session):
        reasons[each.target.dockerfile] = each.plan.declined[0].reason
    commit = session.repository.head()[:7]
    assert reasons[WORKER] == f"no torch here ({commit} did it for {API}, in files that this target shares)"
    assert reasons[ALONE] == reasons[API] == "no torch here"
