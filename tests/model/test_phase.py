"""Phases, their edits as diffs that git applies, and plans."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasewise.model.phase import Choice, FileEdit, Option, Phase, Plan, Risk, split_lines
from phasewise.model.text import encode


def phase(*edits: FileEdit, id: str = "some_rule") -> Phase:
    return Phase(id, "A title", "Because.", edits, (), Risk.SAFE)


def test_a_phase_without_edits_cannot_be() -> None:
    with pytest.raises(ValueError, match="a phase without edits"):
        phase()
    with pytest.raises(ValueError, match="a phase without edits"):
        phase(FileEdit("Dockerfile", "FROM a\n", "FROM a\n"))


def test_files_and_diff() -> None:
    edits = (FileEdit("Dockerfile", "FROM a\nRUN b\n", "FROM a\n"), FileEdit("new.txt", None, "x\n"))
    both = phase(*edits)
    assert both.files == ("Dockerfile", "new.txt")
    assert both.diff() == (
        "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,2 +1 @@\n FROM a\n-RUN b\n"
        "--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+x\n"
    )
    assert both.only(frozenset({"new.txt"})).files == ("new.txt",)
    with pytest.raises(ValueError, match="without edits"):
        both.only(frozenset())


def test_a_choice_has_its_picks_among_its_options() -> None:
    options = (Option("none", "None"), Option("app", "The application's"))
    assert Choice("bytecode", "Which?", options, frozenset({"app"})).picked == {"app"}
    assert Choice("heavy", "Which?", options, frozenset(), multiple=True).picked == frozenset()
    with pytest.raises(ValueError, match="no such option: other"):
        Choice("bytecode", "Which?", options, frozenset({"other"}))
    with pytest.raises(ValueError, match="exactly one"):
        Choice("bytecode", "Which?", options, frozenset({"none", "app"}))


def test_a_plan_finds_its_phases() -> None:
    one = phase(FileEdit("a", "1", "2"), id="one")
    plan = Plan((one,), ())
    assert plan.phase("one") is one
    assert plan.phase("two") is None


def test_lines_end_at_newlines_only() -> None:
    text = "a\r\nb\x0cc\u2028d\re\nf"
    assert split_lines(text) == ["a\r\n", "b\x0cc\u2028d\re\n", "f"]
    assert split_lines("") == []
    assert split_lines("a\n") == ["a\n"]


PIECES = st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "d\x0c\u2028e\n", "\udcff\n", "-- x\n", "no newline"])
TEXTS = st.lists(PIECES, max_size=10).map("".join)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_git_applies_the_diff(tmp_path_factory: pytest.TempPathFactory, before: str, after: str) -> None:
    if before == after:
        return
    folder: Path = tmp_path_factory.mktemp("work")
    target = folder / "some dir" / "Dockerfile.x"
    target.parent.mkdir()
    if before:
        target.write_bytes(encode(before))
    edit = FileEdit("some dir/Dockerfile.x", before or None, after or None)
    command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(command, cwd=folder, input=encode(edit.diff()), check=True)
    assert (target.read_bytes() if target.exists() else b"") == encode(after)
