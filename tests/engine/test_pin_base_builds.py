"""Pinned bases, built with local images under a name of their own: both stages start from the same one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.model.phase import Declined
from phasewise.model.repo import RepoView, Target
from phasewise.rules.pin_base import PinBase

pytestmark = pytest.mark.engine


@pytest.fixture
def bases(engine: Engine, repository: str, tmp_path: Path) -> Iterator[str]:
    """A repository of images with a floating tag and an exact one, which are different releases."""
    name = f"{repository}/python"
    (tmp_path / "bases").mkdir()
    bench = Bench(engine, repository, tmp_path / "bases")
    for tag, release in (("3.12-slim", "new"), ("3.12.7-slim-bookworm", "old")):
        image = bench.build(f"FROM python:3.12-slim\nRUN echo {release} > /release\n")
        engine.tag(image, f"{name}:{tag}")
    yield name
    engine.remove([f"{name}:3.12-slim", f"{name}:3.12.7-slim-bookworm"])


def test_both_stages_start_from_the_same_release(
    engine: Engine, repository: str, tmp_path: Path, bases: str
) -> None:
    bench = Bench(engine, repository, tmp_path)
    before = f"FROM {bases}:3.12.7-slim-bookworm AS builder\nRUN cp /release /built\n"
    before += f"FROM {bases}:3.12-slim\nCOPY --from=builder /built /built\n"
    assert bench.run(bench.build(before), "cat", "/built", "/release") == "old\nnew"
    _, text = bench.migrate(PinBase(), before)
    assert bench.run(bench.build(text), "cat", "/built", "/release") == "old\nold"


def test_an_argument_that_a_path_is_made_of_keeps_its_value(
    engine: Engine, repository: str, tmp_path: Path, bases: str
) -> None:
    bench = Bench(engine, repository, tmp_path)
    text = f"ARG V=3.12\nFROM {bases}:3.12.7-slim-bookworm AS builder\nFROM {bases}:${{V}}-slim\nARG V\n"
    text += "RUN ls /usr/local/lib/python${V}/site-packages\n"
    bench.build(text)
    naive = text.replace("V=3.12", "V=3.12.7").replace("${V}-slim", "${V}-slim-bookworm")
    assert "python3.12.7" in bench.error(naive)
    view = RepoView(Target("Dockerfile"), {"Dockerfile": text}, frozenset({"Dockerfile"}))
    answer = PinBase().propose(view, {})
    assert isinstance(answer, Declined)
    assert "a stage uses V" in answer.reason
