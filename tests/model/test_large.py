"""Whether an environment that was not measured may be large: what lists, locks and the Dockerfile name."""

from __future__ import annotations

import pytest

from phasewise.model.python.large import may_hold_large_packages
from phasewise.model.repo import RepoView, Target

DOCKERFILE = "FROM python:3.12-slim\nCOPY . .\nRUN pip install -r requirements.txt\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"requirements.txt": "flask==3.1.1\n"}, False),
        ({"requirements.txt": "flask==3.1.1\nPandas[excel]==2.2.3\n"}, True),
        ({"requirements.txt": "scikit_learn==1.5\n"}, True),
        ({"requirements.txt": "# once numpy\nnumpy-financial==1.0\nmy-torch==1\n"}, False),
        ({"requirements.txt": "flask\n", "uv.lock": '[[package]]\nname = "scipy"\n'}, True),
        ({"requirements.txt": "flask\n", "docs/index.md": "numpy\n"}, False),
        ({}, True),
    ],
)
def test_what_is_named(files: dict[str, str], expected: bool) -> None:
    texts = {"Dockerfile": DOCKERFILE, **files}
    assert may_hold_large_packages(RepoView(Target("Dockerfile"), texts, frozenset(texts))) is expected
