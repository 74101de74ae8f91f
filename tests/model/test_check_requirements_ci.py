"""The check as it runs in a repository: its own copy, another interpreter, nothing of ours installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from phasewise.model.ci.check_requirements_ci import fingerprint
from phasewise.model.ci.light_requirements import Settings, list_path, list_text, script_path, script_text
from phasewise.model.python.requirements import listed

FILES = {
    "requirements.txt": (
        "--extra-index-url https://example.org/simple\n"
        "-c constraints.txt\n"
        "-r base.txt\n"
        "# Models\n"
        "torch==2.9.1 \\\n"
        "    --hash=sha256:aa\n"
        "pandas>=2  # open\n"
    ),
    "base.txt": "fastapi==0.121.2 \\\n  --hash=sha256:cc --hash=sha256:dd\nuvloop==0.22.1; sys_platform != 'win32'\n",
    "constraints.txt": "starlette==0.49.3\n",
    "app/__init__.py": "",
    "app/main.py": "from fastapi import FastAPI\n\nfrom app.model import predict\n",
    "app/model.py": "def predict():\n    import torch\n",
    "tests/test_main.py": "from app.main import app\n",
}
SETTINGS = Settings("requirements.txt", ("torch",), ("functorch", "torch"), ("app/main.py", "tests"))
LIST = "requirements-ci.txt"


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(root / "ci/check_requirements_ci.py"), *(arguments or (LIST,))]
    return subprocess.run(command, cwd=root / "app", capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    script = script_path(FILES)
    pandas = next(each for each in listed("requirements.txt", FILES.__getitem__) if each.name == "pandas")
    pins = [(pandas, pandas.pinned("2.3.3"))]
    text = list_text(LIST, script, SETTINGS, pins, FILES.__getitem__)
    for path, content in {**FILES, LIST: text, script: script_text(script)}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    return tmp_path


def test_the_list_has_productions_lines_and_no_others(root: Path) -> None:
    assert (root / LIST).read_text().split("\n") == [
        "# Generated from requirements.txt for CI. Change that file, not this one; then run",
        "#     python3 ci/check_requirements_ci.py --write requirements-ci.txt",
        "# Without --write it checks, by these settings:",
        "#   production: requirements.txt",
        "#   left out: torch",
        "#   modules left out: functorch torch",
        "#   starts at: app/main.py tests",
        "--extra-index-url https://example.org/simple",
        "-c constraints.txt",
        "fastapi==0.121.2 \\",
        "    --hash=sha256:cc \\",
        "    --hash=sha256:dd",
        "uvloop==0.22.1; sys_platform != 'win32'",
        "pandas==2.3.3  # production: pandas>=2",
        "",
    ]


def test_green_when_nothing_changed(root: Path) -> None:
    result = run(root)
    assert result.returncode == 0, result.stdout
    assert result.stdout == "the CI requirements follow production\n"


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("base.txt", "fastapi==0.121.2", "fastapi==0.122.0", "+fastapi==0.122.0"),
        ("base.txt", "sha256:dd", "sha256:ee", "+    --hash=sha256:ee"),
        ("base.txt", "!= 'win32'", "== 'linux'", "+uvloop==0.22.1; sys_platform == 'linux'"),
        ("requirements.txt", "-r base.txt\n", "-r base.txt\ncelery==5.5.3\n", "+celery==5.5.3"),
        ("requirements.txt", "pandas>=2 ", "pandas>=2.4 ", "+pandas>=2.4"),
        ("requirements.txt", "-r base.txt\n", "", "-fastapi==0.121.2"),
        (
            "requirements.txt",
            "example.org/simple",
            "example.com/simple",
            "+--extra-index-url https://example.com",
        ),
    ],
)
def test_red_when_production_changes_and_green_after_writing(
    root: Path, path: str, old: str, new: str, said: str
) -> None:
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))
    result = run(root)
    assert result.returncode == 1
    assert said in result.stdout
    assert "has drifted from requirements.txt: run this again with --write" in result.stdout
    assert run(root, "--write", LIST).returncode == 0
    assert run(root).returncode == 0


def test_what_is_left_out_may_change(root: Path) -> None:
    text = (root / "requirements.txt").read_text()
    (root / "requirements.txt").write_text(
        text.replace("torch==2.9.1", "torch==2.10.0").replace("# Models", "#")
    )
    assert run(root).returncode == 0


def test_red_when_the_list_is_edited_by_hand(root: Path) -> None:
    text = (root / LIST).read_text()
    (root / LIST).write_text(f"{text}pytest==8.4.2\n")
    result = run(root)
    assert result.returncode == 1
    assert "-pytest==8.4.2" in result.stdout


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (
            "app/model.py",
            "import torch\n",
            "app/model.py:1 imports torch, which requirements-ci.txt leaves out",
        ),
        (
            "app/model.py",
            "\nfrom functorch import vmap\npredict = vmap\n",
            "app/model.py:2 imports functorch.vmap",
        ),
        ("tests/test_ml.py", "import torch.nn\n", "tests/test_ml.py:1 imports torch.nn"),
        ("app/model.py", "from . import late\npredict = 1\n", "app/late.py:1 imports torch"),
    ],
)
def test_red_when_the_application_imports_what_is_left_out(
    root: Path, path: str, text: str, said: str
) -> None:
    (root / "app/late.py").write_text("import torch\n")
    (root / path).write_text(text)
    result = run(root)
    assert result.returncode == 1
    assert said in result.stdout


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import torch\nexcept ImportError:\n    torch = None\n",
        "def predict():\n    from torch import nn\n",
        "if False:\n    import torch\n",
    ],
)
def test_green_for_guarded_imports(root: Path, text: str) -> None:
    (root / "app/model.py").write_text(text)
    assert run(root).returncode == 0


def test_modules_that_nothing_starts_may_import_anything(root: Path) -> None:
    (root / "app/train.py").write_text("import torch\n")
    (root / ".venv").mkdir()
    (root / ".venv/torch.py").write_text("import torch\n")
    assert run(root).returncode == 0


def test_a_project_with_extras(tmp_path: Path) -> None:
    project = (
        '[project]\nname = "app"\ndependencies = ["fastapi==1"]\n[project.optional-dependencies]\n'
        'ml = ["torch==2", "pillow==12"]\n'
    )
    script = script_path({"scripts/x.sh"})
    assert script == "scripts/check_requirements_ci.py"
    settings = Settings("api/pyproject.toml[ml]", ("torch",))
    path = list_path("api/pyproject.toml[ml]")
    assert path == "api/requirements-ci.txt"
    text = list_text(path, script, settings, (), {"api/pyproject.toml": project}.__getitem__)
    assert text.endswith("fastapi==1\npillow==12\n")
    (tmp_path / "api").mkdir()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "api/pyproject.toml").write_text(project)
    (tmp_path / path).write_text(text)
    (tmp_path / script).write_text(script_text(script))
    command = [sys.executable, "-I", str(tmp_path / script), path]
    assert subprocess.run(command, check=False).returncode == 0
    (tmp_path / "api/pyproject.toml").write_text(project.replace("pillow==12", "pillow==13"))
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_the_copy_names_its_own_path() -> None:
    assert "scripts/check_requirements_ci.py requirements-ci.txt" in script_text(
        "scripts/check_requirements_ci.py"
    )
    assert "import phasewise" not in script_text("x")
    assert "from phasewise" not in script_text("x")


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("requirements.txt", "requirements-ci.txt"),
        ("api/requirements/prod.txt", "api/requirements/prod-ci.txt"),
        ("pyproject.toml", "requirements-ci.txt"),
    ],
)
def test_where_the_list_goes(source: str, path: str) -> None:
    assert list_path(source) == path


def test_long_settings_are_wrapped_and_read_back() -> None:
    names = tuple(f"package-number-{n}" for n in range(40))
    files = {"r.txt": "".join(f"{name}==1\n" for name in names) + "kept==1\n"}
    text = list_text("r-ci.txt", "ci/x.py", Settings("r.txt", names), (), files.__getitem__)
    assert max(map(len, text.split("\n"))) <= 110
    assert text.split("\n")[-2:] == ["kept==1", ""]


def test_a_changed_dockerfile_of_production_is_seen_until_it_is_noted(root: Path) -> None:
    (root / "Dockerfile").write_text("FROM a\nRUN b\n")
    text = (root / LIST).read_text()
    digest = fingerprint("FROM a\nRUN b")
    made_from = f"#   dockerfile: Dockerfile.ci Dockerfile {digest}"
    (root / LIST).write_text(text.replace("#   left out", f"{made_from}\n#   left out"))
    assert run(root).returncode == 0, run(root).stdout
    (root / "Dockerfile").write_text("# why\nFROM a\n\nRUN b\n")
    assert run(root).returncode == 0
    (root / "Dockerfile").write_text("FROM a\nRUN c\n")
    red = run(root)
    assert red.returncode == 1
    assert red.stdout == (
        "Dockerfile has changed since Dockerfile.ci was made from it: change Dockerfile.ci alike, then --write\n"
    )
    assert run(root, "--write", LIST).returncode == 0
    assert run(root).returncode == 0
