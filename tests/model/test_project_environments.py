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
        ("RUN poetry install\nRUN poetry config virtualenvs.in-project true\n", "/usr/local"),
    ],
)
def test_the_environment(lines: str, environment: str) -> None:
    dockerfile = Dockerfile.parse(HEAD + lines + TAIL)
    (install,) = installs(dockerfile, dockerfile.stages[0])
    assert install.environment == environment
    copies = environment_copies(dockerfile, dockerfile.stages[1])
    assert [copy.path for copy in copies] == (["/srv/.venv"] if environment == "/srv/.venv" else [])
