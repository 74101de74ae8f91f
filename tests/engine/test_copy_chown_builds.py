"""Owners set by COPY, built: one copy instead of two, the same owners, and a user that exists in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.rules.copy_chown import CopyChown

pytestmark = pytest.mark.engine

MB = 1_000_000
BEFORE = r"""FROM python:3.12-slim AS builder
RUN python -m venv --without-pip /opt/venv && head -c 30000000 /dev/urandom > /opt/venv/lib/data

FROM python:3.12-slim
WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
COPY app/ app/
RUN python -c "open('app/made', 'w').write('x')"
RUN useradd --uid 1234 app && \
    mkdir -p logs && \
    chown -R app:app /app /opt/venv && \
    chmod -R 755 /opt/venv
USER app
CMD ["/opt/venv/bin/python", "app/main.py"]
"""
OWNERS = "cd / && stat -c '%U:%G %a %n' /opt/venv /opt/venv/bin /opt/venv/lib/data /opt/venv/pyvenv.cfg && "
OWNERS += "stat -c '%U:%G %n' /app /app/app /app/app/main.py /app/app/made /app/logs"


def test_files_are_written_once_with_the_same_owners(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, {"app/main.py": "print('up')\n"})
    before = bench.build(BEFORE)
    phase, text = bench.migrate(CopyChown(), BEFORE, bench.census(before))
    after = bench.build(text)
    saved = bench.size(before) - bench.size(after)
    print(f"before {bench.size(before)}, after {bench.size(after)}: {saved} bytes less")
    assert saved > 29 * MB
    assert "MB in the baseline" in phase.why
    assert bench.run(before, "sh", "-c", OWNERS) == bench.run(after, "sh", "-c", OWNERS)
    assert bench.run(after, "/opt/venv/bin/python", "app/main.py") == "up"
    bench.run(after, "touch", "/app/logs/x", "/app/x", "/opt/venv/x")


def test_the_prediction_is_what_is_saved(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, {"app/main.py": "print('up')\n"})
    text = "\n".join(line for line in BEFORE.splitlines() if "made" not in line) + "\n"
    before = bench.build(text)
    phase, migrated = bench.migrate(CopyChown(), text, bench.census(before))
    assert phase.predicted.image_bytes is not None
    saved = bench.size(before) - bench.size(bench.build(migrated))
    print(f"predicted {phase.predicted.image_bytes}, saved {saved}")
    assert abs(phase.predicted.image_bytes + saved) < 100_000


def test_the_flag_alone_names_a_user_that_is_not_there_yet(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path, {"app/main.py": "print('up')\n"})
    naive = BEFORE.replace("COPY app/", "COPY --chown=app:app app/").replace("chown -R", "chown")
    owner = ("stat", "-c", "%U", "/app/app/main.py")
    # BuildKit takes an unknown user for root and says nothing.
    assert bench.run(bench.build(naive), *owner) == "root"
    _, text = bench.migrate(CopyChown(), BEFORE)
    assert bench.run(bench.build(text), *owner) == "app"


MADE_APART = r"""FROM python:3.12-slim
WORKDIR /app
COPY app/ app/
RUN mkdir -p logs app/cache
RUN useradd --uid 1234 app && chown -R app:app /app && chmod +x app/main.py
USER app
"""


def test_directories_that_another_run_makes(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, {"app/main.py": "print('up')\n"})
    owners = (
        "stat",
        "-c",
        "%U:%G %a %n",
        "/app",
        "/app/app",
        "/app/logs",
        "/app/app/cache",
        "/app/app/main.py",
    )
    before = bench.run(bench.build(MADE_APART), *owners)
    _, text = bench.migrate(CopyChown(), MADE_APART)
    moved = "RUN useradd --uid 1234 app && chown app:app /app /app/logs /app/app /app/app/cache\n"
    naive = f"FROM python:3.12-slim\nWORKDIR /app\n{moved}COPY --chown=app:app app/ app/\n"
    assert "exit code: 1" in bench.error(naive)
    after = bench.build(text)
    assert bench.run(after, *owners) == before
    bench.run(after, "touch", "/app/logs/x", "/app/app/cache/x", "/app/x")
