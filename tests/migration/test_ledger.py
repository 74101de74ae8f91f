from datetime import UTC, datetime, timedelta
from pathlib import Path

from git_sandbox import DOCKERFILE, Sandbox
from msgspec.structs import replace

from phasewise.migration import ledger
from phasewise.model.census import Census
from phasewise.model.measurement import (
    CheckResult,
    Measurement,
    Outcome,
    Samples,
    Scenario,
    Verdict,
    Verification,
)
from phasewise.model.phase import FileEdit, Phase, Risk
from phasewise.model.repo import Target

TARGET = Target("Dockerfile")
NOW = datetime(2025, 11, 11, 12, tzinfo=UTC)
PICKS = {"bytecode": frozenset({"none"}), "heavy": frozenset({"torch", "xgboost"})}


def apply(sandbox: Sandbox, id: str, target: Target = TARGET, path: str = "Dockerfile") -> str:
    """Commits a phase that adds a line of its own at the end."""
    repository = sandbox.open()
    before = repository.files(repository.head())[path]
    edits = (FileEdit(path, before, f"{before}# {id}\n"),)
    phase = Phase(id, f"Do {id}", "Because.", edits, (), Risk.SAFE)
    return repository.commit(edits, ledger.message(phase, target, PICKS))


def roll_back(sandbox: Sandbox, id: str) -> str:
    repository = sandbox.open()
    entry = next(entry for entry in ledger.applied(repository, TARGET) if entry.id == id)
    start = repository.head()
    with repository.worktree(start) as worktree:
        reverted = repository.revert_in(worktree, entry.commit, ledger.rollback_message(entry, TARGET))
        assert reverted
        repository.move_branch(reverted, start, entry.files)
    return reverted


def ids(sandbox: Sandbox, target: Target = TARGET) -> list[str]:
    return [entry.id for entry in ledger.applied(sandbox.open(), target)]


def test_before_anything_was_done(sandbox: Sandbox) -> None:
    repository = sandbox.open()
    assert ledger.applied(repository, TARGET) == ledger.rolled_back(repository, TARGET) == ()
    assert ledger.baseline(repository, TARGET) == sandbox.head()


def test_applied_phases_with_the_users_commits_in_between(sandbox: Sandbox) -> None:
    baseline = sandbox.head()
    first = apply(sandbox, "one")
    sandbox.commit("feature", app="x\n")
    second = apply(sandbox, "two")
    sandbox.commit("another", app="y\n")
    repository = sandbox.open()
    assert ledger.applied(repository, TARGET) == (
        ledger.Applied("one", first, "Do one", PICKS, ("Dockerfile",)),
        ledger.Applied("two", second, "Do two", PICKS, ("Dockerfile",)),
    )
    assert ledger.baseline(repository, TARGET) == baseline
    assert ledger.applied(repository, TARGET)[0].title == "Do one"


def test_rolled_back_and_applied_again(sandbox: Sandbox) -> None:
    baseline = sandbox.head()
    apply(sandbox, "one")
    apply(sandbox, "two")
    roll_back(sandbox, "two")
    assert ids(sandbox) == ["one"]
    assert ledger.rolled_back(sandbox.open(), TARGET) == ("two",)
    again = apply(sandbox, "two")
    assert ledger.applied(sandbox.open(), TARGET)[1].commit == again
    assert ledger.rolled_back(sandbox.open(), TARGET) == ()
    roll_back(sandbox, "two")
    roll_back(sandbox, "one")
    assert ids(sandbox) == []
    assert ledger.rolled_back(sandbox.open(), TARGET) == ("two", "one")
    assert ledger.baseline(sandbox.open(), TARGET) == baseline
    assert (sandbox.root / "Dockerfile").read_text() == DOCKERFILE


def test_reverts_that_the_user_made(sandbox: Sandbox) -> None:
    applied = apply(sandbox, "one")
    sandbox.git("revert", "--no-edit", applied)
    reverted = sandbox.head()
    assert ids(sandbox) == []
    assert ledger.rolled_back(sandbox.open(), TARGET) == ("one",)
    sandbox.git("revert", "--no-edit", reverted)
    (entry,) = ledger.applied(sandbox.open(), TARGET)
    assert entry.commit == sandbox.head(), "reverting this one takes the phase back"
    assert entry.picks == PICKS


def test_targets_do_not_mix(sandbox: Sandbox) -> None:
    sandbox.commit(api__Dockerfile="FROM api\n")
    api, staged = Target("api/Dockerfile"), Target("Dockerfile", stage="production")
    apply(sandbox, "one", api, "api/Dockerfile")
    before = sandbox.head()
    apply(sandbox, "one", staged)
    assert ids(sandbox) == []
    assert ids(sandbox, api) == ids(sandbox, staged) == ["one"]
    assert ledger.baseline(sandbox.open(), staged) == before
    assert ledger.baseline(sandbox.open(), TARGET) == sandbox.head()


def test_after_a_merge(sandbox: Sandbox) -> None:
    baseline = sandbox.head()
    sandbox.git("switch", "--quiet", "--create", "diet")
    apply(sandbox, "one")
    apply(sandbox, "two")
    sandbox.git("switch", "--quiet", "main")
    sandbox.commit("meanwhile", app="x\n")
    assert ids(sandbox) == []
    sandbox.git("merge", "--quiet", "--no-edit", "diet")
    assert ids(sandbox) == ["one", "two"]
    assert ledger.baseline(sandbox.open(), TARGET) == baseline
    roll_back(sandbox, "two")
    assert ids(sandbox) == ["one"]


def test_after_a_rebase(sandbox: Sandbox) -> None:
    sandbox.git("switch", "--quiet", "--create", "diet")
    apply(sandbox, "one")
    apply(sandbox, "two")
    roll_back(sandbox, "two")
    sandbox.git("switch", "--quiet", "main")
    upstream = sandbox.commit("meanwhile", app="x\n")
    sandbox.git("switch", "--quiet", "diet")
    sandbox.git("rebase", "--quiet", "main")
    assert ids(sandbox) == ["one"]
    assert ledger.baseline(sandbox.open(), TARGET) == upstream


def test_another_clone_shows_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    commit = apply(sandbox, "one")
    ledger.record_measurement(sandbox.open(), commit, TARGET, measurement(commit))
    clone = Sandbox(tmp_path / "clone")
    sandbox.git("clone", "--quiet", str(sandbox.root), str(clone.root))
    clone.git("fetch", "--quiet", "origin", "refs/notes/*:refs/notes/*")
    assert ledger.applied(clone.open(), TARGET) == ledger.applied(sandbox.open(), TARGET)
    assert ledger.measurements(clone.open(), commit, TARGET) == {Scenario.COLD: measurement(commit)}


def measurement(commit: str, minutes: int = 0, scenario: Scenario = Scenario.COLD) -> Measurement:
    taken_at = NOW + timedelta(minutes=minutes)
    return Measurement(
        commit,
        "Dockerfile",
        "0",
        scenario,
        Outcome.BUILT,
        taken_at,
        "docker",
        Samples((1.0, 2.0)),
        image_bytes=7,
    )


def test_the_latest_of_each_scenario(sandbox: Sandbox) -> None:
    repository, head = sandbox.open(), sandbox.head()
    late, early = measurement(head, 5), measurement(head)
    warm = measurement(head, 1, Scenario.WARM)
    for found in (late, early, warm):
        ledger.record_measurement(repository, head, TARGET, found)
    ledger.record_measurement(repository, head, Target("other"), replace(early, dockerfile="other"))
    assert ledger.measurements(repository, head, TARGET) == {Scenario.COLD: late, Scenario.WARM: warm}
    assert ledger.measurements(sandbox.open(), "HEAD", TARGET) == ledger.measurements(
        repository, head, TARGET
    )
    assert ledger.measurements(repository, head, Target("nothing")) == {}


def test_verification_and_census(sandbox: Sandbox) -> None:
    repository, head = sandbox.open(), sandbox.head()
    assert ledger.verification(repository, head, TARGET) is ledger.census(repository, head, TARGET) is None
    results = (
        CheckResult(
            "import:numpy", "numpy imports", Verdict.FAILED, "\x1b[1mboom\n", "numpy no longer loads"
        ),
    )
    first, second = (Verification(head, "sha256:1", NOW + timedelta(days=n), results) for n in (0, 1))
    ledger.record_verification(repository, head, TARGET, second)
    ledger.record_verification(repository, head, TARGET, first)
    assert ledger.verification(repository, head, TARGET) == second
    census = Census(5, (), 4, apt_packages={"gcc": 1})
    ledger.record_census(repository, head, TARGET, Census(1, (), 1))
    ledger.record_census(repository, head, TARGET, census)
    assert ledger.census(repository, head, TARGET) == census


def test_a_census_of_many_megabytes(sandbox: Sandbox) -> None:
    census = Census(5, (), 4, apt_packages={f"package-{number}": number for number in range(150_000)})
    ledger.record_census(sandbox.open(), sandbox.head(), TARGET, census)
    assert ledger.census(sandbox.open(), sandbox.head(), TARGET) == census


def test_lines_of_others_are_skipped_and_counted(sandbox: Sandbox) -> None:
    repository, head = sandbox.open(), sandbox.head()
    ledger.record_measurement(repository, head, TARGET, measurement(head))
    sandbox.git("notes", "--ref=phasewise", "append", "-m", 'a person wrote this\n\n{"version": 99}', head)
    assert ledger.measurements(repository, head, TARGET) == {Scenario.COLD: measurement(head)}
    assert ledger.unreadable(repository) == 2


def test_notes_that_two_people_wrote(sandbox: Sandbox, tmp_path: Path) -> None:
    head = sandbox.head()
    clone = Sandbox(tmp_path / "clone")
    sandbox.git("clone", "--quiet", str(sandbox.root), str(clone.root))
    ledger.record_measurement(sandbox.open(), head, TARGET, measurement(head, 1))
    ledger.record_measurement(clone.open(), head, TARGET, measurement(head, 2))
    clone.git("fetch", "--quiet", "origin", "refs/notes/phasewise:refs/notes/theirs")
    clone.git("notes", "--ref=phasewise", "merge", "--quiet", "--strategy=cat_sort_uniq", "refs/notes/theirs")
    assert ledger.measurements(clone.open(), head, TARGET) == {Scenario.COLD: measurement(head, 2)}
    assert len(clone.open().note_read(head)) == 2
