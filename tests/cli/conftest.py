from pathlib import Path

import pytest
from calling import Phasewise, caller
from git_fixtures import own_git_settings, sandbox

__all__ = ["own_git_settings", "sandbox"]


@pytest.fixture
def phasewise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Phasewise:
    """The command, called in this process."""
    return caller(monkeypatch, capsys)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine's address where nothing listens."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing-listens-here.sock")
