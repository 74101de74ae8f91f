"""Figures for packages that an earlier phase moved, built: what the baseline's census predicts is what goes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.rules.prune_site_packages import PruneSitePackages
from phasewise.rules.split_base_builder import SplitBaseBuilder
from phasewise.rules.strip_symbols import StripSymbols

pytestmark = pytest.mark.engine

MB = 1_000_000
DOCKERFILE = """\
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
CMD ["python", "-c", "import numpy.testing, kiwisolver, yaml; print('up')"]
"""
# Two with symbols, one with tests of which it imports some itself.
FILES = {"requirements.txt": "kiwisolver\nnumpy==2.3.5\npyyaml\n"}


def test_behind_a_split_the_figures_of_the_one_stage_hold(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path, FILES)
    images = [bench.build(DOCKERFILE)]
    census, text, predicted = bench.census(images[0]), DOCKERFILE, []
    for rule in (SplitBaseBuilder(), StripSymbols(), PruneSitePackages()):
        phase, text = bench.migrate(rule, text, census)
        predicted.append(-(phase.predicted.image_bytes or 0))
        images.append(bench.build(text))
    assert (
        bench.run(images[-1], "python", "-c", "import numpy.testing, kiwisolver, yaml; print('up')") == "up"
    )
    sizes = [bench.size(image) for image in images]
    split, stripped, pruned = (before - after for before, after in pairwise(sizes))
    print(f"sizes {sizes}, predicted {predicted}")
    assert 0.9 * predicted[0] < split < 1.1 * predicted[0]
    assert predicted[1] > 5 * MB
    assert 0.9 * predicted[1] < stripped < 1.1 * predicted[1]
    # The tests that numpy imports are counted, and stay; the environment's pip comes with bytecode.
    assert predicted[2] > 5 * MB
    assert 0.5 * predicted[2] < pruned < 1.3 * predicted[2]
