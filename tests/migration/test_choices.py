"""The user's decisions survive a restart, and a damaged file loses nothing that matters."""

from pathlib import Path

from phasewise.migration.choices import Choices


def test_decisions_are_read_back(tmp_path: Path) -> None:
    choices = Choices(tmp_path)
    choices.pick("Dockerfile", "add_ci_variant", "leave_out", frozenset({"scipy", "torch"}))
    choices.tick("Dockerfile", "add_ci_variant", "compose.yml", False)
    choices.tick("Dockerfile", "add_ci_variant", "ci.yml", False)
    choices.tick("Dockerfile", "add_ci_variant", "ci.yml", True)
    choices.tick_hunks("Dockerfile", "pin_base", "Dockerfile", ["aa", "bb"], False)
    choices.tick_hunks("Dockerfile", "pin_base", "Dockerfile", ["aa"], True)
    choices.skip("Dockerfile", "strip_symbols", True)
    choices.decide_branch()

    again = Choices(tmp_path)
    wishes = again.wishes("Dockerfile")
    assert wishes.picks == {"add_ci_variant": {"leave_out": frozenset({"scipy", "torch"})}}
    assert wishes.unticked == {"add_ci_variant": frozenset({"compose.yml"})}
    assert wishes.left_out == {"pin_base": {"Dockerfile": frozenset({"bb"})}}
    assert wishes.skipped == {"strip_symbols"}
    assert again.branch_decided


def test_targets_do_not_mix(tmp_path: Path) -> None:
    choices = Choices(tmp_path)
    choices.skip("a/Dockerfile", "strip_symbols", True)
    assert choices.wishes("b/Dockerfile").skipped == frozenset()


def test_skip_can_be_taken_back(tmp_path: Path) -> None:
    choices = Choices(tmp_path)
    choices.skip("Dockerfile", "x", True)
    choices.skip("Dockerfile", "x", False)
    assert Choices(tmp_path).wishes("Dockerfile").skipped == frozenset()


def test_damaged_file_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "phasewise").mkdir()
    (tmp_path / "phasewise" / "choices.json").write_text("{ not json")
    assert Choices(tmp_path).wishes("Dockerfile").picks == {}
    Choices(tmp_path).decide_branch()
    assert Choices(tmp_path).branch_decided
