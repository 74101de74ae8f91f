"""Where poetry and pipenv put what they install."""

from __future__ import annotations

import pytest

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.python.environments import environment_copies, installs

HEAD = "FROM python:3.12-slim AS builder\nWORKDIR /srv\n"
TAIL = "FROM python:3.12-slim\nCOPY --from=builder /srv/.venv /srv/.venv\n"


@pytest.mark.parametrize(
    ("lines", "environment"),
    [
        ("ENV POETRY_VIRTUALENVS_IN_PROJECT=true\nRUN poetry install --no-root\n", "/srv/.venv"),
        ("RUN POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install\n", "/srv/.venv"),
        ("RUN poetry config virtualenvs.in-project true && poetry sync\n", "/srv/.venv"),
        ("ENV PIPENV_VENV_IN_PROJECT=1\nRUN pipenv install --deploy\n", "/srv/.venv"),
        ("ENV POETRY_VIRTUALENVS_IN_PROJECT=true VIRTUAL_ENV=/opt/venv\nRUN poetry install\n", "/opt/venv"),
        ("ENV POETRY_VIRTUALENVS_IN_PROJECT=false\nRUN poetry install\n", "/usr/local"),
        ("ENV VIRTUAL_ENV=/opt/venv\nRUN uv pip sync requirements.lock\n", "/opt/venv"),
        ("RUN uv venv && uv pip sync --python .venv/bin/python r.txt\n", "/srv/.venv"),
        ("RUN .venv/bin/pip install x\n", "/srv/.venv"),
        ("RUN python -m venv ./.venv && ./.venv/bin/pip install x\n", "/srv/.venv"),
        ("RUN /srv/.venv/bin/pip-sync r.txt\n", "/srv/.venv"),
        ("RUN pip-sync --python-executable /opt/venv/bin/python\n", "/opt/venv"),
        ("RUN python3 -m piptools sync r.txt\n", "/usr/local"),
        ("ENV PIPENV_VENV_IN_PROJECT=1\nRUN pipenv sync\n", "/srv/.venv"),
        ("ENV VIRTUAL_ENV=/opt/venv\nRUN pdm sync --prod\n", "/opt/venv"),
        ("RUN poetry install\nRUN poetry config virtualenvs.in-project true\n", "/usr/local"),
    ],
)
def test_the_environment(lines: str, environment: str) -> None:
    dockerfile = Dockerfile.parse(HEAD + lines + TAIL)
    (install,) = installs(dockerfile, dockerfile.stages[0])
    assert install.environment == environment
    copies = environment_copies(dockerfile, dockerfile.stages[1])
    assert [copy.path for copy in copies] == (["/srv/.venv"] if environment == "/srv/.venv" else [])


@pytest.mark.parametrize(
    ("words", "alone"),
    [("--no-deps .", True), ("--no-deps -e .[app]", True), ("--no-deps -r r.txt", False), ("-e .", False)],
)
def test_whether_only_the_project_is_installed(words: str, alone: bool) -> None:
    dockerfile = Dockerfile.parse(f"{HEAD}RUN pip install {words}\n")
    assert [install.project_only for install in installs(dockerfile, dockerfile.stages[0])] == [alone]
