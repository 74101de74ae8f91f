"""What a compile costs and gives decides how much the user is asked."""

from __future__ import annotations

import pytest

from phasewise.model.phase import Phase, Risk
from phasewise.model.repo import RepoView, Target
from phasewise.rules.drop_compileall import DropCompileall


@pytest.mark.parametrize(
    ("lines", "risk"),
    [
        ("ENV UV_COMPILE_BYTECODE=1\nRUN uv sync\n", Risk.ASK),
        ("RUN uv sync --compile-bytecode\n", Risk.ASK),
        ("RUN pip install --compile numpy\n", Risk.ASK),
        ("RUN python -m compileall -b /opt\n", Risk.SAFE),
        ("ENV UV_COMPILE_BYTECODE=1\nRUN uv sync && python -m compileall -b /opt\n", Risk.SAFE),
    ],
)
def test_bytecode_that_an_installer_leaves_for_every_start_goes_only_when_asked(
    lines: str, risk: Risk
) -> None:
    text = f"FROM python:3.12-slim\n{lines}"
    phase = DropCompileall().propose(
        RepoView(Target("Dockerfile"), {"Dockerfile": text}, frozenset({"Dockerfile"})), {}
    )
    assert isinstance(phase, Phase)
    assert phase.risk is risk
