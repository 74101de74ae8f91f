"""The application installed with a lent uv: the same image, the backend from the cache, never the code from before."""

from __future__ import annotations

from pathlib import Path

import pytest
from before_and_after import Trial
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.rules.application_install import ApplicationInstall

pytestmark = pytest.mark.engine

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "Claim.Line"
version = "1.0"
dependencies = ["idna"]

[project.scripts]
claimline = "claimline.main:run"

[tool.setuptools]
packages = ["claimline"]
"""
MAIN = 'import idna\n\n\ndef run():\n    print("code {}")\n\n\nif __name__ == "__main__":\n    run()\n'
FILES = {"pyproject.toml": PYPROJECT, "claimline/__init__.py": "", "claimline/main.py": MAIN.format(1)}
DEPS = """\
FROM python:3.12-slim AS deps
WORKDIR /app
RUN pip install --no-cache-dir --user uv=={}
COPY pyproject.toml ./
RUN mkdir claimline && touch claimline/__init__.py && /root/.local/bin/uv pip install --system .
FROM python:3.12-slim
WORKDIR /app
COPY --from=deps /usr/local/bin /usr/local/bin
COPY --from=deps /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages
"""
BEFORE_CODE = """\
FROM python:3.12-slim
RUN pip install --no-cache-dir idna && pip install --no-cache-dir --user uv==0.5.31
WORKDIR /app
COPY pyproject.toml ./
"""
STEP = "RUN python3 -m pip install --no-deps --no-build-isolation . || \\\n    python3 -m pip install --no-deps .\n"
START = 'CMD ["claimline"]\n'
METADATA = (
    "import json; from importlib.metadata import distribution; d = distribution('claim-line'); "
    "origin = json.loads(d.read_text('direct_url.json')); "
    "print(d.version, d.requires, [str(e) for e in d.entry_points], sorted(origin.items()), d.locate_file('x'))"
)


def test_the_same_image_with_the_backend_from_the_cache(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    text = DEPS.format("0.9.9") + "COPY . .\n" + STEP + START
    trial = Trial(engine, repository, tmp_path / "same", text, FILES)
    before = trial.build()
    _, migrated = trial.propose(ApplicationInstall())
    after = trial.build(migrated)
    assert trial.broken(before, after) == []
    for image in (before, after):
        assert trial.shop.run(image, "claimline").strip() == "code 1"
    asked = [trial.shop.run(image, "python", "-Ic", METADATA) for image in (before, after)]
    assert asked[0] == asked[1]
    assert trial.shop.run(after, "ls", "-A", "/tmp").strip() == ""
    assert trial.shop.run(after, "find", "/", "-xdev", "-name", "uv", "-o", "-name", "uv-*").strip() == ""

    # Another code, and no network: all that the build needs must be in the cache.
    trial.write("claimline/main.py", MAIN.format(2))
    offline = migrated.replace("/tmp/uv pip", "UV_OFFLINE=1 /tmp/uv pip").replace(
        "RUN --mount=type=tmpfs", "RUN --network=none --mount=type=tmpfs"
    )
    assert offline.count("--network=none") == 1
    changed = trial.build(offline)
    assert trial.shop.run(changed, "claimline").strip() == "code 2"


def test_pip_fetches_the_backend_again(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, FILES)
    text = DEPS.format("0.9.9") + "COPY . .\n" + STEP
    bench.build(text)
    (tmp_path / "claimline/main.py").write_text(MAIN.format(2))
    assert "setuptools" in bench.error(
        text.replace("RUN python3 -m pip", "RUN --network=none python3 -m pip")
    )


def test_without_reinstalling_the_code_from_before_is_installed(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path, FILES)
    _, migrated = bench.migrate(ApplicationInstall(), f"{DEPS.format('0.5.31')}COPY . .\n{STEP}")
    mount = "--mount=type=cache,target=/root/.cache/uv"
    assert mount in migrated
    step = migrated.rpartition("RUN ")[2].replace(mount, f"{mount},id={repository}-stale")
    naive = step.replace(" --reinstall-package=claim-line", "")
    assert naive != step

    # uv goes by the time of pyproject.toml, which only an image keeps: BuildKit may copy it anew for the second build.
    before = bench.build(BEFORE_CODE)

    def code(number: int, step: str) -> str:
        (tmp_path / "claimline/main.py").write_text(MAIN.format(number))
        image = bench.build(f"FROM {before} AS deps\nFROM deps\nCOPY claimline claimline\nRUN {step}")
        return bench.run(image, "sh", "-c", "cd / && claimline")

    assert [code(1, naive), code(2, naive), code(2, step)] == ["code 1", "code 1", "code 2"]
