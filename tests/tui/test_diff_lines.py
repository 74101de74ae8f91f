"""A file edit as unified and side-by-side lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phasewise.model.phase import FileEdit
from phasewise.tui.present import diff
from phasewise.tui.present.languages import language

EDIT = FileEdit("a/Dockerfile", "FROM a\nRUN one\nUSER x\n", "FROM a\nRUN one two\nUSER x\nCMD y\n")


def plain(edit: FileEdit, cells: int = 40) -> list[str]:
    return [line.plain.rstrip() for line in diff.unified(edit, cells)]


def test_unified_has_removed_above_added() -> None:
    assert plain(EDIT) == ["1  FROM a", "2- RUN one", "2+ RUN one two", "3  USER x", "4+ CMD y"]


def test_side_by_side_has_before_on_the_left() -> None:
    lines = [line.plain for line in diff.side_by_side(EDIT, 41)]
    assert [line.split("│")[0].rstrip() for line in lines] == ["1  FROM a", "2- RUN one", "3  USER x", ""]
    assert [line.split("│")[1].rstrip() for line in lines] == [
        "1  FROM a",
        "2+ RUN one two",
        "3  USER x",
        "4+ CMD y",
    ]
    assert all(len(line) == 41 for line in lines)


def test_what_changed_inside_a_line_is_marked() -> None:
    added = diff.unified(EDIT, 40)[2]
    marked = [added.plain[span.start : span.end] for span in added.spans if "underline" in str(span.style)]
    assert marked == [" two"]
    assert any("$success-muted" in str(span.style) for span in added.spans)


def test_dockerfiles_and_yaml_are_coloured() -> None:
    keyword = [span for span in diff.unified(EDIT, 40)[0].spans if str(span.style) == "$text-accent"]
    assert keyword
    names = [
        "Dockerfile",
        "api/Dockerfile.ci",
        "api.Dockerfile",
        "Containerfile",
        "x.yml",
        "x.dockerignore",
        "a.txt",
    ]
    assert [language(name) for name in names] == ["docker"] * 4 + ["yaml", "text", "text"]
    assert language("Dockerfile.dockerignore") == "text"


def test_long_lines_go_on_below() -> None:
    edit = FileEdit("f", "", "x" * 100 + "\n")
    lines = plain(edit, 40)
    assert "".join(line[3:] for line in lines) == "x" * 100
    assert len(lines) == 3


def test_a_new_and_a_deleted_file() -> None:
    assert diff.counts(FileEdit("f", None, "a\nb\n")) == (2, 0)
    assert diff.counts(FileEdit("f", "a\nb\n", None)) == (0, 2)
    assert plain(FileEdit("f", None, "a\n")) == ["1+ a"]


def test_a_missing_newline_is_said() -> None:
    assert plain(FileEdit("f", "a\n", "a"))[-1] == "\\ no newline at the end any more"
    assert plain(FileEdit("f", "a", "a\n"))[-1] == "\\ a newline at the end now"


def test_line_endings_are_visible() -> None:
    assert plain(FileEdit("f", "a\n", "a\r\n")) == ["1- a", "1+ a␍"]


texts = st.lists(st.text(alphabet="ab \t\r[]", max_size=6), max_size=8).map("\n".join)


@given(texts, texts)
def test_every_changed_line_is_shown_on_its_side(before: str, after: str) -> None:
    added, removed = diff.counts(FileEdit("f", before, after))
    lines = plain(FileEdit("f", before, after), 60)
    assert sum(line[1:2] == "+" for line in lines) == added
    assert sum(line[1:2] == "-" for line in lines) == removed
