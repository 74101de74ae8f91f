"""Which files an image starts with, and which are its tests."""

import pytest

from phasewise.model.python.entry_points import application_starts, suites_of
from phasewise.model.repo import RepoView, Target

FILES = {
    "api/app/__init__.py": "",
    "api/app/main.py": "",
    "api/app/__main__.py": "",
    "api/app/tasks.py": "",
    "api/app/tests/test_inner.py": "",
    "api/run.py": "",
    "api/start.sh": "#!/bin/sh\nset -e\nexec gunicorn -w 2 app.main:app\n",
    "api/tests/unit/test_a.py": "",
    "api/test_root.py": "",
    "api/conftest.py": "",
    "api/docs/conf.py": "",
    "api/pyproject.toml": '[project]\nname = "app"\n[project.scripts]\nserve = "app.main:run"\n',
    "other/tests/test_b.py": "",
}


def view_of(command: str, copy: str = "COPY . .") -> RepoView:
    dockerfile = f"FROM python:3.12-slim AS base\nWORKDIR /srv\nFROM base\n{copy}\n{command}\n"
    files = {**FILES, "api/Dockerfile": dockerfile}
    return RepoView(Target("api/Dockerfile", "api"), files, frozenset(files))


@pytest.mark.parametrize(
    ("command", "starts"),
    [
        ('CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0"]', ("api/app/main.py",)),
        ("CMD gunicorn -k uvicorn.workers.UvicornWorker app.main:create_app()", ("api/app/main.py",)),
        ('CMD ["python", "-m", "app"]', ("api/app/__main__.py",)),
        ('CMD ["python", "-m", "uvicorn", "app.main:app"]', ("api/app/main.py",)),
        ('CMD ["celery", "-A", "app.tasks", "worker"]', ("api/app/tasks.py",)),
        ('CMD ["python", "run.py"]', ("api/run.py",)),
        ('ENTRYPOINT ["python"]\nCMD ["/srv/run.py"]', ("api/run.py",)),
        ('ENTRYPOINT ["./start.sh"]', ("api/app/main.py",)),
        ('CMD ["serve"]', ("api/app/main.py",)),
        ('CMD ["python", "run.py"]\nCMD ["celery", "-A", "app.tasks", "worker"]', ("api/app/tasks.py",)),
    ],
)
def test_the_command_tells(command: str, starts: tuple[str, ...]) -> None:
    assert application_starts(view_of(command)) == starts


def test_a_file_that_came_from_another_stage_is_found_by_its_path() -> None:
    assert application_starts(view_of('CMD ["uvicorn", "app.main:app"]', "COPY --from=base /x /srv")) == (
        "api/app/main.py",
    )


def test_without_a_telling_command_the_whole_application_starts() -> None:
    assert application_starts(view_of('CMD ["supervisord"]')) == ("api/app", "api/run.py")


def test_tests_of_the_context() -> None:
    assert suites_of(view_of("")) == ("api/app/tests", "api/conftest.py", "api/test_root.py", "api/tests")
