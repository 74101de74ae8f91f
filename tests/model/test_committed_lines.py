"""The lines that sentences and evidence name are those of the committed files."""

from __future__ import annotations

import pytest

from phasewise.model.committed_lines import with_committed_lines
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import RepoView, Target

BEFORE = "FROM a\nCOPY . .\nRUN b\nRUN b\nCMD c\n"
AFTER = "FROM a AS build\nRUN new\n\nFROM a\nRUN b\nRUN b\nCOPY . .\nCMD c\n"
VIEW = RepoView(
    Target("Dockerfile"),
    {"Dockerfile": BEFORE, "x/Dockerfile": AFTER, "a.txt": "1\n2\n"},
    frozenset({"Dockerfile", "x/Dockerfile", "a.txt"}),
)
CHANGED = VIEW.with_edits([FileEdit("Dockerfile", BEFORE, AFTER)])


def said(reason: str, view: RepoView = CHANGED) -> str:
    answer = with_committed_lines(Declined("x", reason), view)
    assert isinstance(answer, Declined)
    return answer.reason


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Line 8: no", "Line 5: no"),
        ("line 7 copies, line 6 runs", "line 2 copies, line 4 runs"),
        ("the failures (line 5 and line 8)", "the failures (line 3 and line 5)"),
        ("see Dockerfile:8.", "see Dockerfile:5."),
        ("line 8 of Dockerfile", "line 5 of Dockerfile"),
        ("line 2 runs `echo line 8`", "line 2 as the phases before leave it runs `echo line 8`"),
        ("left in (Dockerfile:2)", "left in (Dockerfile:2 as the phases before leave it)"),
        (
            "x/Dockerfile:8, line 8 of x/Dockerfile, a.txt:2",
            "x/Dockerfile:8, line 8 of x/Dockerfile, a.txt:2",
        ),
        ("line 8 of the text; python:8", "line 5 of the text; python:8"),
    ],
)
def test_lines_are_those_of_the_committed_text(reason: str, expected: str) -> None:
    assert said(reason) == expected


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("COPY . .", "COPY --chown=1:1 --link . ."),
        ("RUN pip install x", "RUN --mount=type=cache,target=/c pip install x && \\"),
        ("RUN find / -delete || true", "    { find / -delete || true; }"),
        ("  && make\r", "RUN make\r"),
    ],
)
def test_a_step_that_got_an_option_or_moved_keeps_its_line(before: str, now: str) -> None:
    texts = f"FROM a\nRUN b\n{before}\nRUN c\n", f"# 1\n# 2\nFROM a\nRUN c\n{now}\nRUN new\n"
    view = RepoView(Target("Dockerfile"), {"Dockerfile": texts[0]}, frozenset({"Dockerfile"}))
    assert said("line 5, line 6", view.with_edits([FileEdit("Dockerfile", *texts)])) == (
        "line 3, line 6 as the phases before leave it"
    )


def test_nothing_changes_where_no_phase_came_before() -> None:
    assert said("line 8, Dockerfile:8", VIEW) == "line 8, Dockerfile:8"


def test_all_that_a_phase_says_is_told_alike() -> None:
    found = with_committed_lines(
        Phase(
            "x",
            "x",
            "line 8",
            (FileEdit("Dockerfile", AFTER, "FROM a\n"),),
            (CHANGED.evidence("Dockerfile", 8), CHANGED.evidence("Dockerfile", 2)),
            Risk.SAFE,
            Prediction(None, "line 8"),
            costs="line 8",
        ),
        CHANGED,
    )
    assert isinstance(found, Phase)
    assert (found.why, found.costs, found.predicted.because) == ("line 5", "line 5", "line 5")
    assert [(each.line, each.text) for each in found.evidence] == [(5, "CMD c"), (2, "RUN new")]
