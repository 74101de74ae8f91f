"""The CI variant really built: much smaller, its tests pass in it, and the check sees every drift."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from phasewise.migration.census import take_census
from phasewise.migration.events import BuildFinished
from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.model.builds.references import build_references
from phasewise.model.census import Built, Census
from phasewise.model.measurement import Outcome
from phasewise.model.phase import Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.add_ci_variant import AddCiVariant

pytestmark = pytest.mark.engine

FILES = {
    "Dockerfile": (
        "FROM python:3.12-slim AS builder\n"
        "RUN python -m venv /opt/venv\n"
        'ENV PATH="/opt/venv/bin:$PATH"\n'
        "COPY requirements.txt models.txt ./\n"
        "RUN pip install --no-cache-dir --no-compile -r requirements.txt\n"
        "\n"
        "FROM python:3.12-slim\n"
        'ENV PATH="/opt/venv/bin:$PATH"\n'
        "WORKDIR /srv\n"
        "COPY --from=builder /opt/venv /opt/venv\n"
        "COPY app/ app/\n"
        "COPY tests/ tests/\n"
        'CMD ["python", "-m", "app.main"]\n'
    ),
    ".dockerignore": ".git\nrequirements-*.txt\n",
    "requirements.txt": "# The service\nidna\n-r models.txt\n",
    "models.txt": "pandas==2.3.3\nscikit-learn==1.7.2\n",
    "app/__init__.py": "",
    "app/main.py": "import idna\n\nfrom app.model import mean\n\n\ndef name():\n    return idna.encode('ö.de')\n",
    "app/model.py": (
        "def mean(values):\n    import pandas\n\n    return pandas.Series(values).mean()\n\n\n"
        "def scale(values):\n    from sklearn.preprocessing import scale\n\n    return scale(values)\n"
    ),
    "tests/__init__.py": "",
    "tests/test_main.py": (
        "import importlib.util\nimport unittest\n\nfrom app.main import mean, name\n\n\n"
        "class Test(unittest.TestCase):\n"
        "    def test_name(self):\n"
        "        self.assertEqual(name(), b'xn--nda.de')\n\n"
        "    @unittest.skipUnless(importlib.util.find_spec('pandas'), 'no pandas')\n"
        "    def test_mean(self):\n"
        "        self.assertEqual(mean([1, 3]), 2)\n"
    ),
    ".github/workflows/ci.yml": (
        "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n"
        "      - run: docker build -t app:test .\n"
        "      - run: docker run app:test python -m unittest\n"
    ),
}


def build(engine: Engine, repository: str, root: Path, dockerfile: str, name: str) -> str:
    tag = f"{repository}:{name}"
    *_, finished = engine.build(root, root / dockerfile, tag=tag, labels={REPOSITORY_LABEL: repository})
    assert isinstance(finished, BuildFinished)
    assert finished.outcome is Outcome.BUILT, finished.error
    return tag


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def check(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "ci/check_requirements_ci.py", *arguments, "requirements-ci.txt"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_production_and_variant(engine: Engine, repository: str, tmp_path: Path) -> None:
    for path, text in FILES.items():
        write(tmp_path, path, text)
    production = build(engine, repository, tmp_path, "Dockerfile", "production")
    census = take_census(engine, production)
    view = RepoView(
        Target("Dockerfile"), FILES, frozenset(FILES), build_references(FILES, FILES), census=census
    )

    phase = AddCiVariant().propose(view, {})
    assert isinstance(phase, Phase), phase
    assert phase.choices[0].picked == {"pandas", "scikit-learn"}
    predicted = sum(option.image_bytes or 0 for option in phase.choices[0].options)
    assert predicted > 100_000_000
    for edit in phase.edits:
        write(tmp_path, edit.path, edit.after or "")

    variant = build(engine, repository, tmp_path, "Dockerfile.ci", "ci")
    saved = engine.inspect(production).size_bytes - engine.inspect(variant).size_bytes
    print(
        f"production {engine.inspect(production).size_bytes:,}, CI {engine.inspect(variant).size_bytes:,} bytes"
    )
    gone = census_saving(phase)
    assert abs(saved - gone) < 0.05 * gone, (saved, gone)

    for image, skipped in ((production, False), (variant, True)):
        result = engine.run(image, ["python", "-m", "unittest", "-v"])
        assert result.ok, result.stderr
        assert ("skipped" in result.stderr) is skipped

    installed = census.distribution("idna")
    assert installed
    assert (
        f"idna=={installed.version}  # production: idna\n" in (tmp_path / "requirements-ci.txt").read_text()
    )
    inside = take_census(engine, variant)
    found = inside.distribution("idna")
    assert found
    assert found.version == installed.version
    assert inside.distribution("numpy") is None

    assert check(tmp_path).returncode == 0
    write(tmp_path, "requirements.txt", FILES["requirements.txt"] + "attrs==25.4.0\n")
    result_of_check = check(tmp_path)
    assert result_of_check.returncode == 1
    assert "+attrs==25.4.0" in result_of_check.stdout
    assert check(tmp_path, "--write").returncode == 0
    write(tmp_path, "app/model.py", "import numpy\n\nmean = numpy.mean\n")
    assert "app/model.py:1 imports numpy" in check(tmp_path).stdout
    write(tmp_path, "app/model.py", "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n")
    assert check(tmp_path).returncode == 0


def census_saving(phase: Phase) -> int:
    """The megabytes that the prediction names, in bytes."""
    words = phase.predicted.because.split()
    return int(words[words.index("MB") - 1]) * 1_000_000


def test_a_project_with_extras(engine: Engine, repository: str, tmp_path: Path) -> None:
    files = {
        "Dockerfile": (
            "FROM python:3.12-slim\nWORKDIR /srv\nCOPY pyproject.toml ./\nCOPY app/__init__.py app/__init__.py\n"
            'RUN set -eu; extras="ml"; pip install --no-cache-dir --no-compile ".[${extras}]"; rm -rf /tmp/*\n'
            "COPY app/ app/\n"
            'CMD ["python", "-m", "app.main"]\n'
        ),
        "pyproject.toml": (
            '[project]\nname = "app"\nversion = "1"\ndependencies = ["idna==3.11"]\n'
            '[project.optional-dependencies]\nml = ["numpy==2.3.5", "attrs==25.4.0"]\n'
            '[tool.setuptools]\npackages = ["app"]\n'
        ),
        "app/__init__.py": "",
        "app/main.py": "import attr\nimport idna\n\n\ndef mean(values):\n    import numpy\n",
        "compose.yaml": "services:\n  tests:\n    build: .\n",
    }
    view = RepoView(Target("Dockerfile"), files, frozenset(files), build_references(files, files))
    phase = AddCiVariant().propose(view, {})
    assert isinstance(phase, Phase), phase
    for path, text in {**files, **{edit.path: edit.after or "" for edit in phase.edits}}.items():
        write(tmp_path, path, text)
    variant = build(engine, repository, tmp_path, "Dockerfile.ci", "project-ci")
    names = {each.name for each in take_census(engine, variant).distributions}
    assert {"app", "attrs", "idna"} <= names
    assert "numpy" not in names
    assert engine.run(variant, ["python", "-c", "import app.main"]).ok
    changed = replace(view, files=view.with_edits(phase.edits).files)
    assert changed.files["compose.yaml"].endswith("      dockerfile: Dockerfile.ci\n")
    assert check(tmp_path).returncode == 0


COMPILING = {
    "Dockerfile": (
        "FROM python:3.12-slim AS builder\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \\\n"
        "    && rm -rf /var/lib/apt/lists/*\n"
        "RUN python -m venv /opt/venv\n"
        "COPY requirements.txt .\n"
        "RUN /opt/venv/bin/pip install --no-cache-dir --no-compile -r requirements.txt\n"
        "\n"
        "FROM python:3.12-slim\n"
        "COPY --from=builder /opt/venv /opt/venv\n"
        "COPY main.py .\n"
        'CMD ["/opt/venv/bin/python", "main.py"]\n'
    ),
    "main.py": "import xxhash\n\nprint(xxhash.xxh32(b'').hexdigest())\n\n\ndef f():\n    import numpy\n",
    "compose.yaml": "services:\n  tests:\n    build: .\n",
}


def light_of(
    engine: Engine, repository: str, root: Path, requirements: str, name: str
) -> tuple[Phase, Census]:
    """The phase for a repository with these requirements, its files written, and what production's image holds."""
    files = {**COMPILING, "requirements.txt": requirements}
    for path, text in files.items():
        write(root, path, text)
    census = take_census(engine, build(engine, repository, root, "Dockerfile", name))
    view = RepoView(
        Target("Dockerfile"), files, frozenset(files), build_references(files, files), census=census
    )
    phase = AddCiVariant().propose(view, {})
    assert isinstance(phase, Phase), phase
    for edit in phase.edits:
        write(root, edit.path, edit.after or "")
    return phase, census


def test_compilers_stay_only_where_something_is_compiled(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    wheels, source = tmp_path / "wheels", tmp_path / "source"
    phase, _ = light_of(engine, repository, wheels, "numpy==2.3.5\nxxhash==3.6.0\n", "wheels")
    without = (wheels / "Dockerfile.ci").read_text()
    assert "goes without gcc and libc6-dev" in phase.why
    assert "apt-get" not in without
    image = build(engine, repository, wheels, "Dockerfile.ci", "wheels-ci")
    assert engine.run(image, ["/opt/venv/bin/python", "main.py"]).stdout.strip() == "02cc5d05"

    compiled = "--no-binary xxhash\nnumpy==2.3.5\nxxhash==3.6.0\n"
    phase, census = light_of(engine, repository, source, compiled, "source")
    built = {each.name: each.built for each in census.distributions}
    assert (built["xxhash"], built["numpy"]) == (Built.HERE, Built.ELSEWHERE)
    assert "still installed in Dockerfile.ci, since xxhash is compiled from its source" in phase.why
    image = build(engine, repository, source, "Dockerfile.ci", "source-ci")
    assert engine.run(image, ["/opt/venv/bin/python", "main.py"]).stdout.strip() == "02cc5d05"

    write(source, "Dockerfile.ci", without)
    *_, naive = engine.build(source, source / "Dockerfile.ci")
    assert isinstance(naive, BuildFinished)
    assert naive.outcome is not Outcome.BUILT, "whoever takes the compiler away here breaks the build"
