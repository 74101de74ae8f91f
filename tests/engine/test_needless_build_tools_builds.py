"""Builders without compilers, built for real: the same image where all comes built; where not, loud and declined."""

from __future__ import annotations

from pathlib import Path

import pytest
from before_and_after import Trial
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.model.phase import Declined
from phasewise.model.repo import RepoView, Target
from phasewise.rules.needless_build_tools import NeedlessBuildTools

pytestmark = pytest.mark.engine

MB = 1_000_000
TOOLS = (
    "RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev git \\\n"
    "    && rm -rf /var/lib/apt/lists/*\n"
)
BUILDER = f"FROM python:3.12-slim AS builder\n{TOOLS}"
INSTALL = """\
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --no-cache-dir -r requirements.txt
"""
STRIP = "RUN find /opt/venv -name '_speedups*.so' -exec strip --strip-unneeded {} +\n"
FINAL = """\
FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY app.py .
CMD ["python", "app.py"]
"""
# MarkupSafe has a compiled part, idna none.
WHEELS = {"requirements.txt": "markupsafe==3.0.2\nidna==3.10\n", "app.py": "import idna, markupsafe\n"}
# For this Python there is no wheel of it, and its only part is compiled.
SOURCE = {"requirements.txt": "spidev==3.6\n", "app.py": "import spidev\n"}


@pytest.mark.parametrize("strip", ["", STRIP])
def test_the_same_image_from_a_smaller_builder(
    strip: str, engine: Engine, repository: str, tmp_path: Path
) -> None:
    name = "stripped" if strip else "plain"
    trial = Trial(engine, repository, tmp_path / name, f"{BUILDER}{INSTALL}{strip}{FINAL}", WHEELS)
    before = trial.build()
    _, text = trial.propose(NeedlessBuildTools(), before)
    assert ("install -y --no-install-recommends binutils" in text) == bool(strip)
    assert ("apt-get" in text) == bool(strip)
    after = trial.build(text)
    assert trial.broken(before, after) == []
    code = "import markupsafe._speedups, idna; print(markupsafe.escape('<'))"
    assert trial.shop.run(after, "python", "-c", code).strip() == "&lt;"

    target = trial.view.target
    builders = [
        trial.shop.build(target, each, "builder").bytes for each in (trial.view.files["Dockerfile"], text)
    ]
    assert builders[0] - builders[1] > 50 * MB
    assert abs(before.bytes - after.bytes) < MB, "bytecode has dates in it"


def test_what_has_no_wheel_needs_the_compiler_and_the_build_says_so(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path, SOURCE)
    text = f"{BUILDER}{INSTALL}{FINAL}"
    image = bench.build(text)
    assert bench.run(image, "python", "-c", "import spidev; print(spidev.__version__)") == "3.6"
    files = {**SOURCE, "Dockerfile": text}
    view = RepoView(Target("Dockerfile"), files, frozenset(files), census=bench.census(image))
    answer = NeedlessBuildTools().propose(view, {})
    assert isinstance(answer, Declined)
    assert answer.reason == "gcc, libc6-dev and git stay, since spidev is compiled from its source"

    naive = text.replace(TOOLS, "")
    assert "No such file or directory: 'gcc'" in bench.error(naive)


def test_the_other_prices_that_are_told(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path, WHEELS)
    bare = f"{BUILDER.replace(TOOLS, '')}RUN pip install "
    assert "Cannot find command 'git'" in bench.error(f"{bare}git+file:///own\n")
    image = bench.build(f"{bare}--no-cache-dir --no-binary markupsafe markupsafe==3.0.2\n")
    assert "No module named" in bench.attempt(image, "python", "-c", "import markupsafe._speedups").stderr
    assert bench.run(image, "python", "-c", "import markupsafe; print(markupsafe.escape('<'))") == "&lt;"
