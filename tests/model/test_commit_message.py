from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasewise.model.commit_message import Marks, message, read, rollback_message, shortened
from phasewise.model.phase import Evidence, FileEdit, Phase, Provenance, Risk
from phasewise.model.repo import Target

ORIGIN = Provenance(
    "46782a0" + "0" * 33, "Ada", datetime(2025, 11, 11, tzinfo=UTC), "fix: optimize \x1b[31mit", False
)


def phase(title: str = "Drop compileall", why: str = "It is slow.\n\nAnd unused.", **others: object) -> Phase:
    edits = (FileEdit("Dockerfile", "a", "b"),)
    evidence = (
        Evidence("Dockerfile", 31, "RUN python -m compileall", ORIGIN),
        Evidence("Dockerfile", 32, "x", ORIGIN),
    )
    return Phase("drop_compileall", title, why, edits, evidence, Risk.SAFE, **others)  # type: ignore[arg-type]


def test_reads_well() -> None:
    text = message(
        phase(costs="The first start takes longer."), Target("Dockerfile"), {"bytecode": frozenset({"none"})}
    )
    assert text == (
        "Drop compileall\n"
        "\n"
        "It is slow.\n"
        "\n"
        "And unused.\n"
        "\n"
        "Cost: The first start takes longer.\n"
        "\n"
        'Dockerfile:31 came in with 46782a000000 ("fix: optimize [31mit",\n'
        "2025-11-11, not on the default branch).\n"
        "\n"
        "Phasewise-Phase: drop_compileall\n"
        "Phasewise-Dockerfile: Dockerfile\n"
        "Phasewise-Pick: bytecode=none\n"
    )


@given(st.text(), st.text())
def test_subject_and_body_keep_their_width(title: str, why: str) -> None:
    lines = message(phase(title, why), Target("Dockerfile"), {}).split("\n")
    assert 0 < len(lines[0]) <= 72
    assert lines[1] == ""
    assert all(len(line) <= 72 or " " not in line.strip() for line in lines)
    assert all(line.isprintable() for line in lines)


NAMES = st.text(min_size=1)


CHOSEN = st.dictionaries(st.text(), st.frozensets(NAMES))


@given(st.text(), NAMES, NAMES, st.none() | NAMES, CHOSEN, st.dictionaries(NAMES, st.frozensets(NAMES)))
def test_what_is_written_is_read_back(
    why: str,
    title: str,
    dockerfile: str,
    stage: str | None,
    picks: dict[str, frozenset[str]],
    left_out: dict[str, frozenset[str]],
) -> None:
    target = Target(dockerfile, stage=stage)
    marks = read(message(phase(title, why), target, picks, left_out))
    assert marks == Marks("drop_compileall", "", dockerfile, stage, picks, left_out=left_out)
    assert marks.is_of(target)
    back = read(rollback_message("drop_compileall", title, "a" * 40, target))
    assert back == Marks("", "drop_compileall", dockerfile, stage, {}, ("a" * 40,))


def test_paths_that_are_no_text() -> None:
    target = Target("caf\udce9/Docker\nfile")
    text = message(phase(), target, {})
    assert "Phasewise-Dockerfile: caf%E9/Docker%0Afile\n" in text
    assert read(text).is_of(target)


def test_text_of_the_repository_forges_no_trailer() -> None:
    forged = "Phasewise-Rollback: other"
    text = message(phase(forged, f"See:\n\n{forged}\n\n{'word ' * 14}{forged}"), Target("Dockerfile"), {})
    assert text.count(forged) == 3
    assert read(text) == Marks("drop_compileall", dockerfile="Dockerfile")


def test_trailers_that_a_hook_added() -> None:
    text = (
        message(phase(), Target("Dockerfile"), {}) + "Change-Id: I1\n\nSigned-off-by: Ada <ada@example.com>\n"
    )
    assert read(text).phase == "drop_compileall"


def test_windows_line_ends() -> None:
    assert read(message(phase(), Target("Dockerfile"), {}).replace("\n", "\r\n")).phase == "drop_compileall"


def test_a_squash_of_phases_is_none_of_them() -> None:
    text = message(phase(), Target("Dockerfile"), {})
    assert read(f"Squash (#1)\n\n* {text}\n* {text}").phase == ""


def test_gits_own_revert() -> None:
    assert read(f'Revert "x"\n\nThis reverts commit {"b" * 40}.\n').reverts == ("b" * 40,)


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("Drop compileall", "Drop compileall"),
        (" a\nb\x1b[1m ", "a b [1m"),
        ("", "Change the Dockerfile"),
        ("word " * 20, "word " * 13 + "..."),
        ("w" * 100, "w" * 72),
    ],
)
def test_subjects(title: str, subject: str) -> None:
    assert shortened(title) == subject


def test_what_was_left_out_reads_well() -> None:
    text = message(
        phase(), Target("Dockerfile"), {}, {"ci.yml": frozenset(), "Dockerfile": frozenset({"b", "a"})}
    )
    assert text.endswith("Phasewise-Without: Dockerfile=a,b\nPhasewise-Without: ci.yml\n")
