"""Declared checks are read from the commit, and a wrong one is told with its place."""

import pytest
from git_sandbox import Sandbox

from phasewise.migration.errors import Usage
from phasewise.migration.settings import read_settings
from phasewise.migration.verify import DeclaredCheck

CHECK = '[[{}checks]]\nname = "migrate"\ncommand = ["alembic", "check"]\n'


def test_none(sandbox: Sandbox) -> None:
    assert read_settings(sandbox.open(), sandbox.head()).checks == ()


def test_in_pyproject(sandbox: Sandbox) -> None:
    sandbox.commit("declare", **{"pyproject.toml": CHECK.format("tool.phasewise.")})
    assert read_settings(sandbox.open(), sandbox.head()).checks == (
        DeclaredCheck("migrate", ("alembic", "check")),
    )


def test_a_file_of_its_own_wins(sandbox: Sandbox) -> None:
    own = CHECK.format("") + "network = true\ntimeout_seconds = 5\n"
    sandbox.commit("declare", **{"pyproject.toml": "not even toml", "phasewise.toml": own})
    (check,) = read_settings(sandbox.open(), sandbox.head()).checks
    assert check == DeclaredCheck("migrate", ("alembic", "check"), network=True, timeout_seconds=5.0)


def test_the_commit_counts_and_not_the_work_tree(sandbox: Sandbox) -> None:
    sandbox.write("phasewise.toml", CHECK.format(""))
    assert read_settings(sandbox.open(), sandbox.head()).checks == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("checks = [", "phasewise.toml: "),
        ('checks = "x"', "checks must be an array of tables"),
        ("checks = [1]", "check 1 is not a table"),
        ('[[checks]]\nname = "a"\ncommand = ["b"]\nshell = true\n', "check 1: unknown key shell"),
        ('[[checks]]\ncommand = ["b"]\n', "check 1: needs a name"),
        ('[[checks]]\nname = "a"\ncommand = "rm -rf /"\n', "command must be an array of strings"),
        ('[[checks]]\nname = "a"\ncommand = []\n', "command must be an array of strings"),
        ('[[checks]]\nname = "a"\ncommand = ["b"]\nnetwork = 1\n', "network is true or false"),
        ('[[checks]]\nname = "a"\ncommand = ["b"]\ntimeout_seconds = true\n', "timeout_seconds a number"),
    ],
)
def test_what_is_wrong_is_told(sandbox: Sandbox, text: str, said: str) -> None:
    sandbox.commit("declare", **{"phasewise.toml": text})
    with pytest.raises(Usage, match=said):
        read_settings(sandbox.open(), sandbox.head())
