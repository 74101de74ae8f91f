"""Clean-up, built: where it stood it saved nothing, where it moves it does, and it takes nothing else along."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.rules.effective_cleanup import EffectiveCleanup

pytestmark = pytest.mark.engine

MB = 1_000_000
SITE = "/opt/venv/lib/python3.12/site-packages"
BUILDER = f"""\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir six==1.17.0 && \\
    mkdir -p {SITE}/six_extra/tests {SITE}/pip_audit && touch {SITE}/pip_audit/x && \\
    head -c 20000000 /dev/urandom > {SITE}/six_extra/tests/data && echo echo ok > /opt/venv/bin/test
"""
COPY = "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n"
WRONG_PATH = (
    BUILDER
    + COPY
    + "RUN find /usr/local -type d \\( -name test -o -name tests \\) -exec rm -rf {} + || true\n"
)
TRAPS = (
    BUILDER
    + 'SHELL ["/bin/bash", "-c"]\n'
    + "RUN find /opt/venv -type d -name tests -o -name test | xargs rm -rf\n"
    + "RUN rm -rf /opt/venv/lib/python*/site-packages/{pip,setuptools,wheel}*\n"
    + COPY
)
LEFT = f"ls -d {SITE}/pip_audit {SITE}/six_extra /opt/venv/bin/test {SITE}/six*.dist-info"


def test_at_the_right_path_it_saves_what_was_predicted(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path)
    before = bench.build(WRONG_PATH)
    phase, text = bench.migrate(EffectiveCleanup(), WRONG_PATH, bench.census(before))
    after = bench.build(text)
    saved = bench.size(before) - bench.size(after)
    print(f"before {bench.size(before)}, after {bench.size(after)}, predicted {phase.predicted.image_bytes}")
    assert saved > 19 * MB
    assert phase.predicted.image_bytes is not None
    assert abs(phase.predicted.image_bytes + saved) < MB
    assert bench.run(after, "/opt/venv/bin/python", "-c", "import six; print(six.__version__)") == "1.17.0"


def test_at_the_right_path_in_the_later_layer_it_saves_nothing(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path)
    naive = WRONG_PATH.replace("find /usr/local", "find /opt/venv")
    assert bench.size(bench.build(naive)) >= bench.size(bench.build(BUILDER + COPY))


def test_traps_take_along_what_they_should_not(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path)
    before = bench.build(TRAPS)
    gone = bench.attempt(before, "sh", "-c", LEFT)
    assert "pip_audit" in gone.stderr
    assert "/opt/venv/bin/test" in gone.stderr
    _, text = bench.migrate(EffectiveCleanup(), TRAPS)
    after = bench.build(text)
    assert len(bench.run(after, "sh", "-c", LEFT).splitlines()) == 4
    assert bench.run(after, "sh", "-c", f"ls -d {SITE}/pip {SITE}/six_extra/tests || true") == ""
