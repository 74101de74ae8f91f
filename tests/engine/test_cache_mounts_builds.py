"""Cache mounts for real: the second build downloads nothing, the image is the same, and the caches hold something."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from before_and_after import Trial
from msgspec.structs import replace

from phasewise.migration.events import BuildFinished, LogLine
from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.model.measurement import Outcome
from phasewise.model.phase import Phase
from phasewise.model.repo import Target
from phasewise.rules.cache_mounts import CacheMounts

pytestmark = pytest.mark.engine

DOCKERFILE = r"""FROM python:3.12-slim
ARG WHEN
ENV PIP_NO_CACHE_DIR=1
RUN : $WHEN; apt-get update \
    && apt-get install -y --no-install-recommends libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1001 --create-home app
USER app
ENV PATH=/home/app/.local/bin:$PATH
RUN : $WHEN; pip install --user --no-cache-dir --disable-pip-version-check idna==3.10 docopt==0.6.2
CMD ["python", "-c", "import idna, docopt"]
"""
NAIVE = DOCKERFILE.replace(
    "RUN : $WHEN; apt", "RUN --mount=type=cache,target=/var/cache/apt : $WHEN; apt"
).replace("RUN : $WHEN; pip", "RUN --mount=type=cache,target=/home/app/.cache/pip : $WHEN; pip")

BRANCHES = r"""FROM python:3.12-slim
ARG WHEN
RUN if [ "$WHEN" = other ]; then \
    apt-get update && apt-get install -y --no-install-recommends libgdbm-compat4 && \
    rm -rf /var/lib/apt/lists/*; \
    else \
    apt-get update && apt-get install -y --no-install-recommends libyaml-0-2 && \
    rm -rf /var/lib/apt/lists/*; \
    fi
CMD ["python"]
"""

STAGES = r"""FROM python:3.12-slim AS common
RUN apt-get update && apt-get install -y --no-install-recommends libyaml-0-2
FROM common AS prod
CMD ["python"]
FROM common AS dev
RUN apt-get update && apt-get install -y --no-install-recommends libgdbm-compat4 && rm -rf /var/lib/apt/lists/*
CMD ["python"]
"""


def log(trial: Trial, text: str, namespace: str, when: str) -> str:
    """What the steps print in a build whose mounts nobody else uses; another `when` runs them again."""
    trial.write("Dockerfile", text)
    *events, finished = trial.shop.engine.build(
        trial.shop.folder,
        trial.shop.folder / "Dockerfile",
        tag=f"{trial.shop.repository}:mounts-cached",
        labels={REPOSITORY_LABEL: trial.shop.repository},
        arguments={"BUILDKIT_CACHE_MOUNT_NS": namespace, "WHEN": namespace + when},
    )
    assert isinstance(finished, BuildFinished)
    assert finished.outcome is Outcome.BUILT, finished.error
    return "\n".join(event.text for event in events if isinstance(event, LogLine))


def test_a_second_build_finds_what_the_first_one_downloaded(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    trial = Trial(engine, repository, tmp_path / "mounts", DOCKERFILE, {"x": ""})
    before = trial.build()
    _, text = trial.propose(CacheMounts())
    namespace = uuid.uuid4().hex
    first = log(trial, text, namespace, "first")
    again = log(trial, text, namespace, "again")
    assert "Building wheel for docopt" in first
    assert "Building wheel for docopt" not in again
    assert "Need to get 0 B" in again
    assert "Need to get 0 B" not in first

    after = trial.build(text)
    assert not trial.broken(before, after)
    assert abs(after.bytes - before.bytes) < 1_000_000
    left = (
        "find /home/app/.cache /var/lib/apt/lists /var/cache/apt -type f 2>/dev/null | grep -v pkgcache; true"
    )
    assert trial.shop.run(after, "sh", "-c", left, user="0") == ""

    trial.shop.run(after, "sh", "-c", "mkdir -p ~/.cache/x", user="app")

    # The naive way: root owns pip's cache, docker-clean and --no-cache-dir are still there.
    namespace = uuid.uuid4().hex
    log(trial, NAIVE, namespace, "first")
    naive = log(trial, NAIVE, namespace, "again")
    assert "Building wheel for docopt" in naive
    assert "Need to get 0 B" not in naive


def test_every_branch_finds_what_it_downloaded(engine: Engine, repository: str, tmp_path: Path) -> None:
    trial = Trial(engine, repository, tmp_path / "branches", BRANCHES, {"x": ""})
    _, text = trial.propose(CacheMounts())
    namespace = uuid.uuid4().hex
    log(trial, text, namespace, "first")
    assert "Need to get 0 B" in log(trial, text, namespace, "again")

    # The naive way: docker-clean goes in front of the first apt-get, in the other branch.
    front = "rm -f /etc/apt/apt.conf.d/docker-clean \\\n    && "
    inside = text.replace(front, "").replace("apt-get update", f"{front}apt-get update", 1)
    namespace = uuid.uuid4().hex
    log(trial, inside, namespace, "first")
    assert "Need to get 0 B" not in log(trial, inside, namespace, "again")


def test_stages_on_top_of_the_target_s_keep_no_packages(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    trial = Trial(engine, repository, tmp_path / "stages", STAGES, {"x": ""})
    development = trial.build()
    seen = replace(trial.view, target=Target("Dockerfile", stage="prod"))
    phase = CacheMounts().propose(seen, {})
    assert isinstance(phase, Phase)
    text = seen.with_edits(phase.edits).files["Dockerfile"]
    packages = "ls /var/cache/apt/archives/*.deb 2>/dev/null; true"

    after = trial.build(text)
    assert trial.shop.run(after, "sh", "-c", packages) == ""
    assert after.bytes < development.bytes

    # The naive way: docker-clean goes for the target, and the other stage's step stays as it was.
    kept = STAGES[STAGES.index("FROM common AS dev") :]
    naive = trial.build(text[: text.index("FROM common AS dev")] + kept)
    assert "libgdbm" in trial.shop.run(naive, "sh", "-c", packages)
