"""A git of the test's own, and a repository with one commit."""

import os
from pathlib import Path

import pytest
from git_sandbox import DOCKERFILE, Sandbox


@pytest.fixture(autouse=True)
def own_git_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """git with a user of the test's own, and nothing of the machine's; the file may be written to."""
    for name in [
        name for name in os.environ if name.startswith("GIT_") and not name.startswith("GIT_PYTHON")
    ]:
        monkeypatch.delenv(name)
    settings = tmp_path / "gitconfig"
    settings.write_text('[user]\n name = Ada\n email = ada@example.com\n[protocol "file"]\n allow = always\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return settings


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A repository with one commit that holds DOCKERFILE."""
    sandbox = Sandbox.create(tmp_path / "work" / "service")
    sandbox.commit("start", Dockerfile=DOCKERFILE)
    return sandbox
