"""Phases that build and are wrong all the same: the checks say what broke, and one rollback mends it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, write_files
from migrating import Job, row, texts

from phasewise.migration.events import Verified
from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.measurement import Outcome
from phasewise.model.phase import Declined, Evidence, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.model.status import State
from phasewise.rules.base import Picks, Rule

pytestmark = pytest.mark.engine

RUNTIME = """\
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libpq5 && rm -rf /var/lib/apt/lists/*
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY service.py /srv/service.py
CMD ["python", "/srv/service.py"]
"""
DOCKERFILE = ENVIRONMENT.replace("FROM python:3.12\n", "FROM python:3.12 AS builder\n") + "\n" + RUNTIME
SITE_PACKAGES = "/opt/venv/lib/python3.12/site-packages"


class Wrong(Rule):
    """Replaces one text of the Dockerfile by another."""

    title, risk, FIRES, SILENT = "Do what must not be done", Risk.SAFE, (), ()

    def __init__(self, name: str, old: str, new: str) -> None:
        self.name, self.old, self.new = name, old, new

    @property
    def id(self) -> str:
        return self.name

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        text = view.files["Dockerfile"]
        changed = text.replace(self.old, self.new)
        if changed == text:
            return self.declined("nothing to replace")
        edits = (FileEdit("Dockerfile", text, changed),)
        return Phase(self.id, self.title, "No reason.", edits, (Evidence("Dockerfile", 1, ""),), self.risk)


NO_METADATA = Wrong(
    "drop_dist_info",
    "\nFROM python:3.12-slim\n",
    f"RUN rm -r {SITE_PACKAGES}/idna-3.10.dist-info\n\nFROM python:3.12-slim\n",
)
STRIPPED = Wrong(
    "strip_everything",
    "\nFROM python:3.12-slim\n",
    f"RUN strip --strip-unneeded {SITE_PACKAGES}/numpy.libs/*\n\nFROM python:3.12-slim\n",
)
NO_LIBRARY = Wrong("drop_libpq5", RUNTIME.splitlines(keepends=True)[1], "")
UNBUILDABLE = Wrong("copy_nothing", "COPY service.py", "COPY no-such-file.py")


@pytest.fixture(scope="module")
def root(engine: Engine, git_identity: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("wrong") / "orders"
    write_files(root, {"Dockerfile": DOCKERFILE, "service.py": "import idna, numpy, psycopg2\n"})
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    session = Session.open(root)
    assert Job.run(session.prepare()).finished.ok
    yield root
    session.clean()


def broken(job: Job) -> dict[str, str]:
    """The explanations of what broke, by check."""
    (verified,) = (event for event in job.events if isinstance(event, Verified))
    return {result.id: result.explanation for result in verified.broken}


def rolled_back(root: Path, rule: Rule, before: dict[str, bytes]) -> None:
    """One rollback takes the phase back, and everything passes again."""
    session = Session.open(root, rules=(rule,))
    job = Job.run(session.rollback(rule.id))
    assert job.finished.ok, job.finished.summary
    assert texts(root) == before
    status = session.status()
    assert row(status, rule.id).state is State.ROLLED_BACK
    assert broken(job) == {}


@pytest.mark.parametrize(
    ("rule", "failing", "explanation"),
    [
        pytest.param(
            NO_METADATA,
            "metadata:idna",
            "importlib.metadata.version('idna') raises: the dist-info directory of idna is gone, "
            "and its entry points with it",
            id="dist-info deleted",
        ),
        pytest.param(
            STRIPPED,
            "import:numpy",
            "numpy no longer loads: libscipy_openblas64_-56d6093b.so is misaligned after strip",
            id="patched libraries stripped",
        ),
        pytest.param(
            NO_LIBRARY,
            "import:psycopg2",
            "psycopg2 no longer loads: the shared library libpq.so.5 is not in the image",
            id="runtime library dropped",
        ),
    ],
)
def test_it_builds_is_caught_and_is_taken_back(
    root: Path, rule: Rule, failing: str, explanation: str
) -> None:
    before = texts(root)
    session = Session.open(root, rules=(rule,))
    job = Job.run(session.apply(rule.id))
    assert job.builds[-1] is Outcome.BUILT
    assert not job.finished.ok
    assert broken(job)[failing] == explanation
    failed = row(session.status(), rule.id)
    assert failed.state is State.FAILED
    assert failing in {result.id for result in failed.broken}
    assert explanation in session.report("md").replace("\\", "")
    rolled_back(root, rule, before)


def test_only_what_the_phase_broke_is_told(root: Path) -> None:
    before = texts(root)
    job = Job.run(Session.open(root, rules=(NO_METADATA,)).apply(NO_METADATA.id))
    assert set(broken(job)) == {"metadata:idna"}
    rolled_back(root, NO_METADATA, before)


def test_a_phase_that_does_not_build_fails_and_is_taken_back(root: Path) -> None:
    before = texts(root)
    session = Session.open(root, rules=(UNBUILDABLE,))
    job = Job.run(session.apply(UNBUILDABLE.id))
    assert job.builds == [Outcome.FAILED]
    assert not job.finished.ok
    assert job.finished.summary.startswith("Dockerfile does not build: ")
    assert "no-such-file.py" in job.finished.summary
    failed = row(session.status(), UNBUILDABLE.id)
    assert failed.state is State.FAILED
    assert failed.broken == ()
    rolled_back(root, UNBUILDABLE, before)
