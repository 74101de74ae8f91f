"""The split, built for real: smaller, and everything that the checks saw before is still there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from msgspec import Struct

from phasewise.cli.demo.create import create as create_demo
from phasewise.migration.events import BuildFinished, Verified
from phasewise.migration.git import Repository
from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.migration.scan import scan, view
from phasewise.migration.verify import verify
from phasewise.model.measurement import Outcome, Verification
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.split_base_builder import SplitBaseBuilder
from tests.stories import bahr, bot_core, phentrieve, truthgraph

pytestmark = pytest.mark.engine

MB = 1_000_000

APP = """\
import http.server
import os
{imports}

open("/app/written-at-start", "w").close() if os.environ.get("WRITES") else None
if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


class Image(Struct, frozen=True):
    tag: str
    bytes: int


class Workshop:
    """Builds texts of one repository's Dockerfile and checks the images."""

    def __init__(self, engine: Engine, repository: str, folder: Path) -> None:
        self.engine, self.repository, self.folder = engine, repository, folder
        self.count = 0

    def build(self, target: Target, text: str, stage: str | None = None) -> Image:
        """Builds `text` in place of the target's Dockerfile; fails the test when it does not build."""
        self.count += 1
        (self.folder / target.dockerfile).write_text(text, encoding="utf-8", newline="")
        tag = f"{self.repository}:{self.folder.name}-{self.count}".lower()
        *_, finished = self.engine.build(
            self.folder / target.context,
            self.folder / target.dockerfile,
            tag=tag,
            stage=stage or target.stage,
            labels={REPOSITORY_LABEL: self.repository},
        )
        assert isinstance(finished, BuildFinished)
        assert finished.outcome is Outcome.BUILT, finished.error
        return Image(tag, self.engine.inspect(tag).size_bytes)

    def verify(self, image: Image, baseline: Verification | None = None) -> Verification:
        *_, verified = verify(self.engine, image.tag, commit="c0ffee", baseline=baseline)
        assert isinstance(verified, Verified)
        return verified.verification

    def run(self, image: Image, *command: str, user: str = "") -> str:
        """What a command prints in the image."""
        options = ["--user", user] if user else []
        done = subprocess.run(
            [
                "docker",
                "run",
                "--rm",
                "--network",
                "none",
                *options,
                "--entrypoint",
                command[0],
                image.tag,
                *command[1:],
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def lacks(self, image: Image, *commands: str) -> bool:
        """Whether none of `commands` is on the image's PATH."""
        script = "for c in " + " ".join(commands) + "; do command -v $c; done; true"
        return self.run(image, "sh", "-c", script) == ""


Open = Callable[[str], Workshop]


@pytest.fixture
def workshop(engine: Engine, repository: str, tmp_path: Path) -> Iterator[Open]:
    made: list[Workshop] = []

    def make(name: str) -> Workshop:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        made.append(Workshop(engine, repository, folder))
        return made[-1]

    yield make
    for shop in made:
        tags = [f"{repository}:{shop.folder.name}-{number}".lower() for number in range(1, shop.count + 1)]
        engine.remove(tags)


def small(shop: Workshop, dockerfile: str, files: Mapping[str, str]) -> RepoView:
    """A repository of a few files, written into the workshop."""
    everything = {"Dockerfile": dockerfile, **files}
    for path, text in everything.items():
        (shop.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (shop.folder / path).write_text(text, encoding="utf-8")
    return RepoView(Target("Dockerfile"), everything, frozenset(everything))


def split(view: RepoView) -> tuple[Phase, str]:
    """The phase, and the Dockerfile after it; proposing again must give nothing."""
    phase = SplitBaseBuilder().propose(view, {})
    assert isinstance(phase, Phase), phase
    again = SplitBaseBuilder().propose(view.with_edits(phase.edits), {})
    assert isinstance(again, Declined)
    (edit,) = phase.edits
    assert edit.after
    return phase, edit.after


def migrate(shop: Workshop, view: RepoView) -> tuple[Image, Image]:
    """Both images; all that passed on the first passes on the second."""
    _, text = split(view)
    before = shop.build(view.target, view.files[view.target.dockerfile])
    baseline = shop.verify(before)
    after = shop.build(view.target, text)
    broken = shop.verify(after, baseline).broken_since(baseline)
    assert not broken, "\n".join(f"{result.id}: {result.explanation or result.detail}" for result in broken)
    assert any(result.id.startswith("import:") for result in baseline.results)
    return before, after


def test_a_driver_compiled_from_source_finds_its_library(workshop: Open) -> None:
    shop = workshop("psycopg2")
    view = small(
        shop,
        r"""FROM python:3.12-slim
# psycopg2 is compiled against Debian's libpq.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
EXPOSE 8000
CMD ["python", "app.py"]
""",
        {"requirements.txt": "psycopg2==2.9.11\n", "app.py": APP.format(imports="import psycopg2")},
    )
    before, after = migrate(shop, view)
    assert before.bytes - after.bytes > 100 * MB
    assert shop.lacks(after, "gcc", "cc", "ld", "pg_config")
    assert shop.run(after, "python", "-c", "import psycopg2; print(psycopg2.__libpq_version__ > 0)") == "True"


def test_extensions_from_sdists_work_for_the_user_who_owns_them(workshop: Open) -> None:
    shop = workshop("chown")
    view = small(
        shop,
        r"""FROM python:3.12-slim AS base
# Compilers; libyaml and libffi for the extensions.
# curl is for the health check.
RUN apt-get update && apt-get install -y --no-install-recommends \
    # build
    build-essential \
    libffi-dev \
    libyaml-dev \
    # run
    curl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app

FROM base AS development
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
RUN cc --version && curl --version

FROM base AS builder
RUN python -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt numpy==2.3.5

FROM base AS production
ENV PATH="/opt/venv/bin:$PATH" \
    WRITES=1
COPY --from=builder /opt/venv /opt/venv
COPY . .
RUN useradd --uid 10001 --no-create-home app \
    && mkdir -p data/uploads \
    && chown -R app:app /opt/venv /app
USER app
EXPOSE 8000
HEALTHCHECK --interval=5s CMD curl --fail http://127.0.0.1:8000/
CMD ["python", "app.py"]
""",
        {
            "requirements.txt": "--no-binary cffi,pyyaml\ncffi==2.0.0\npyyaml==6.0.3\n",
            "app.py": APP.format(imports="import cffi, yaml, numpy\nyaml.CSafeLoader"),
        },
    )
    before, after = migrate(shop, view)
    assert before.bytes - after.bytes > 250 * MB
    assert shop.lacks(after, "gcc", "make")
    owners = "stat -c %U /opt/venv /opt/venv/bin/python /app /app/app.py /app/data /app/data/uploads"
    assert set(shop.run(after, "sh", "-c", owners).split()) == {"app"}
    shop.run(after, "sh", "-c", "touch /app/x /app/data/uploads/x /opt/venv/x")
    _, text = split(view)
    shop.build(view.target, text, stage="development")


def test_uv_installs_into_an_environment_instead_of_the_system(workshop: Open) -> None:
    shop = workshop("uv")
    view = small(
        shop,
        r"""FROM python:3.12-slim
RUN <<EOF
set -e
apt-get update
apt-get install -y --no-install-recommends gcc libc6-dev
EOF
RUN pip install --no-cache-dir uv==0.9.9
WORKDIR /app
COPY pyproject.toml .
RUN --mount=type=cache,target=/root/.cache/uv uv pip install --system -r pyproject.toml
COPY . .
CMD ["python", "app.py"]
""",
        {
            "pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndependencies = ["markupsafe==3.0.3", "idna"]\n'
            '[tool.uv]\nno-binary-package = ["markupsafe"]\n',
            "app.py": APP.format(imports="import markupsafe._speedups, idna"),
        },
    )
    _, text = split(view)
    before = shop.build(view.target, view.files["Dockerfile"])
    after = shop.build(view.target, text)
    assert before.bytes - after.bytes > 100 * MB
    assert shop.lacks(after, "gcc", "uv")
    where = "import markupsafe._speedups as m; print(m.__file__)"
    assert shop.run(after, "python", "-c", where).startswith("/opt/venv/")


def test_what_cron_starts_finds_packages_without_path(workshop: Open) -> None:
    shop = workshop("cron")
    view = small(
        shop,
        r"""FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends cron gcc libc6-dev
COPY requirements.txt /
RUN pip install --no-cache-dir -r /requirements.txt
COPY app.py /app/
CMD ["cron", "-f"]
""",
        {
            "requirements.txt": "--no-binary markupsafe\nmarkupsafe==3.0.3\nalembic\n",
            "app.py": "import markupsafe\n",
        },
    )
    before, after = migrate(shop, view)
    assert before.bytes - after.bytes > 100 * MB
    shop.run(after, "env", "-i", "/usr/local/bin/python", "-c", "import markupsafe._speedups")
    assert "alembic" in shop.run(after, "/usr/local/bin/alembic", "--help")


CASES = Path(__file__).parent.parent / "rules" / "split_base_builder"
IMPORTS = {
    "an-environment-already-cache-mounts-arguments": "lxml.etree",
    "each-stage-installs-for-itself": "regex",
    "heredocs-and-openmp-that-came-with-the-compiler": "lightgbm",
    "purged-in-a-later-layer-which-saves-nothing": "psycopg2",
}
AROUND = {"requirements-dev.txt": "idna\n", "app/__init__.py": "", "main.py": "", "app.py": ""}


@pytest.mark.parametrize("name", IMPORTS)
def test_examples_build_and_load_what_they_install(name: str, workshop: Open) -> None:
    shop = workshop("example")
    files = {
        str(p.relative_to(CASES / name / "files")): p
        for p in (CASES / name / "files").rglob("*")
        if p.is_file()
    }
    view = small(
        shop,
        (CASES / name / "before.Dockerfile").read_text(),
        AROUND | {path: file.read_text() for path, file in files.items()},
    )
    _, text = split(view)
    after = shop.build(view.target, text)
    assert shop.lacks(after, "gcc", "cc", "g++")
    shop.run(after, "python", "-c", f"import {IMPORTS[name]}")
    if "AS development" in text:
        development = shop.build(view.target, text, stage="development")
        shop.run(development, "cc", "--version")


STORIES = {"demo": create_demo, "bahr": bahr.create, "truthgraph": truthgraph.create}


@pytest.mark.parametrize("name", STORIES)
def test_the_stories_that_need_it_build_and_pass(name: str, workshop: Open) -> None:
    shop = workshop(name)
    STORIES[name](shop.folder)
    repository = Repository.open(shop.folder)
    before, after = migrate(shop, view(repository, "HEAD", scan(repository, "HEAD")[0]))
    assert after.bytes < before.bytes


@pytest.mark.parametrize("story", [bot_core, phentrieve], ids=lambda story: story.__name__)
def test_a_clean_runtime_is_left_alone(story, tmp_path: Path) -> None:
    repository = Repository.open(story.create(tmp_path / "story"))
    for target in scan(repository, "HEAD"):
        answer = SplitBaseBuilder().propose(view(repository, "HEAD", target), {})
        assert isinstance(answer, Declined), target
