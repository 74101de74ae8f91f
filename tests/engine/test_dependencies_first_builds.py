"""After a change of code, dependencies come from the cache; the image is the same but for the order of layers."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from before_and_after import Trial

from phasewise.migration.events import BuildFinished, StepFinished
from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.model.measurement import Outcome
from phasewise.rules.dependencies_first import DependenciesFirst

pytestmark = pytest.mark.engine

PIP = """\
FROM python:3.12-slim
WORKDIR /app
# the code
COPY . .
RUN pip install --no-cache-dir -r requirements/prod.txt
CMD ["python", "app.py"]
"""
PIP_FILES = {
    "requirements/prod.txt": "-r base.txt\n-c ../constraints.txt\n",
    "requirements/base.txt": "idna\n",
    "constraints.txt": "idna==3.10\n",
    "app.py": "import idna\n",
}
UV = """\
FROM python:3.12-slim
RUN pip install --no-cache-dir uv==0.9.9
WORKDIR /app
COPY . .
RUN uv sync --frozen --no-cache
CMD ["/app/.venv/bin/shop"]
"""
UV_FILES = {
    ".dockerignore": ".venv\n",
    "README.md": "shop\n",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nreadme = "README.md"\nrequires-python = ">=3.12"\n'
    'dependencies = ["idna==3.10"]\n[project.scripts]\nshop = "shop:main"\n'
    '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n'
    '[tool.setuptools]\npackage-dir = {"" = "src"}\n',
    "src/shop/__init__.py": "import idna\n\n\ndef main():\n    print(idna.__version__)\n",
}


def rebuilt(trial: Trial, text: str) -> dict[str, bool]:
    """Builds once more; whether each RUN came from the cache, by what it runs."""
    trial.write("Dockerfile", text)
    *events, finished = trial.shop.engine.build(
        trial.shop.folder,
        trial.shop.folder / "Dockerfile",
        tag=f"{trial.shop.repository}:order-again",
        labels={REPOSITORY_LABEL: trial.shop.repository},
    )
    assert isinstance(finished, BuildFinished)
    assert finished.outcome is Outcome.BUILT, finished.error
    steps = [event for event in events if isinstance(event, StepFinished) and "] RUN" in event.name]
    return {step.name.partition("] RUN ")[2]: step.cached for step in steps}


def test_a_change_of_code_does_not_run_pip_again(engine: Engine, repository: str, tmp_path: Path) -> None:
    trial = Trial(engine, repository, tmp_path / "order", PIP, PIP_FILES)
    before = trial.build()
    _, text = trial.propose(DependenciesFirst())
    after = trial.build(text)
    assert not trial.broken(before, after)
    listing = ("sh", "-c", "find /app -type f | sort | xargs stat -c '%n %U %a'; pip freeze")
    assert trial.shop.run(before, *listing) == trial.shop.run(after, *listing)

    install = "pip install --no-cache-dir -r requirements/prod.txt"
    trial.write("app.py", f"import idna  # {uuid.uuid4()}\n")
    assert rebuilt(trial, PIP) == {install: False}
    assert rebuilt(trial, text) == {install: True}
    # the naive way copies the one list that the command names, and does not build
    naive = text.replace("COPY constraints.txt ./\n", "").replace("requirements/base.txt ", "")
    trial.write("Dockerfile", naive)
    *_, finished = trial.shop.engine.build(
        trial.shop.folder, trial.shop.folder / "Dockerfile", tag=f"{trial.shop.repository}:order-naive"
    )
    assert isinstance(finished, BuildFinished)
    assert finished.outcome is not Outcome.BUILT


def test_uv_installs_the_project_in_a_short_step_of_its_own(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    trial = Trial(engine, repository, tmp_path / "uv-order", UV, UV_FILES)
    lock(trial)
    before = trial.build()
    _, text = trial.propose(DependenciesFirst())
    after = trial.build(text)
    assert not trial.broken(before, after)
    assert trial.shop.run(after, "/app/.venv/bin/shop") == "3.10"
    trial.write("src/shop/__init__.py", UV_FILES["src/shop/__init__.py"] + f"# {uuid.uuid4()}\n")
    again = rebuilt(trial, text)
    assert again["uv sync --no-install-project --frozen --no-cache"]
    assert not again["uv sync --frozen --no-cache"]


def lock(trial: Trial) -> None:
    """Lets uv write its lock file in a container, as a developer would have."""
    script = "FROM python:3.12-slim\nRUN pip install --no-cache-dir uv==0.9.9\nWORKDIR /app\nCOPY . .\nRUN uv lock\n"
    text = trial.shop.run(trial.build(script), "cat", "/app/uv.lock") + "\n"
    trial.write("uv.lock", text)
    files = {**trial.view.files, "uv.lock": text}
    trial.view = type(trial.view)(trial.view.target, files, frozenset(files))
