from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Event

import pytest
from git_sandbox import Sandbox

from phasewise.migration.git import Repository
from phasewise.migration.history import Introduced, commits_of, introduced
from phasewise.migration.ledger import Applied, rollback_message
from phasewise.model.history import HistoryEntry, read_blame
from phasewise.model.repo import Target

FIRST = "FROM a\nRUN one\n"
SECOND = "FROM a\nRUN one\nRUN two\n"


def subjects(sandbox: Sandbox, path: str = "Dockerfile") -> list[str]:
    repository = sandbox.open()
    lines = introduced(repository, path, repository.head())
    return [lines[number].subject for number in sorted(lines)]


@pytest.fixture
def grown(sandbox: Sandbox) -> Sandbox:
    sandbox.commit("one", Dockerfile=FIRST)
    sandbox.commit("two", Dockerfile=SECOND)
    return sandbox


def test_which_commit_brought_each_line_in(grown: Sandbox) -> None:
    assert subjects(grown) == ["one", "one", "two"]


def test_white_space_keeps_its_commit(grown: Sandbox) -> None:
    grown.commit("indent", Dockerfile="FROM a\n  RUN one\nRUN\ttwo\n")
    assert subjects(grown) == ["one", "one", "two"]


def test_moved_lines_keep_their_commit(grown: Sandbox) -> None:
    long = "RUN apt-get update && apt-get install --yes build-essential gfortran\n"
    grown.commit("long", Dockerfile=SECOND + long)
    grown.commit("move", Dockerfile=f"FROM a\n{long}RUN one\nRUN two\n")
    assert subjects(grown) == ["one", "long", "one", "two"]


def test_revisions_that_the_user_ignores(grown: Sandbox) -> None:
    loud = grown.commit("format everything", Dockerfile="FROM a\nRUN one;\nRUN two;\n")
    assert subjects(grown) == ["one", "format everything", "format everything"]
    grown.write(".git-blame-ignore-revs", f"{loud}\n")
    grown.git("config", "blame.ignoreRevsFile", ".git-blame-ignore-revs")
    assert subjects(grown) == ["one", "one", "two"]


def test_a_list_of_ignored_revisions_that_is_missing(grown: Sandbox, own_git_settings: Path) -> None:
    with own_git_settings.open("a") as settings:
        settings.write("[blame]\n ignoreRevsFile = .git-blame-ignore-revs\n")
    assert subjects(grown) == ["one", "one", "two"]


def test_names_and_subjects_are_data(sandbox: Sandbox) -> None:
    name, subject = "[bold]\x1b[31mEve\x07 \u202e", "fix: [link=x]\x1b]0;title\x07 \x9b \u202e"
    sandbox.write("Dockerfile", SECOND)
    sandbox.git("add", "Dockerfile")
    sandbox.git(
        "-c", f"user.name={name}", "commit", "--quiet", "-m", subject, "--date=2025-11-11T21:02:00+0330"
    )
    provenance = introduced(sandbox.open(), "Dockerfile", sandbox.head())[3]
    assert provenance.author == name
    assert provenance.subject == subject
    assert provenance.date == datetime(2025, 11, 11, 21, 2, tzinfo=timezone(timedelta(hours=3, minutes=30)))
    assert commits_of(sandbox.open(), "Dockerfile")[0] == HistoryEntry(
        sandbox.head(), name, provenance.date, subject
    )


class TestDefaultBranch:
    def test_on_it_or_not(self, grown: Sandbox) -> None:
        grown.git("switch", "--quiet", "--create", "feature")
        grown.commit("three", Dockerfile=SECOND + "RUN three\n")
        lines = introduced(grown.open(), "Dockerfile", grown.head())
        assert [lines[number].on_default_branch for number in sorted(lines)] == [True, True, True, False]

    def test_pushed_counts_as_well_as_committed_here(self, grown: Sandbox, tmp_path: Path) -> None:
        clone = Sandbox(tmp_path / "clone")
        grown.git("clone", "--quiet", str(grown.root), str(clone.root))
        clone.commit("three", Dockerfile=SECOND + "RUN three\n")
        clone.git("switch", "--quiet", "--create", "feature")
        assert all(p.on_default_branch for p in introduced(clone.open(), "Dockerfile", "HEAD").values())

    def test_there_is_none(self, grown: Sandbox) -> None:
        grown.git("branch", "--move", "elsewhere")
        assert {p.on_default_branch for p in introduced(grown.open(), "Dockerfile", "HEAD").values()} == {
            None
        }


def test_a_shallow_clone_does_not_pretend_to_know(grown: Sandbox, tmp_path: Path) -> None:
    clone = Sandbox(tmp_path / "clone")
    grown.git("clone", "--quiet", "--depth=1", f"file://{grown.root}", str(clone.root))
    clone.commit("three", Dockerfile=SECOND + "RUN three\n")
    assert {n: p.subject for n, p in introduced(clone.open(), "Dockerfile", "HEAD").items()} == {4: "three"}


def test_paths_that_cannot_be_traced(sandbox: Sandbox) -> None:
    (sandbox.root / "link").symlink_to("Dockerfile")
    head = sandbox.commit()
    lines = Introduced(sandbox.open(), head)
    for path in ("nothing", "link", "--help"):
        assert lines.get((path, 1)) is None
    assert lines.get(("Dockerfile", 99)) is None


def take_back(sandbox: Sandbox, phase: str, *, restored: str) -> None:
    """As a rollback leaves it: the text from before, by a commit that says so."""
    applied = Applied("one", phase, "Do one", {})
    sandbox.commit(rollback_message(applied, Target("Dockerfile")), Dockerfile=restored)


def test_what_a_rollback_brought_back_is_its_author_s(grown: Sandbox) -> None:
    trailers = "Phasewise-Phase: one\nPhasewise-Dockerfile: Dockerfile"
    phase = grown.commit(f"Do one\n\n{trailers}\n", Dockerfile="FROM b\n")
    take_back(grown, phase, restored=SECOND)
    assert subjects_as_planned(grown) == ["one", "one", "two"]

    later = grown.commit("user", Dockerfile=SECOND + "RUN three\n")
    assert Introduced(grown.open(), later)["Dockerfile", 4].subject == "user"

    phase = grown.commit(f"Do two\n\n{trailers}\n", Dockerfile="FROM b\n", other="x\n")
    take_back(grown, phase, restored=SECOND + "RUN three\n")
    assert subjects_as_planned(grown)[3] == "user"


def subjects_as_planned(sandbox: Sandbox) -> list[str]:
    lines = Introduced(sandbox.open(), sandbox.head())
    return [origin.subject for (path, _), origin in lines.items() if path == "Dockerfile"]


def test_a_file_is_blamed_when_it_is_asked_for_and_once(
    grown: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown.commit("other", other="x\n")
    repository = grown.open()
    asked: list[str] = []
    blame = Repository.blame

    def counted(self: Repository, commit: str, path: str) -> str:
        asked.append(path)
        return blame(self, commit, path)

    monkeypatch.setattr(Repository, "blame", counted)
    lines = Introduced(repository, grown.head())
    assert asked == []
    assert lines["Dockerfile", 1].subject == "one"
    assert lines["Dockerfile", 3].subject == "two"
    assert asked == ["Dockerfile"]
    assert len(lines) == 4
    assert asked == ["Dockerfile", "other"]


def test_likely_files_are_blamed_beside_the_first_question_and_once(
    grown: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown.commit("other", other="x\n", third="y\n")
    repository = grown.open()
    asked: list[str] = []
    all_asked = Event()
    blame = Repository.blame

    def counted(self: Repository, commit: str, path: str) -> str:
        asked.append(path)
        if len(asked) == 3:
            all_asked.set()
        return blame(self, commit, path)

    monkeypatch.setattr(Repository, "blame", counted)
    lines = Introduced(repository, grown.head(), ["other", "third"])
    assert lines["Dockerfile", 1].subject == "one"
    assert all_asked.wait(60)
    assert lines["third", 1].subject == "other"
    assert sorted(asked) == ["Dockerfile", "other", "third"]


def test_a_question_does_not_wait_for_likely_files(grown: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    grown.commit("other", other="x\n")
    repository = grown.open()
    answered = Event()
    blame = Repository.blame

    def held(self: Repository, commit: str, path: str) -> str:
        if path == "other":
            assert answered.wait(60)
        return blame(self, commit, path)

    monkeypatch.setattr(Repository, "blame", held)
    lines = Introduced(repository, grown.head(), ["other", "Dockerfile"])
    assert lines["Dockerfile", 1].subject == "one"
    answered.set()
    assert lines["other", 1].subject == "other"


def test_names_that_look_like_options(sandbox: Sandbox) -> None:
    sandbox.write("-n.Dockerfile", SECOND)
    sandbox.commit("odd")
    assert subjects(sandbox, "-n.Dockerfile") == ["odd"] * 3
    assert [entry.subject for entry in commits_of(sandbox.open(), "-n.Dockerfile")] == ["odd"]


def test_the_history_of_a_file_across_renames(grown: Sandbox) -> None:
    grown.git("mv", "Dockerfile", "api.Dockerfile")
    grown.commit("move")
    grown.commit("unrelated", other="x\n")
    grown.commit("three", **{"api.Dockerfile": SECOND + "RUN three\n"})
    entries = commits_of(grown.open(), "api.Dockerfile")
    assert [entry.subject for entry in entries] == ["three", "move", "two", "one", "start"]
    assert entries[0].commit == grown.head()
    assert commits_of(grown.open(), "nothing") == ()


def test_gpg_output_does_not_get_in_between(grown: Sandbox) -> None:
    grown.git("config", "log.showSignature", "true")
    assert [entry.subject for entry in commits_of(grown.open(), "Dockerfile")] == ["two", "one", "start"]


@pytest.mark.parametrize(
    ("time", "zone", "moment"),
    [
        ("0", "+0000", datetime(1970, 1, 1, tzinfo=UTC)),
        ("60", "-0130", datetime(1970, 1, 1, 0, 1, tzinfo=UTC)),
        ("0", "+9999", datetime(1970, 1, 1, tzinfo=UTC)),
        ("-5", "+0000", datetime(1969, 12, 31, 23, 59, 55, tzinfo=UTC)),
    ],
)
def test_odd_dates(time: str, zone: str, moment: datetime) -> None:
    commit = "a" * 40
    text = f"{commit} 1 1 1\nauthor A\nauthor-time {time}\nauthor-tz {zone}\nsummary s\nfilename f\n\tline\n"
    assert read_blame(text)[1].date == moment
    assert read_blame(text, unknown=[commit]) == {}
