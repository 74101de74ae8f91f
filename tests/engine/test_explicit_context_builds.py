"""A smaller build context, built: what the image needs is in it still, and what nothing reads is not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from before_and_after import Trial
from engine_bench import Bench

from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.migration.rawjson import ObjectSplitter
from phasewise.model.builds.dockerignore import is_ignored
from phasewise.model.phase import Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.explicit_context import ExplicitContext

pytestmark = pytest.mark.engine

MB = 1_000_000
DOCKERFILE = """\
FROM python:3.12-slim
RUN pip install --no-cache-dir hatchling==1.27.0
WORKDIR /app
COPY . .
RUN pip install --no-cache-dir --no-build-isolation --no-deps .
CMD ["python", "-c", "import verses"]
"""
FILES = {
    "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    '[project]\nname = "verses"\nversion = "1"\nreadme = "README.md"\n',
    "README.md": "# Verses\n",
    "NOTES.md": "nothing reads this\n",
    "verses/__init__.py": "import pathlib\n\nWORDS = pathlib.Path('/app/alembic', 'words.txt').read_text()\n",
    "alembic/words.txt": "one two\n",
    "tests/test_verses.py": "import verses\n",
    "docs/film.txt": "x" * 5 * MB,
}


def ignoring(trial: Trial, phase: Phase) -> None:
    for edit in phase.edits:
        trial.write(edit.path, edit.after or "")


def test_the_needless_is_gone_and_nothing_else(engine: Engine, repository: str, tmp_path: Path) -> None:
    trial = Trial(engine, repository, tmp_path, DOCKERFILE, FILES)
    trial.write(".git/objects/pack", "x" * 3 * MB)
    trial.write(".env", "PASSWORD=1\n")
    trial.write("verses/__pycache__/old.pyc", "")
    before = trial.build()
    seen = RepoView(
        trial.view.target,
        trial.view.files,
        trial.view.paths,
        sizes={path: len(text) for path, text in trial.view.files.items()},
    )
    phase = ExplicitContext().propose(seen, {})
    assert isinstance(phase, Phase)
    ignoring(trial, phase)
    after = trial.build()
    assert trial.broken(before, after) == []
    listed = trial.shop.run(after, "ls", "-A", "/app").split()
    assert sorted(listed) == [
        ".dockerignore",
        "README.md",
        "alembic",
        "pyproject.toml",
        "verses",
    ]
    assert before.bytes - after.bytes > 8 * MB
    assert phase.predicted.image_bytes is not None
    assert -phase.predicted.image_bytes - 5 * MB < 10_000


def transferred_bytes(repository: str, folder: Path) -> int:
    """What BuildKit says of the context that it was sent. What it has of an earlier build from a folder of that
    name is not sent again."""
    command = [
        "docker",
        "buildx",
        "build",
        "--progress=rawjson",
        "--label",
        f"{REPOSITORY_LABEL}={repository}",
    ]
    command += ["--tag", f"{repository}:{folder.name}", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [each for each in ObjectSplitter().feed(built.stderr) if isinstance(each, dict)]
    states = [state for each in said for state in each.get("statuses") or ()]
    return max(state["current"] for state in states if state["id"].startswith("transferring context"))


def test_less_is_sent_to_the_engine(engine: Engine, repository: str, tmp_path: Path) -> None:
    text = "FROM python:3.12-slim\nCOPY . /app\n"
    bench = Bench(engine, repository, tmp_path / f"whole-{repository[-6:]}", FILES)
    files = {**FILES, "Dockerfile": text}
    (bench.folder / "Dockerfile").write_text(text)
    sizes = {path: len(content) for path, content in files.items()}
    phase = ExplicitContext().propose(
        RepoView(Target("Dockerfile"), files, frozenset(files), sizes=sizes), {}
    )
    assert isinstance(phase, Phase)
    assert phase.predicted.image_bytes is not None
    less = bench.folder.with_name(f"less-{repository[-6:]}")
    shutil.copytree(bench.folder, less)
    (less / ".dockerignore").write_text(phase.edits[0].after or "")
    fewer_bytes = transferred_bytes(repository, bench.folder) - transferred_bytes(repository, less)
    # Headers of what is sent come on top of the files' bytes.
    assert abs(fewer_bytes + phase.predicted.image_bytes) < 2_000

    # What git does not know is kept out as well, and is in no figure: it differs from machine to machine.
    for folder in (bench.folder, less):
        for path in (".git/pack", ".venv/lib/big"):
            (folder / path).parent.mkdir(parents=True)
            (folder / path).write_text("x" * MB)
    assert transferred_bytes(repository, bench.folder) > 2 * MB
    assert transferred_bytes(repository, less) < 2_000


@pytest.mark.parametrize(
    ("naive", "dockerfile", "error"),
    [
        ("*.md\n", DOCKERFILE, "README.md"),
        ("alembic\n", f"{DOCKERFILE}COPY alembic /alembic\n", "/alembic"),
        ("tests\n", f"{DOCKERFILE}RUN python -m unittest tests.test_verses || test $? = 5\n", "tests"),
    ],
)
def test_what_breaks_when_it_is_left_out_stays(
    engine: Engine, repository: str, tmp_path: Path, naive: str, dockerfile: str, error: str
) -> None:
    bench = Bench(engine, repository, tmp_path, FILES)
    (tmp_path / ".dockerignore").write_text(naive)
    assert error in bench.error(dockerfile)
    files = {**FILES, "Dockerfile": dockerfile}
    phase = ExplicitContext().propose(RepoView(Target("Dockerfile"), files, frozenset(files)), {})
    assert isinstance(phase, Phase)
    (tmp_path / ".dockerignore").write_text(phase.edits[0].after or "")
    bench.build(dockerfile)


def test_named_copies_bring_the_same_files(engine: Engine, repository: str, tmp_path: Path) -> None:
    text = "FROM python:3.12-slim\nWORKDIR /app\nCOPY --chown=7:7 . .\n"
    bench = Bench(engine, repository, tmp_path, FILES)
    files = {**FILES, "Dockerfile": text}
    view = RepoView(Target("Dockerfile"), files, frozenset(files))
    done = [ExplicitContext().propose(view, {"copies": frozenset({way})}) for way in ("ignore", "name")]
    found = []
    for phase in done:
        assert isinstance(phase, Phase)
        after = view.with_edits(phase.edits)
        (tmp_path / ".dockerignore").write_text(after.files[".dockerignore"])
        image = bench.build(after.files["Dockerfile"])
        found.append(
            bench.run(image, "find", "/app", "-mindepth", "1", "-type", "f", "-printf", "%P %u %m\n")
        )
    expected = [line for line in sorted(found[0].splitlines()) if not line.startswith(".dockerignore")]
    assert sorted(found[1].splitlines()) == expected
    assert len(expected) == 4


def test_patterns_mean_what_the_engine_takes_them_for(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    patterns = (
        "# comment\n\n*.md\n!README.md\n**/__pycache__\n/docs/\n./build\ndata/**\n!data/keep/**\nlogs*\n"
        "te?t\n**/*.log\n[ab].txt\nsrc/*/gen\n!src/one/gen/kept.py\n  spaced  \n"
    )
    names = [
        "README.md", "NOTES.md", "pkg/NOTES.md", "__pycache__/a", "pkg/deep/__pycache__/a", "docs/a", "pkg/docs/a",
        "build/x", "data/a", "data/keep/b", "data/other/c", "logs.txt", "logs-old/a", "test/a", "text/a", "tests/a",
        "deep/er/x.log", "x.log", "a.txt", "c.txt", "src/one/gen/a.py", "src/one/gen/kept.py", "src/one/b.py",
        "src/gen/a.py", "spaced/a", ".dockerignored",
    ]  # fmt: skip
    bench = Bench(engine, repository, tmp_path, {**dict.fromkeys(names, ""), ".dockerignore": patterns})
    image = bench.build("FROM python:3.12-slim\nCOPY . /context\n")
    came = bench.run(image, "find", "/context", "-type", "f", "-printf", "%P\n").splitlines()
    expected = {name for name in names if not is_ignored(patterns, name)} | {"Dockerfile", ".dockerignore"}
    assert set(came) == expected
