"""Narrow copies for real: smaller, with every command and data file that the wide ones brought."""

from __future__ import annotations

from pathlib import Path

import pytest
from before_and_after import Trial

from phasewise.migration.images import Engine
from phasewise.rules.narrow_copy_from import NarrowCopyFrom

pytestmark = pytest.mark.engine

MB = 1_000_000
SITE = "/usr/local/lib/python3.12/site-packages"
DOCKERFILE = """FROM python:3.12-slim AS deps
RUN pip install --no-cache-dir --user uv==0.9.9
COPY requirements.txt .
COPY tides/ /src/tides/
RUN pip install --no-cache-dir -r requirements.txt && pip install --no-cache-dir /src/tides
FROM python:3.12-slim
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
{copies}
COPY app.py .
CMD ["uvicorn", "app:app"]
"""
WIDE = "COPY --from=deps /usr/local /usr/local\nCOPY --from=deps /root/.local /root/.local"
NAIVE = (
    f"COPY --from=deps {SITE} {SITE}\n"
    "COPY --from=deps /usr/local/bin/python* /usr/local/bin/\nCOPY --from=deps /usr/local/bin/pip* /usr/local/bin/"
)
FILES = {
    "requirements.txt": "uvicorn==0.38.0\nmako==1.3.10\n",
    # A wheel with a file in share, as many have that work beside a notebook.
    "tides/setup.py": "from setuptools import setup\n"
    "setup(name='tides', version='1', py_modules=['tides'], data_files=[('share/tides', ['levels.csv'])])\n",
    "tides/tides.py": "import sys\n\nLEVELS = open(sys.prefix + '/share/tides/levels.csv').read()\n",
    "tides/levels.csv": "3.2\n",
    "app.py": "import mako, tides\n\nasync def app(scope, receive, send): ...\n",
}


def test_the_interpreter_is_written_once_and_commands_and_data_are_there(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    trial = Trial(engine, repository, tmp_path / "narrow", DOCKERFILE.format(copies=WIDE), FILES)
    before = trial.build()
    phase, text = trial.propose(NarrowCopyFrom(), before)
    assert [line for line in text.splitlines() if line.startswith("COPY --from")] == [
        "COPY --from=deps /usr/local/bin /usr/local/bin",
        f"COPY --from=deps {SITE} {SITE}",
        "COPY --from=deps /usr/local/share/tides /usr/local/share/tides",
    ]
    after = trial.build(text)
    assert not trial.broken(before, after)

    saved = before.bytes - after.bytes
    assert saved > 70 * MB
    assert phase.predicted.image_bytes is not None
    assert 0.9 * -phase.predicted.image_bytes < saved < 1.1 * -phase.predicted.image_bytes
    for command in ("uvicorn", "mako-render"):
        assert "usage" in trial.shop.run(after, command, "--help").lower()
    assert trial.shop.lacks(after, "/root/.local/bin/uv")

    naive = trial.build(DOCKERFILE.format(copies=NAIVE))
    broken = {result.id for result in trial.broken(before, naive)}
    assert {"command", "app", "import:tides"} <= broken


def test_a_hand_picked_list_gets_the_commands_that_are_called(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    files = {**FILES, "app.py": "import mako\n\nasync def app(scope, receive, send): ...\n"}
    trial = Trial(engine, repository, tmp_path / "picked", DOCKERFILE.format(copies=NAIVE), files)
    before = trial.build()
    assert trial.shop.lacks(before, "uvicorn")
    phase, text = trial.propose(NarrowCopyFrom(), before)
    assert any('CMD ["uvicorn"' in evidence.text for evidence in phase.evidence)
    after = trial.build(text)
    assert not trial.broken(before, after)
    assert text.count("COPY --from") == 2
    assert "Usage" in trial.shop.run(after, "uvicorn", "--help")


HOME = """FROM python:3.12-slim AS deps
RUN useradd --create-home --uid 10001 app
USER app
COPY requirements.txt /home/app/src/
RUN pip install --user -r /home/app/src/requirements.txt
FROM python:3.12-slim
COPY --from=deps --chown=10001:10001 /home/app /home/app
ENV PATH=/home/app/.local/bin:$PATH HOME=/home/app
USER 10001
WORKDIR /tmp
CMD ["uvicorn", "--version"]
"""


def test_caches_stay_behind_and_the_home_belongs_to_its_user(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    trial = Trial(engine, repository, tmp_path / "home", HOME, {"requirements.txt": "uvicorn==0.38.0\n"})
    before = trial.build()
    _, text = trial.propose(NarrowCopyFrom(), before)
    after = trial.build(text)
    assert not trial.broken(before, after)
    assert before.bytes > after.bytes
    assert trial.shop.run(after, "sh", "-c", "cd /home/app && ls -A && stat -c %u . .local").split() == [
        ".local",
        "src",
        "10001",
        "10001",
    ]
