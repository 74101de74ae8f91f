"""Choosing an application file and touching it in a copy that leaves the original alone."""

from pathlib import Path

import pytest

from phasewise.migration.touch import application_file, copied, touch
from phasewise.model.repo import Target


def write(root: Path, dockerfile: str, *paths: str, ignore: str = "", name: str = "Dockerfile") -> Path:
    for path in (*paths, name):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x = 1\n")
    (root / name).write_text(dockerfile)
    if ignore:
        (root / ".dockerignore").write_text(ignore)
    return root


FILES = (
    "setup.py",
    "app/__init__.py",
    "app/main.py",
    "app/deep/more.py",
    "tests/test_app.py",
    "tools/gen.py",
)


@pytest.mark.parametrize(
    ("dockerfile", "chosen"),
    [
        ("FROM x\nCOPY requirements.txt .\nRUN pip install\nCOPY . .\n", "app/main.py"),
        ("FROM x\nCOPY app /app\nCOPY tools/gen.py .\n", "app/main.py"),
        ("FROM x\nCOPY --chown=1000 app/ tools/ /srv/\n", "app/main.py"),
        ("FROM x\nCOPY app/*.py /app/\n", "app/main.py"),
        ("FROM x\nARG DIR=app\nCOPY $DIR /app\n", "app/main.py"),
        ('FROM x\nCOPY ["app", "/app"]\n', "app/main.py"),
        ("FROM x AS b\nCOPY app /app\nFROM y\nCOPY --from=b /app /app\n", "app/main.py"),
        ("FROM x AS other\nCOPY app /app\nFROM y\nCOPY tools /t\n", "tools/gen.py"),
        ("FROM x\nCOPY tests /t\n", None),
        ("FROM x\nRUN true\n", None),
        ("nonsense\n", None),
    ],
)
def test_the_file_is_application_code_that_the_target_copies(
    tmp_path: Path, dockerfile: str, chosen: str | None
) -> None:
    assert application_file(write(tmp_path, dockerfile, *FILES), Target("Dockerfile")) == chosen


def test_a_file_that_is_copied_early_too_is_not_chosen(tmp_path: Path) -> None:
    write(
        tmp_path, "FROM x\nCOPY app/main.py app/\nRUN install\nCOPY app /app\n", "app/main.py", "app/views.py"
    )
    assert application_file(tmp_path, Target("Dockerfile")) == "app/views.py"


def test_ignored_files_are_not_chosen(tmp_path: Path) -> None:
    write(tmp_path, "FROM x\nCOPY . .\n", *FILES, ignore="# app\ntools\napp/main.py\n")
    assert application_file(tmp_path, Target("Dockerfile")) == "app/__init__.py"


def test_context_and_dockerfile_may_lie_anywhere(tmp_path: Path) -> None:
    write(tmp_path, "FROM x\nCOPY app /app\n", "backend/app/main.py", name="docker/api.Dockerfile")
    assert application_file(tmp_path, Target("docker/api.Dockerfile", "backend")) == "backend/app/main.py"
    (tmp_path / "docker" / "api.Dockerfile.dockerignore").write_text("app\n")
    assert application_file(tmp_path, Target("docker/api.Dockerfile", "backend")) is None


def test_touching_the_copy_leaves_the_original_alone(tmp_path: Path) -> None:
    write(tmp_path, "FROM x\n", "app/main.py")
    (tmp_path / "app" / "main.py").chmod(0o750)
    (tmp_path / "link").symlink_to("nowhere")
    original = (tmp_path / "app" / "main.py").read_bytes()
    with copied(tmp_path) as copy:
        touch(copy / "app" / "main.py")
        once = (copy / "app" / "main.py").read_bytes()
        touch(copy / "app" / "main.py")
        twice = (copy / "app" / "main.py").read_bytes()
        assert original != once != twice
        assert twice.startswith(original)
        assert (copy / "app" / "main.py").stat().st_mode & 0o777 == 0o750
        assert (copy / "link").is_symlink()
    assert (tmp_path / "app" / "main.py").read_bytes() == original
    assert not copy.exists()
