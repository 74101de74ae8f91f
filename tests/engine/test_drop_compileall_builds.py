"""Bytecode without sources, built: to take the compiling out takes the application out, and the rule does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.model.phase import Declined
from phasewise.model.repo import RepoView, Target
from phasewise.rules.drop_compileall import DropCompileall

pytestmark = pytest.mark.engine

SOURCELESS = """FROM python:3.12-slim
WORKDIR /app
COPY hello.py .
RUN python -m compileall -b . && find . -name "*.py" -delete
CMD ["python", "-m", "hello"]
"""


def test_an_application_without_sources(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, {"hello.py": "print('up')\n"})
    start = ("python", "-m", "hello")
    assert bench.run(bench.build(SOURCELESS), *start) == "up"
    naive = bench.build(SOURCELESS.replace("python -m compileall -b . && ", ""))
    assert "No module named hello" in bench.attempt(naive, *start).stderr
    files = {**bench.files, "Dockerfile": SOURCELESS}
    answer = DropCompileall().propose(RepoView(Target("Dockerfile"), files, frozenset(files)), {})
    assert isinstance(answer, Declined), answer
