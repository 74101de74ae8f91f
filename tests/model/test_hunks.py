"""Hunks: what they hold, that their ids outlive a change of place, and what is left without some of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasewise.model.hunks import hunks, is_ticked, numbered, without
from phasewise.model.partial import problem
from phasewise.model.phase import FileEdit

BEFORE = "FROM a\nRUN one\nENV A=1\nRUN one\nCMD x\n"
AFTER = "FROM b\nRUN one\nRUN two\nENV A=1\nCMD x\n"
EDIT = FileEdit("Dockerfile", BEFORE, AFTER)
LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n"]), max_size=8).map("".join)


def test_a_hunk_is_a_run_of_changed_lines() -> None:
    found = hunks(EDIT)
    assert [(hunk.removed, hunk.added, hunk.line) for hunk in found] == [
        (("FROM a\n",), ("FROM b\n",), 1),
        ((), ("RUN two\n",), 3),
        (("RUN one\n",), (), 4),
    ]
    assert [hunk.first for hunk in found] == ["-FROM a", "+RUN two", "-RUN one"]
    assert numbered(EDIT, "2") == numbered(EDIT, found[1].id) == found[1]
    assert numbered(EDIT, "4") is None


def test_a_blank_line_says_nothing() -> None:
    (hunk,) = hunks(FileEdit("f", "a\n", "a\n\nb\n"))
    assert hunk.first == "+b"


def test_ids_come_from_the_content_and_not_from_the_place() -> None:
    moved = FileEdit("Dockerfile", "# new\n\n" + BEFORE, "# new\n\n" + AFTER)
    assert [hunk.id for hunk in hunks(moved)] == [hunk.id for hunk in hunks(EDIT)]
    less = without(EDIT, [hunks(EDIT)[0].id])
    assert [hunk.id for hunk in hunks(less)] == [hunk.id for hunk in hunks(EDIT)[1:]]


def test_the_same_change_at_a_second_place_is_another_hunk() -> None:
    edit = FileEdit("Dockerfile", "FROM a\nRUN x\nFROM a\n", "FROM b\nRUN x\nFROM b\n")
    first, second = hunks(edit)
    assert first.id != second.id
    assert without(edit, [second.id]).after == "FROM b\nRUN x\nFROM a\n"


@given(LINES, LINES, st.booleans(), st.booleans())
def test_all_or_nothing(before: str, after: str, bare_before: bool, bare_after: bool) -> None:
    edit = FileEdit("f", before + "end" * bare_before, after + "end" * bare_after)
    ids = [hunk.id for hunk in hunks(edit)]
    assert len(set(ids)) == len(ids)
    assert without(edit, []).after == edit.after
    assert without(edit, ids).after == edit.before
    assert not without(edit, ids).changes


@given(LINES, LINES, st.sets(st.integers(0, 5)))
def test_what_is_left_out_stays_as_it_was_and_the_rest_is_the_same(
    before: str, after: str, left_out: set[int]
) -> None:
    edit = FileEdit("f", before, after)
    found = hunks(edit)
    gone = [hunk.id for number, hunk in enumerate(found) if number in left_out]
    part = without(edit, gone)
    removed = sum(len(hunk.removed) for hunk in found if hunk.id not in gone)
    added = sum(len(hunk.added) for hunk in found if hunk.id not in gone)
    assert (part.after or "").count("\n") == before.count("\n") - removed + added


def test_the_end_of_the_file_is_part_of_its_hunk() -> None:
    edit = FileEdit("f", "a\r\nb", "a\r\nc\r\nd\r\n")
    (hunk,) = hunks(edit)
    assert (hunk.removed, hunk.added) == (("b",), ("c\r\n", "d\r\n"))
    assert without(edit, [hunk.id]).after == "a\r\nb"


@pytest.mark.parametrize(("before", "after"), [(None, "a\nb\n"), ("a\nb\n", None), (None, "")])
def test_a_file_that_comes_or_goes_is_one_hunk(before: str | None, after: str | None) -> None:
    edit = FileEdit("f", before, after)
    part = without(edit, [hunk.id for hunk in hunks(edit)])
    assert (part.after == before) is bool(hunks(edit))
    assert without(edit, ["elsewhere"]) == edit


def test_ticks() -> None:
    assert is_ticked({}, "f", "1")
    assert not is_ticked({"f": frozenset()}, "f", "1"), "the whole file is left out"
    assert not is_ticked({"f": frozenset({"1"})}, "f", "1")
    assert is_ticked({"f": frozenset({"1"})}, "f", "2")


SPLIT = FileEdit(
    "Dockerfile",
    "FROM a\nRUN make\nCMD x\n",
    "FROM a AS builder\nRUN make\nFROM b\nCOPY --from=builder /x /x\nCMD x\n",
)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(1, "Dockerfile:4 would need the stage builder"), (2, "")],
)
def test_a_stage_that_is_left_out_is_missed(number: int, reason: str) -> None:
    part = without(SPLIT, [hunks(SPLIT)[number - 1].id])
    assert problem(SPLIT, part).startswith(reason)
    assert bool(problem(SPLIT, part)) is bool(reason)


def test_mounts_and_bases_refer_to_stages_too() -> None:
    after = "FROM a AS one\nFROM ONE AS two\nFROM two\nRUN --mount=type=bind,from=one,target=/x true\n"
    whole = FileEdit("Dockerfile", "FROM a\n", after)
    gone = FileEdit("Dockerfile", "FROM a\n", after.replace("FROM a AS one\n", "FROM a\n"))
    assert "Dockerfile:2 would need the stage ONE" in problem(whole, gone)
    gone = FileEdit(
        "Dockerfile", "FROM a\n", after.replace("FROM a AS one\nFROM ONE AS two\n", "FROM a AS two\n")
    )
    assert "Dockerfile:3 would need the stage one" in problem(whole, gone)
    assert problem(whole, whole) == ""


def test_what_does_not_parse_is_told() -> None:
    whole = FileEdit("Dockerfile", "FROM a\nRUN x\n", "FROM a\nRUN <<E\nx\nE\n")
    part = FileEdit("Dockerfile", "FROM a\nRUN x\n", "FROM a\nRUN <<E\nx\n")
    assert "would not parse" in problem(whole, part)
    stages = FileEdit("Dockerfile", "FROM a AS t\n", "FROM b AS t\n")
    assert "no stage t any more" in problem(stages, FileEdit("Dockerfile", "FROM a AS t\n", "FROM b\n"))


def test_yaml_must_stay_yaml_and_other_files_are_free() -> None:
    whole = FileEdit("ci.yml", "a: 1\n", "a:\n  b: 1\n")
    assert "no YAML" in problem(whole, FileEdit("ci.yml", "a: 1\n", "a: 1\n  b: 1\n"))
    assert problem(whole, whole) == ""
    assert problem(FileEdit("x.txt", "a", "b"), FileEdit("x.txt", "a", "c")) == ""
    assert problem(whole, FileEdit("ci.yml", "a: 1\n", None)) == ""
