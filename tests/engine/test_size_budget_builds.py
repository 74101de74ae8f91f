"""The step for real: passes below the budget and fails above it, where a comparison of strings does not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from before_and_after import Trial
from msgspec.structs import replace
from ruamel.yaml import YAML

from phasewise.migration.images import Engine
from phasewise.model.census import Census
from phasewise.rules.size_budget import SizeBudget

pytestmark = pytest.mark.engine

WORKFLOW = (
    "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: docker build -t NAME .\n"
)


def test_the_step_compares_numbers(engine: Engine, repository: str, tmp_path: Path) -> None:
    trial = Trial(engine, repository, tmp_path / "budget", "FROM python:3.12-slim\nCMD python\n", {"x": ""})
    image = trial.build()
    path = ".github/workflows/ci.yml"
    files = {**trial.view.files, path: WORKFLOW.replace("NAME", image.tag)}
    measured = Census(image_bytes=image.bytes, layers=(), file_bytes=image.bytes)
    seen = replace(trial.view, files=files, paths=frozenset(files), census=measured)
    after = seen.with_edits(getattr(SizeBudget().propose(seen, {}), "edits", ()))
    step = YAML(typ="safe", pure=True).load(after.files[path])["jobs"]["a"]["steps"][1]["run"]

    def run(settings: str) -> int:
        trial.write("phasewise.toml", settings)
        environment = {**os.environ, "GITHUB_WORKSPACE": str(trial.shop.folder)}
        return subprocess.run(
            ["bash", "-e", "-c", step], env=environment, check=False, capture_output=True
        ).returncode

    assert run(after.files["phasewise.toml"]) == 0
    # as strings, "99000000" is above any size that begins with 1 to 8
    assert 99_000_000 < image.bytes < 900_000_000
    assert run('[size_budget_bytes]\n"Dockerfile" = 99000000\n') != 0
    assert subprocess.run(["bash", "-c", f'[[ "{image.bytes}" > "99000000" ]]'], check=False).returncode != 0
    assert run("") != 0
