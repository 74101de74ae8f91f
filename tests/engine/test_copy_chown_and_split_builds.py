"""Owners set by COPY and the split, together, in turn and taken back: each Dockerfile builds with the same owners."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench
from git_sandbox import Sandbox

from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.rules.copy_chown import CopyChown
from phasewise.rules.split_base_builder import SplitBaseBuilder

pytestmark = pytest.mark.engine

BEFORE = r"""FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends make uuid-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app

FROM base AS dependencies
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --no-cache-dir -r requirements.txt

FROM base AS runtime
COPY --from=dependencies /opt/venv /opt/venv
COPY main.py .
RUN useradd --uid 1234 app && \
    mkdir -p logs && \
    chown -R app:app /app /opt/venv
USER app
CMD ["/opt/venv/bin/python", "main.py"]
"""
FILES = {"main.py": "import six\n\nprint('up')\n", "requirements.txt": "six==1.17.0\n"}
OWNERS = (
    "cd / && stat -c '%U:%G %a %n' /app /app/main.py /app/logs /opt/venv /opt/venv/bin /opt/venv/pyvenv.cfg"
)


def test_each_alone_both_and_one_taken_back(
    engine: Engine, repository: str, tmp_path: Path, git_identity: None
) -> None:
    sandbox = Sandbox.create(tmp_path / "repository")
    for path, text in {**FILES, "Dockerfile": BEFORE}.items():
        sandbox.write(path, text)
    sandbox.commit("start")
    session = Session.open(sandbox.root, rules=[CopyChown(), SplitBaseBuilder()])
    texts = {"before": BEFORE}

    def step(name: str, *, back: str = "", on: str = "") -> None:
        list(session.rollback(back, measure=False) if back else session.apply(on, measure=False))
        texts[name] = sandbox.text("Dockerfile")

    step("copy_chown", on="copy_chown")
    step("both", on="split_base_builder")
    step("split left", back="copy_chown")
    assert session.applied() == ("split_base_builder",)
    step("nothing left", back="split_base_builder")
    assert texts["nothing left"] == BEFORE
    step("split", on="split_base_builder")
    assert texts["split"] == texts["split left"]
    step("nothing left again", back="split_base_builder")
    step("owners again", on="copy_chown")
    step("both again", on="split_base_builder")
    assert texts["both again"] == texts["both"]
    step("owners left", back="split_base_builder")
    assert texts["owners left"] == texts["copy_chown"]

    bench = Bench(engine, repository, tmp_path, FILES)
    images = {text: bench.build(text) for text in dict.fromkeys(texts.values())}
    # The split sets owners too: with or without the other phase before it, the text is the same.
    assert texts["both"] == texts["split"]
    assert len(images) == 3
    assert len({bench.run(image, "sh", "-c", OWNERS) for image in images.values()}) == 1
    for image in images.values():
        assert bench.run(image, "/opt/venv/bin/python", "main.py") == "up"
        bench.run(image, "touch", "/app/logs/x", "/app/x", "/opt/venv/x")
