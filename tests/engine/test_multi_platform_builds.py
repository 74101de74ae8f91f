"""Publishing for several platforms with a real builder, as far as a machine without arm64 can show it.

Shown: the build command that the changed workflow gives, with `--platform linux/amd64`, makes the image that
was made before; the builder's default driver refuses two platforms without the Buildx that the phase sets up, and
refuses to load them; a FROM that names amd64 makes an image that says arm64 and holds programs for amd64, and
the rule stays away. Not shown: a build for arm64, which needs emulation and arm64's base images.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.model.builds.yaml_edit import load
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.multi_platform import MultiPlatform

pytestmark = pytest.mark.engine

PATH = ".github/workflows/publish.yml"
DOCKERFILE = 'FROM python:3.12-slim\nCOPY app.py .\nRUN uname -m > /machine\nCMD ["python", "app.py"]\n'
WORKFLOW = """\
on: push
jobs:
  publish:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - uses: docker/build-push-action@v6
        with:
          context: .
          push: true
          tags: registry.example/app
"""


@pytest.fixture
def bench(engine: Engine, repository: str, tmp_path: Path) -> Bench:
    return Bench(engine, repository, tmp_path / "platforms", {"app.py": "print(1)\n", PATH: WORKFLOW})


def proposal(bench: Bench, dockerfile: str) -> tuple[Phase | Declined, RepoView]:
    files = {**bench.files, "Dockerfile": dockerfile}
    view = RepoView(Target("Dockerfile"), files, frozenset(files))
    return MultiPlatform().propose(view, {}), view


def buildx(bench: Bench, dockerfile: str, *options: str) -> subprocess.CompletedProcess[str]:
    (bench.folder / "Dockerfile").write_text(dockerfile)
    label = f"{REPOSITORY_LABEL}={bench.repository}"
    command = ["docker", "buildx", "build", "--label", label, *options, str(bench.folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def layers(image: str) -> list[str]:
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)[0]["RootFS"]["Layers"]
    return found


def test_the_image_for_amd64_stays_what_it_was(bench: Bench) -> None:
    before = bench.build(DOCKERFILE)
    phase, view = proposal(bench, DOCKERFILE)
    assert isinstance(phase, Phase)
    steps = load(view.with_edits(phase.edits).files[PATH])["jobs"]["publish"]["steps"]
    assert [step["uses"].partition("@")[0] for step in steps[1:]] == [
        "docker/setup-qemu-action",
        "docker/setup-buildx-action",
        "docker/build-push-action",
    ]
    inputs = steps[-1]["with"]
    platforms = inputs["platforms"].split(",")
    assert platforms == ["linux/amd64", "linux/arm64"]

    tag = f"{bench.repository}:amd64"
    done = buildx(bench, DOCKERFILE, "--platform", platforms[0], "--load", "-t", tag)
    assert done.returncode == 0, done.stderr
    assert layers(tag) == layers(before)


def test_two_platforms_need_a_buildx_of_their_own_and_cannot_be_loaded(bench: Bench) -> None:
    both = ("--platform", "linux/amd64,linux/arm64")
    naive = buildx(bench, DOCKERFILE, *both)
    assert naive.returncode
    assert "not supported for the docker driver" in naive.stderr
    loaded = buildx(bench, DOCKERFILE, *both, "--load")
    assert loaded.returncode
    assert "does not currently support exporting manifest lists" in loaded.stderr


def test_a_fixed_platform_gives_an_image_that_says_arm64_and_is_not(bench: Bench) -> None:
    fixed = DOCKERFILE.replace("FROM ", "FROM --platform=linux/amd64 ")
    tag = f"{bench.repository}:arm64"
    done = buildx(bench, fixed, "--platform", "linux/arm64", "--load", "-t", tag)
    assert done.returncode == 0, done.stderr
    said = ["docker", "image", "inspect", "--format", "{{.Architecture}}", tag]
    assert subprocess.run(said, capture_output=True, text=True, check=True).stdout.strip() == "arm64"
    held = ["docker", "run", "--rm", "--platform", "linux/arm64", tag, "cat", "/machine"]
    assert subprocess.run(held, capture_output=True, text=True, check=True).stdout.strip() == "x86_64"

    answer, _ = proposal(bench, fixed)
    assert isinstance(answer, Declined)
    assert "Dockerfile:1 is made for amd64 alone" in answer.reason
