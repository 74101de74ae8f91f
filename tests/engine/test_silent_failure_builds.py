"""Hidden failures, built: a step that failed unseen stops the build, clean-up that fails rightly does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.rules.silent_failure import SilentFailure

pytestmark = pytest.mark.engine

SETUP = "from setuptools import setup\nsetup(name='app', version='1', py_modules=['app'])\n"
BROKEN = """\
FROM python:3.12-slim
WORKDIR /app
COPY . .
RUN python3 -m pip install --no-deps --no-index --no-build-isolation . 2>/dev/null || \\
    python3 -m pip install --no-deps --no-index . 2>/dev/null || true
"""
# GNU find fails when it is about to walk into a folder that it has just removed.
CLEANED = """\
FROM python:3.12-slim
RUN mkdir -p /opt/x/tests/y && cp /etc/passwd /opt/x 2>/dev/null && \\
    find /opt/x -name tests -exec rm -rf {} \\; 2>/dev/null || true
"""


def test_an_install_that_fails_stops_the_build(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, {"setup.py": SETUP, "app.py": ""})
    before = bench.build(BROKEN)
    assert bench.attempt(before, "pip", "show", "app").returncode == 1
    _, text = bench.migrate(SilentFailure(), BROKEN)
    assert "setuptools" in bench.error(text)


def test_one_that_works_builds_the_same_image(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, {"setup.py": SETUP, "app.py": ""})
    whole = BROKEN.replace(" --no-index", "")
    before = bench.build(whole)
    _, text = bench.migrate(SilentFailure(), whole)
    after = bench.build(text)
    assert "Name: app" in bench.run(after, "pip", "show", "app")
    print(f"before {bench.size(before)}, after {bench.size(after)}")
    assert abs(bench.size(after) - bench.size(before)) < 10_000


def test_clean_up_that_fails_rightly_still_may(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path)
    naive = CLEANED.replace(" 2>/dev/null || true", "")
    assert "exit code: 1" in bench.error(naive)
    _, text = bench.migrate(SilentFailure(), CLEANED)
    image = bench.build(text)
    assert bench.run(image, "ls", "/opt/x") == "passwd"


def test_a_strip_that_never_ran_leaves_the_same_bytes(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path)
    strip = "find /usr/local -name '*.so*' -exec strip -s {} + 2>/dev/null || true"
    text = f"FROM python:3.12-slim\nRUN touch /x\nRUN {strip}\n"
    before = bench.build(text)
    assert bench.census(before).layers[-1].size_bytes == 0
    naive = text.replace(" 2>/dev/null || true", "")
    assert "strip" in bench.error(naive)
    _, migrated = bench.migrate(SilentFailure(), text)
    assert bench.size(bench.build(migrated)) == bench.size(before)
