"""The core target for real: smaller and starting, while the full one stays the very same image."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from engine_bench import Bench

from phasewise.migration.events import BuildFinished, StepFinished
from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.model.measurement import Outcome
from phasewise.model.phase import Declined
from phasewise.model.repo import RepoView, Target
from phasewise.rules.core_variant import CoreVariant

pytestmark = pytest.mark.engine

LIST = """\
FROM python:3.12-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --no-compile -r requirements.txt
RUN python -c "import faiss; print(faiss.IndexFlatL2(4).d)" > /model
COPY app.py .
CMD ["python", "app.py"]
"""
PROJECT = """\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv
WORKDIR /build
COPY pyproject.toml .
RUN /opt/venv/bin/pip install --no-cache-dir --no-compile ".[ml]"

FROM python:3.12-slim
WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
COPY app.py .
CMD ["/opt/venv/bin/python", "app.py"]
"""
APP = 'import idna\n\n\ndef nearest():\n    import faiss\n\n    return faiss\n\n\nprint(idna.encode("x").decode())\n'
FILES = {
    "app.py": APP,
    "requirements.txt": "idna==3.10\nfaiss_cpu==1.12.0  # search\n",
    "pyproject.toml": """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "app"
version = "1"
dependencies = ["idna==3.10"]

[project.optional-dependencies]
ml = ["faiss-cpu==1.12.0"]

[tool.setuptools]
py-modules = []
""",
}


def built(
    bench: Bench, dockerfile: str, tag: str, stage: str | None = None
) -> tuple[str, list[StepFinished]]:
    """The image's tag and its steps."""
    (bench.folder / "Dockerfile").write_text(dockerfile)
    name = f"{bench.repository}:{tag}"
    labels = {REPOSITORY_LABEL: bench.repository}
    *steps, finished = bench.engine.build(
        bench.folder, bench.folder / "Dockerfile", tag=name, stage=stage, labels=labels
    )
    assert isinstance(finished, BuildFinished)
    assert finished.outcome is Outcome.BUILT, finished.error
    return name, [step for step in steps if isinstance(step, StepFinished)]


def described(image: str) -> dict[str, Any]:
    """The image's layers and configuration."""
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)[0]
    return {key: found[key] for key in ("Id", "RootFS", "Config", "Architecture")}


@pytest.mark.parametrize(
    ("kind", "dockerfile"), [("list", LIST), ("project", PROJECT)], ids=["list", "project"]
)
def test_smaller_and_starting_and_the_full_image_the_same(
    engine: Engine, repository: str, tmp_path: Path, kind: str, dockerfile: str
) -> None:
    bench = Bench(engine, repository, tmp_path / kind, FILES)
    before, _ = built(bench, dockerfile, f"{kind}-before")
    phase, text = bench.migrate(CoreVariant(), dockerfile)
    assert phase.predicted.image_bytes == 0

    full, steps = built(bench, text, f"{kind}-full")
    assert described(full) == described(before)
    runs = [step for step in steps if "pip install" in step.name]
    assert len(runs) == 1
    assert all(step.cached for step in runs)

    core, _ = built(bench, text, f"{kind}-core", "core")
    python = json.loads(dockerfile.rpartition("CMD ")[2])[0]
    assert bench.run(core, python, "app.py") == bench.run(full, python, "app.py") == "x"
    assert described(core)["Config"]["Cmd"] == described(full)["Config"]["Cmd"]
    assert "No module named 'faiss'" in bench.attempt(core, python, "-c", "import faiss").stderr
    assert bench.run(full, python, "-c", "import faiss; print(1)") == "1"
    assert bench.size(full) - bench.size(core) > 50_000_000

    # A layer behind the full image takes nothing out of it.
    naive, _ = built(bench, f"{dockerfile}RUN {python} -m pip uninstall --yes faiss-cpu\n", f"{kind}-naive")
    assert bench.size(naive) >= bench.size(full)


def test_a_core_that_would_not_start_is_not_proposed(engine: Engine, repository: str, tmp_path: Path) -> None:
    files = FILES | {"app.py": "import idna, faiss\n"}
    bench = Bench(engine, repository, tmp_path / "starts", files)
    naive = LIST.replace("-r requirements.txt", "idna==3.10").partition("RUN python")[0]
    image = bench.build(f"{naive}COPY app.py .\n")
    assert "No module named 'faiss'" in bench.attempt(image, "python", "app.py").stderr

    everything = {**files, "Dockerfile": LIST}
    answer = CoreVariant().propose(RepoView(Target("Dockerfile"), everything, frozenset(everything)), {})
    assert isinstance(answer, Declined)
    assert "app.py:1" in answer.reason
