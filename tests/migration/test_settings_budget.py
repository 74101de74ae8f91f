"""The size budgets that a repository declares."""

from pathlib import Path

import pytest
from git_sandbox import Sandbox

from phasewise.migration.errors import Usage
from phasewise.migration.settings import Settings, read_settings


def settings(sandbox: Sandbox) -> Settings:
    commit = sandbox.commit()
    return read_settings(sandbox.open(), commit)


def test_a_budget_is_read_from_either_file(tmp_path: Path) -> None:
    sandbox = Sandbox.create(tmp_path / "a")
    sandbox.write("pyproject.toml", '[tool.phasewise.size_budget_bytes]\n"Dockerfile" = 5\n')
    assert settings(sandbox).size_budget_bytes == {"Dockerfile": 5}
    sandbox.write("phasewise.toml", '[size_budget_bytes]\n"Dockerfile" = 6\n')
    assert settings(sandbox).size_budget_bytes == {"Dockerfile": 6}


@pytest.mark.parametrize("value", ["5", '{ x = "5" }', "{ x = 0 }", "{ x = true }", "{ x = 1.5 }"])
def test_anything_but_bytes_is_refused(value: str, tmp_path: Path) -> None:
    sandbox = Sandbox.create(tmp_path / "a")
    sandbox.write("phasewise.toml", f"size_budget_bytes = {value}\n")
    with pytest.raises(Usage, match="table of bytes"):
        settings(sandbox)
