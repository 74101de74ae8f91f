"""Tools taken out of a final stage, built: smaller as predicted, and what was built still loads its library."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.rules.runtime_libraries import RuntimeLibraries

pytestmark = pytest.mark.engine

MB = 1_000_000
BUILDER = r"""FROM python:3.12-slim AS builder
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir psycopg2==2.9.11

"""
INSTALL = "RUN apt-get update && apt-get install -y --no-install-recommends libpq-dev git nano curl"
FINAL = f"""FROM python:3.12-slim
{INSTALL} \\
    && rm -rf /var/lib/apt/lists/*
COPY --from=builder /opt/venv /opt/venv
COPY main.py .
HEALTHCHECK CMD curl -f http://localhost/
CMD ["/opt/venv/bin/python", "main.py"]
"""
FILES = {"main.py": "import psycopg2\n\nprint('up')\n", "requirements.txt": "psycopg2==2.9.11\n"}
START = ("/opt/venv/bin/python", "main.py")


def test_tools_go_and_the_library_stays(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, FILES)
    before = bench.build(BUILDER + FINAL)
    assert bench.run(before, *START) == "up"
    phase, text = bench.migrate(RuntimeLibraries(), BUILDER + FINAL, bench.census(before))
    assert "install -y --no-install-recommends libpq5 curl" in text
    after = bench.build(text)
    saved = bench.size(before) - bench.size(after)
    print(f"before {bench.size(before)}, saved {saved}, predicted {phase.predicted.image_bytes}")
    assert phase.predicted.image_bytes is not None
    # perl, which only git needs, is among them.
    assert 0.9 * -phase.predicted.image_bytes < saved < 1.1 * -phase.predicted.image_bytes
    assert "debian perl" in phase.predicted.parts
    assert bench.run(after, *START) == "up"
    bench.run(after, "curl", "--version")
    for gone in ("git", "nano", "pg_config"):
        assert bench.attempt(after, "sh", "-c", f"command -v {gone}").returncode != 0


def test_without_the_library_the_import_fails(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, FILES)
    naive = bench.build(BUILDER + FINAL.replace(" libpq-dev git nano", ""))
    failed = bench.attempt(naive, *START)
    assert failed.returncode != 0
    assert "libpq.so.5" in failed.stderr


def test_an_editor_stays_in_the_stage_for_people_alone(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    final = 'FROM base\nCOPY --from=builder /opt/venv /opt/venv\nCMD ["/opt/venv/bin/python"]\n'
    text = (
        "FROM python:3.12-slim AS base\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends nano\n\n"
        "FROM base AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install idna\n\n"
        f'FROM base AS dev\nCMD ["bash"]\n\n{final}'
    )
    bench = Bench(engine, repository, tmp_path)
    _, migrated = bench.migrate(RuntimeLibraries(), text)
    ends = {
        "final": migrated,
        "dev": migrated.partition(final)[0],
        "builder": migrated.partition("FROM base AS dev")[0],
    }
    has = {
        stage: bench.attempt(bench.build(end), "sh", "-c", "command -v nano").returncode == 0
        for stage, end in ends.items()
    }
    assert has == {"final": False, "dev": True, "builder": False}
