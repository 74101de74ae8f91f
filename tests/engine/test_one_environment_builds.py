"""One environment for real: one copy, every command, and the user who could not read the packages can."""

from __future__ import annotations

from pathlib import Path

import pytest
from before_and_after import Trial

from phasewise.migration.images import Engine
from phasewise.model.measurement import Verdict
from phasewise.rules.one_environment import OneEnvironment

pytestmark = pytest.mark.engine

SITE = "lib/python3.12/site-packages"
PIECES = f"""FROM python:3.12-slim AS builder
COPY requirements.txt .
RUN pip install --no-cache-dir --prefix=/install -r requirements.txt
FROM python:3.12-slim
COPY --from=builder /install/{SITE} /usr/local/{SITE}
COPY --from=builder /install/bin/uvicorn /usr/local/bin/
WORKDIR /app
COPY app.py .
CMD ["uvicorn", "app:app"]
"""
FILES = {
    "requirements.txt": "uvicorn==0.38.0\nmako==1.3.10\n",
    "app.py": "import mako\n\nasync def app(scope, receive, send): ...\n",
}


def written(trial: Trial, tag: str) -> int:
    """How many layers hold files."""
    return sum(1 for layer in trial.shop.engine.inspect(tag).layers if layer.size_bytes)


def test_pieces_become_one_copy_where_another_path_breaks(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    trial = Trial(engine, repository, tmp_path / "pieces", PIECES, FILES)
    before = trial.build()
    assert trial.shop.lacks(before, "mako-render")
    _, text = trial.propose(OneEnvironment(), before)
    after = trial.build(text)
    assert not trial.broken(before, after)
    assert text.count("COPY --from") == 1
    assert written(trial, after.tag) == written(trial, before.tag) - 1
    assert "usage" in trial.shop.run(after, "mako-render", "--help")

    builder, runtime = text.split("FROM python:3.12-slim\n")
    moved = runtime.replace("/opt/venv /opt/venv", "/opt/venv /srv/venv").replace('"/opt/', '"/srv/')
    naive = trial.build(f"{builder}FROM python:3.12-slim\n{moved}")
    assert "command" in {result.id for result in trial.broken(before, naive)}


BROKEN = {
    "home": """FROM python:3.12-slim AS builder
COPY requirements.txt .
RUN pip install --user --no-cache-dir -r requirements.txt
FROM python:3.12-slim
ENV PATH=/root/.local/bin:$PATH
COPY --from=builder /root/.local /root/.local
RUN useradd --create-home app
WORKDIR /app
COPY app.py .
USER app
CMD ["uvicorn", "app:app"]
""",
    "target": """FROM python:3.12-slim AS builder
COPY requirements.txt .
RUN pip install --no-cache-dir \\
    --target /deps \\
    -r requirements.txt
FROM python:3.12-slim
ENV PYTHONPATH=/deps
COPY --from=builder /deps /deps
WORKDIR /app
COPY app.py .
CMD ["uvicorn", "app:app"]
""",
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_did_not_start_starts(case: str, engine: Engine, repository: str, tmp_path: Path) -> None:
    trial = Trial(engine, repository, tmp_path / case, BROKEN[case], FILES)
    before = trial.build()
    baseline = trial.shop.verify(before)
    assert {r.id for r in baseline.results if r.verdict is Verdict.FAILED} >= {"command"}
    _, text = trial.propose(OneEnvironment(), before)
    after = trial.build(text)
    verified = trial.shop.verify(after, baseline)
    assert not verified.broken_since(baseline)
    assert {r.id for r in verified.results if r.verdict is Verdict.FAILED} == set()
    assert trial.shop.run(after, "sh", "-c", "command -v uvicorn") == "/opt/venv/bin/uvicorn"
    assert "Usage" in trial.shop.run(after, "uvicorn", "--help")
