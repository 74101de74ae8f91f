"""`phasewise docs`: the list of the rules, the page of one, and what it says to a name that is none."""

from pathlib import Path

import pytest
from calling import Phasewise

from phasewise.rules.discovery import all_rules
from phasewise.rules.page import contents, page


def test_the_list(phasewise: Phasewise, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no repository is needed
    called = phasewise("docs")
    assert (called.status, called.stdout, called.stderr) == (0, contents(all_rules()), "")


def test_a_page(phasewise: Phasewise) -> None:
    called = phasewise("docs", "drop_compileall")
    (rule,) = (rule for rule in all_rules() if rule.id == "drop_compileall")
    assert (called.status, called.stdout) == (0, page(rule))


def test_no_such_rule(phasewise: Phasewise) -> None:
    called = phasewise("docs", "drop_everything")
    assert (called.status, called.stdout) == (2, "")
    assert "there is no phase drop_everything" in called.stderr
    assert "phasewise docs lists them" in called.stderr
