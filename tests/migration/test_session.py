"""The session: what it refuses, what it leaves alone, what it says, with a scripted engine or none."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dirt import commit_clean, make_dirty
from fake_engine import FakeEngine, image_info, step
from git_sandbox import DOCKERFILE, Sandbox, object_readers
from msgspec.structs import replace
from scripted import expect_checks, expect_prepare, expect_try

from phasewise.migration import image_names, ledger
from phasewise.migration.errors import Cancelled, NoEngine, Refused, Usage
from phasewise.migration.events import Cancel, Committed, Event, Finished, Measured, Narration, Verified
from phasewise.migration.git import Repository
from phasewise.migration.report import markdown
from phasewise.migration.session import Session
from phasewise.model.measurement import Measurement, Outcome, Samples, Scenario
from phasewise.model.phase import Declined, Evidence, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.model.status import State
from phasewise.rules.base import Picks, Rule

PHASE = "drop_compileall"


class Writing(Rule):
    """Puts a file in place, or another text in place of the one that is there."""

    title, risk, FIRES, SILENT = "Write a file", Risk.SAFE, (), ()

    def __init__(self, name: str, path: str, text: str, needs: tuple[str, ...] = ()) -> None:
        self.name, self.path, self.text, self.needs = name, path, text, needs

    @property
    def id(self) -> str:
        return self.name

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        before = view.files.get(self.path)
        if before == self.text:
            return self.declined("it is there")
        evidence = (Evidence("Dockerfile", 1, ""),)
        edits = (FileEdit(self.path, before, self.text),)
        return Phase(self.id, self.title, "why", edits, evidence, self.risk, needs=self.needs)


def opened(sandbox: Sandbox, engine: object = None, rules: Sequence[Rule] | None = None) -> Session:
    session = Session.open(sandbox.root, rules=rules)
    if engine is not None:
        session.__dict__["engine"] = engine
    return session


def told(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Narration)]


def last(events: Sequence[Event]) -> Finished:
    finished = events[-1]
    assert isinstance(finished, Finished)
    return finished


def state_of(session: Session, id: str = PHASE) -> State:
    row = session.status().row(id)
    assert row is not None
    return row.state


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        yield engine


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing-listens-here.sock")


BEFORE, AFTER = image_info(500_000_000, Cmd=["serve"]), image_info(300_000_000, Cmd=["serve"])


class TestOpening:
    def test_no_repository(self, tmp_path: Path) -> None:
        with pytest.raises(Usage, match="not in a git repository"):
            Session.open(tmp_path)

    def test_what_runs_for_a_session_ends_with_it(self, sandbox: Sandbox) -> None:
        before = object_readers()
        with Session.open(sandbox.root) as session:
            list(session.apply(PHASE, measure=False))
            assert object_readers() - before, "one process reads all objects"
        assert object_readers() <= before
        assert session.applied() == (PHASE,), "a question after the end is still answered"
        session.close()
        session.close()
        assert object_readers() <= before

    def test_no_dockerfile(self, tmp_path: Path) -> None:
        sandbox = Sandbox.create(tmp_path / "plain")
        sandbox.commit("start", README="hello")
        with pytest.raises(Usage, match="no Dockerfile is committed"):
            Session.open(sandbox.root)

    def test_another_dockerfile_than_there_is(self, sandbox: Sandbox) -> None:
        with pytest.raises(Usage, match="not a committed Dockerfile") as error:
            Session.open(sandbox.root, dockerfile="Dockerfile.dev")
        assert error.value.hint == "there are: Dockerfile"

    def test_a_stage_that_does_not_exist(self, sandbox: Sandbox) -> None:
        with pytest.raises(Usage):
            Session.open(sandbox.root, stage="production")

    @pytest.mark.parametrize("path", ["-f/Dockerfile", "with space/Dockerfile", "prüfung/Dockerfile"])
    def test_paths_that_look_like_something_else(self, tmp_path: Path, path: str) -> None:
        sandbox = Sandbox.create(tmp_path / "odd")
        sandbox.write(path, DOCKERFILE)
        sandbox.commit("start")
        session = Session.open(sandbox.root, dockerfile=path)
        list(session.apply(PHASE, branch="with-ümlaut", measure=False))
        assert session.applied() == (PHASE,)
        assert sandbox.files_of("HEAD") == [path]
        list(session.rollback(PHASE, measure=False))
        assert sandbox.text(path) == DOCKERFILE


class TestWithoutAnEngine:
    def test_plan_and_apply_and_rollback_work(self, sandbox: Sandbox, no_engine: None) -> None:
        session = opened(sandbox)
        assert session.plan().phase(PHASE) is not None
        events = list(session.apply(PHASE, measure=False))
        assert last(events) == Finished(True, f"{PHASE} is committed, not measured")
        assert state_of(session) is State.APPLIED
        assert PHASE not in {declined.id for declined in session.status().declined}
        events = list(session.rollback(PHASE))
        assert last(events).ok
        assert last(events).summary.startswith("rolled back, not built again: no Docker Engine answers")
        assert state_of(session) is State.ROLLED_BACK

    def test_measuring_is_refused_before_anything_is_committed(
        self, sandbox: Sandbox, no_engine: None
    ) -> None:
        session, head, state = opened(sandbox), sandbox.head(), sandbox.state()
        for job in (
            session.apply(PHASE, branch="new"),
            session.measure(),
            session.verify(),
            session.prepare(),
        ):
            with pytest.raises(NoEngine):
                list(job)
        assert sandbox.head() == head
        assert sandbox.state() == state
        assert sandbox.git("branch", "--list", "new") == ""


class TestUnreadable:
    def test_the_line_is_said_once(self, sandbox: Sandbox) -> None:
        sandbox.commit(Dockerfile="FROM a\nRUUN b\n")
        status = opened(sandbox).status()
        assert status.unreadable == "Dockerfile:2: unknown instruction: RUUN"
        assert (status.rows, status.declined) == ((), ())


class TestRefusing:
    def test_a_phase_that_does_not_exist(self, sandbox: Sandbox) -> None:
        for id in ("no_such_phase", f"{PHASE}_2", f"{PHASE}_x", ""):
            with pytest.raises(Usage, match="there is no phase"):
                list(opened(sandbox).apply(id, measure=False))

    def test_a_phase_that_is_applied_already(self, sandbox: Sandbox) -> None:
        session = opened(sandbox)
        list(session.apply(PHASE, measure=False))
        with pytest.raises(Refused, match="is applied already"):
            list(session.apply(PHASE, measure=False))

    def test_a_rule_that_fires_again_is_a_second_phase(self, sandbox: Sandbox) -> None:
        session = opened(sandbox)
        list(session.apply(PHASE, measure=False))
        sandbox.commit("compile again", Dockerfile=DOCKERFILE)
        list(session.apply(f"{PHASE}_2", measure=False))
        assert session.applied() == (PHASE, f"{PHASE}_2")
        assert "compileall" not in sandbox.text("Dockerfile")

    def test_a_phase_that_does_not_apply(self, sandbox: Sandbox) -> None:
        sandbox.commit("nothing to compile", Dockerfile="FROM python:3.12\n")
        with pytest.raises(Refused, match=f"{PHASE} does not apply: "):
            list(opened(sandbox).apply(PHASE, measure=False))

    def test_a_phase_whose_turn_it_is_not(self, sandbox: Sandbox) -> None:
        first, second = Writing("first", "a", "a"), Writing("second", "b", "b", needs=("first",))
        session = opened(sandbox, rules=(first, second))
        with pytest.raises(Refused, match="second: needs first first"):
            list(session.apply("second", measure=False))
        row = session.status().row("second")
        assert row is not None
        assert row.refusal == "needs first first"

    @pytest.mark.parametrize("stage", [True, False])
    def test_a_dirty_dockerfile(self, sandbox: Sandbox, stage: bool) -> None:
        session, head = opened(sandbox), sandbox.head()
        sandbox.write("Dockerfile", f"{DOCKERFILE}# mine\n")
        if stage:
            sandbox.git("add", "Dockerfile")
        state = sandbox.state()
        with pytest.raises(Refused, match="Dockerfile has uncommitted changes"):
            list(session.apply(PHASE, measure=False))
        assert (sandbox.head(), sandbox.state()) == (head, state)

    def test_a_dirty_dockerfile_when_rolling_back(self, sandbox: Sandbox) -> None:
        session = opened(sandbox)
        list(session.apply(PHASE, measure=False))
        sandbox.write("Dockerfile", "FROM python:3.12\n# mine\n")
        head, state = sandbox.head(), sandbox.state()
        with pytest.raises(Refused, match="Dockerfile has uncommitted changes"):
            list(session.rollback(PHASE, measure=False))
        assert (sandbox.head(), sandbox.state()) == (head, state)

    def test_a_merge_under_way(self, sandbox: Sandbox) -> None:
        sandbox.git("switch", "--quiet", "--create", "side")
        sandbox.commit("theirs", other="theirs\n")
        sandbox.git("switch", "--quiet", "main")
        sandbox.commit("ours", other="ours\n")
        sandbox.git("merge", "--quiet", "side", ok=(1,))
        session, state = opened(sandbox), sandbox.state()
        with pytest.raises(Refused, match="a merge is under way"):
            list(session.apply(PHASE, measure=False))
        assert session.status().refusal == "a merge is under way; finish or abort it first"
        assert sandbox.state() == state

    def test_a_hook_that_says_no(self, sandbox: Sandbox) -> None:
        sandbox.hook("pre-commit", "echo 'hadolint: pin your versions' >&2; exit 1")
        session, head, state = opened(sandbox), sandbox.head(), sandbox.state()
        with pytest.raises(Refused, match="hadolint: pin your versions"):
            list(session.apply(PHASE, branch="new", measure=False))
        assert (sandbox.head(), sandbox.state()) == (head, state)
        assert sandbox.git("branch", "--show-current").strip() == "main"

    def test_a_signature_that_cannot_be_made(self, sandbox: Sandbox) -> None:
        sandbox.git("config", "commit.gpgsign", "true")
        sandbox.git("config", "gpg.program", "/bin/false")
        session, head, state = opened(sandbox), sandbox.head(), sandbox.state()
        with pytest.raises(Refused, match="failed to sign"):
            list(session.apply(PHASE, measure=False))
        assert (sandbox.head(), sandbox.state()) == (head, state)

    def test_what_a_hook_prints_is_told(self, sandbox: Sandbox) -> None:
        sandbox.hook("pre-commit", "echo 'hadolint: 0 findings'; echo 'took 1 s' >&2")
        events = list(opened(sandbox).apply(PHASE, measure=False))
        assert {"hadolint: 0 findings", "took 1 s"} <= set(told(events))
        assert isinstance(events[-2], Committed)

    def test_a_hook_that_changes_the_text_is_told(self, sandbox: Sandbox) -> None:
        sandbox.hook("pre-commit", "echo '# checked' >>Dockerfile; git add Dockerfile")
        events = list(opened(sandbox).apply(PHASE, measure=False))
        assert "a hook or filter changed Dockerfile on the way into the commit" in told(events)

    def test_another_process_that_is_at_work(self, sandbox: Sandbox) -> None:
        head, session = sandbox.head(), opened(sandbox)
        with sandbox.open()._journal.hold(), pytest.raises(Refused, match="another phasewise"):
            list(session.apply(PHASE, measure=False))
        assert sandbox.head() == head

    def test_taking_back_what_is_not_applied(self, sandbox: Sandbox) -> None:
        with pytest.raises(Refused, match="not applied: nothing, drop_compileall"):
            list(opened(sandbox).rollback("nothing", PHASE))

    def test_a_revert_that_conflicts_with_the_users_own_commit(self, sandbox: Sandbox) -> None:
        session = opened(sandbox)
        list(session.apply(PHASE, measure=False))
        sandbox.commit("mine", Dockerfile="FROM python:3.12\nRUN pip install y\nRUN python -m mine\n")
        head, state = sandbox.head(), sandbox.state()
        with pytest.raises(Refused, match="conflicts with commits made since"):
            list(session.rollback(PHASE, measure=False))
        assert (sandbox.head(), sandbox.state()) == (head, state)


class TestOtherWork:
    def test_hundreds_of_dirty_files_survive(self, sandbox: Sandbox) -> None:
        commit_clean(sandbox)
        assert make_dirty(sandbox) >= 300
        session, before, work = opened(sandbox), sandbox.state(), sandbox.state("Dockerfile")
        list(session.apply(PHASE, measure=False))
        assert "compileall" not in sandbox.text("Dockerfile")
        assert sandbox.state("Dockerfile") == work
        list(session.rollback(PHASE, measure=False))
        assert sandbox.state() == before
        assert sandbox.files_of("HEAD") == ["Dockerfile"]

    def test_a_rollback_in_the_middle_leaves_them_too(self, sandbox: Sandbox) -> None:
        commit_clean(sandbox)
        rules = (Writing("one", "one.txt", "1\n"), Writing("two", "two.txt", "2\n"))
        session = opened(sandbox, rules=rules)
        for rule in rules:
            list(session.apply(rule.id, measure=False))
        make_dirty(sandbox)
        before = sandbox.state("one.txt")
        list(session.rollback("one", measure=False))
        assert session.applied() == ("two",)
        assert sandbox.state("one.txt") == before
        assert not (sandbox.root / "one.txt").exists()


class TestRollingBack:
    def test_later_phases_in_the_way_are_planned_again(self, sandbox: Sandbox) -> None:
        first = Writing("first", "Dockerfile", "FROM a\n# first\n")
        second = Appending("second")
        session = opened(sandbox, rules=(first, second))
        list(session.apply("first", measure=False))
        list(session.apply("second", measure=False))
        assert session.later_than("first") == ("second",)
        events = list(session.rollback("first", measure=False))
        assert "first cannot be taken back alone: second will be planned again" in told(events)
        assert session.applied() == ("second",)
        assert sandbox.text("Dockerfile") == f"{DOCKERFILE}# second\n"

    def test_later_phases_that_would_read_otherwise_are_planned_again(self, sandbox: Sandbox) -> None:
        first = Writing("first", "first.txt", "1\n")
        second = Appending("second", because_of="first.txt")
        session = opened(sandbox, rules=(first, second))
        list(session.apply("first", measure=False))
        list(session.apply("second", measure=False))
        assert sandbox.text("Dockerfile") == f"{DOCKERFILE}# second with first.txt\n"
        # git reverts the first without a conflict, and would leave the second as it was.
        assert session.later_than("first") == ("second",)
        list(session.rollback("first", measure=False))
        assert session.applied() == ("second",)
        assert sandbox.text("Dockerfile") == f"{DOCKERFILE}# second\n"

    def test_a_later_phase_that_the_user_mended_stays_as_it_is(self, sandbox: Sandbox) -> None:
        first = Writing("first", "first.txt", "1\n")
        second = Appending("second", because_of="first.txt")
        session = opened(sandbox, rules=(first, second))
        list(session.apply("first", measure=False))
        list(session.apply("second", measure=False))
        sandbox.commit(Dockerfile=f"{DOCKERFILE}# second, mended\n")
        session = opened(sandbox, rules=(first, second))
        assert session.later_than("first") == ()
        list(session.rollback("first", measure=False))
        assert session.applied() == ("second",)
        assert sandbox.text("Dockerfile") == f"{DOCKERFILE}# second, mended\n"

    def test_a_later_phase_that_does_not_apply_any_more_is_told(self, sandbox: Sandbox) -> None:
        first = Writing("first", "Dockerfile", "FROM a\n# first\n")
        second = Appending("second", only_after="# first")
        session = opened(sandbox, rules=(first, second))
        list(session.apply("first", measure=False))
        list(session.apply("second", measure=False))
        events = list(session.rollback("first", measure=False))
        assert "second does not apply any more: nothing to append to" in told(events)
        assert session.applied() == ()
        assert sandbox.text("Dockerfile") == DOCKERFILE


class Appending(Rule):
    """Appends a line to the Dockerfile, once."""

    title, risk, FIRES, SILENT = "Append", Risk.SAFE, (), ()

    def __init__(self, name: str, only_after: str = "", because_of: str = "") -> None:
        self.name, self.only_after, self.because_of = name, only_after, because_of

    @property
    def id(self) -> str:
        return self.name

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        text = view.files["Dockerfile"]
        if self.only_after not in text:
            return self.declined("nothing to append to")
        if self.name in text:
            return self.declined("done")
        more = f" with {self.because_of}" if self.because_of in view.files else ""
        edits = (FileEdit("Dockerfile", text, f"{text}# {self.name}{more}\n"),)
        return Phase(self.id, self.title, "why", edits, (Evidence("Dockerfile", 1, ""),), self.risk)


class TestChoosing:
    def test_choices_survive_reopening(self, sandbox: Sandbox) -> None:
        session = opened(sandbox)
        session.pick(PHASE, "bytecode", frozenset({"application"}))
        session.skip(PHASE, True)
        again = opened(sandbox)
        assert state_of(again) is State.SKIPPED
        phase = again.plan().phase(PHASE)
        assert phase is not None
        assert phase.choices[0].picked == {"application"}

    def test_the_pick_is_recorded_with_the_commit(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.commit("pure waste", Dockerfile=DOCKERFILE.replace("compileall .", "compileall -b /opt"))
        session = opened(sandbox)
        session.pick(PHASE, "bytecode", frozenset({"pycache"}))
        list(session.apply(PHASE, measure=False))
        sandbox.git("clone", "--quiet", str(sandbox.root), str(tmp_path / "clone"))
        row = Session.open(tmp_path / "clone").status().row(PHASE)
        assert row is not None
        assert row.phase is not None
        assert row.phase.choices[0].picked == {"pycache"}

    def test_a_file_that_is_unticked_stays_out(self, sandbox: Sandbox) -> None:
        rule = TwoFiles("two_files", "left", "")
        session = opened(sandbox, rules=(rule,))
        session.tick("two_files", "right", False)
        list(opened(sandbox, rules=(rule,)).apply("two_files", measure=False))
        assert sandbox.files_of("HEAD") == ["left"]

    def test_where_to_commit_is_asked_once(self, sandbox: Sandbox) -> None:
        session = opened(sandbox)
        assert not session.status().branch_decided
        events = list(session.apply(PHASE, branch="docker", measure=False))
        assert "git switch -c docker" in told(events)
        assert sandbox.git("branch", "--show-current").strip() == "docker"
        assert opened(sandbox).status().branch_decided


class TwoFiles(Writing):
    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        edits = (FileEdit("left", None, "l"), FileEdit("right", None, "r"))
        return Phase(self.id, self.title, "why", edits, (Evidence("Dockerfile", 1, ""),), self.risk)


class TestMeasuring:
    def test_prepare_then_apply(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session, start = opened(sandbox, engine), sandbox.head()
        expect_prepare(engine, BEFORE)
        expect_try(engine, AFTER)
        events = list(session.apply(PHASE))
        assert last(events).ok
        row = session.status().row(PHASE)
        assert row is not None
        assert row.state is State.VERIFIED
        assert row.delta is not None
        assert row.delta.image_bytes == -200_000_000
        kinds = [type(event) for event in events if isinstance(event, Committed | Measured | Verified)]
        assert kinds == [Measured, Verified, Committed, Measured, Verified]
        family = image_names.of_target(sandbox.root, session.target)
        assert set(engine.images) == {
            f"{family}:{tag}" for tag in (start[:12], sandbox.head()[:12], "current")
        }
        assert engine.images[f"{family}:current"].id == AFTER.id

    def test_a_cold_build_of_the_current_commit_is_the_current_image(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        session = opened(sandbox, engine)
        expect_prepare(engine, BEFORE)
        expect_try(engine, AFTER)
        list(session.apply(PHASE))
        colder = image_info(300_000_001, "colder", Cmd=["serve"])
        engine.expect_build(image=colder)
        list(session.measure("HEAD", (Scenario.COLD,)))
        family = image_names.of_target(sandbox.root, session.target)
        assert engine.images[f"{family}:current"].id == colder.id

    def test_what_is_recorded_is_not_built_again(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        expect_prepare(engine, BEFORE)
        list(opened(sandbox, engine).prepare())
        assert last(list(opened(sandbox, engine).prepare())).ok

    def test_an_image_without_a_record_is_built_again(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        expect_prepare(engine, BEFORE)
        list(opened(sandbox, engine).prepare())
        sandbox.git("update-ref", "-d", "refs/notes/phasewise")
        expect_prepare(engine, BEFORE)
        list(opened(sandbox, engine).prepare())
        assert opened(sandbox).status().baseline_measurement is not None

    def test_a_phase_gets_no_credit_for_one_that_was_not_measured(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        session = opened(sandbox, engine, (Appending("one"), Appending("two")))
        expect_prepare(engine, BEFORE)
        list(session.prepare())
        list(session.apply("one", measure=False))
        expect_try(engine, AFTER)
        list(session.apply("two"))
        assert [row.delta for row in session.status().rows] == [None, None]

    def test_a_phase_applied_again_is_counted_against_what_the_revert_left(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        session = opened(sandbox, engine, (Appending("one"),))
        expect_prepare(engine, BEFORE)
        expect_try(engine, AFTER)
        list(session.apply("one"))
        list(session.rollback("one", measure=False))
        expect_try(engine, image_info(400_000_000, "again", Cmd=["serve"]))
        list(session.apply("one"))
        (row,) = session.status().rows
        assert row.delta is not None
        assert row.delta.image_bytes == -100_000_000

    def test_images_of_steps_in_between_are_removed(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        rules = (Appending("one"), Appending("two"))
        session = opened(sandbox, engine, rules)
        expect_prepare(engine, BEFORE)
        for rule in rules:
            expect_try(engine, image_info(400_000_000, rule.id, Cmd=["serve"]))
            list(session.apply(rule.id))
        engine.images["other/image:latest"] = BEFORE
        family = image_names.of_target(sandbox.root, session.target)
        commits = [sandbox.git("rev-parse", revision).strip()[:12] for revision in ("HEAD~2", "HEAD")]
        assert {tag for tag in engine.images if tag.startswith(family)} == {
            f"{family}:{tag}" for tag in (*commits, "current")
        }
        assert len(session.clean()) == 3
        assert set(engine.images) == {"other/image:latest"}

    def test_an_older_commit_does_not_become_the_current_image(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        session = opened(sandbox, engine)
        expect_prepare(engine, BEFORE)
        expect_try(engine, AFTER)
        list(session.apply(PHASE))
        expect_checks(engine)
        list(session.verify("HEAD~1"))
        assert engine.images[image_names.current(sandbox.root, session.target)].id == AFTER.id

    def test_a_changed_command_fails_the_phase(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session = opened(sandbox, engine)
        expect_prepare(engine, BEFORE)
        expect_try(engine, image_info(300_000_000, Cmd=["other"]))
        events = list(session.apply(PHASE))
        assert last(events) == Finished(False, "1 check fails that passed on the baseline")
        assert state_of(session) is State.FAILED
        expect_try(engine, BEFORE)
        assert last(list(session.rollback(PHASE))).ok
        assert state_of(session) is State.ROLLED_BACK

    def test_a_failed_build_fails_the_phase(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session = opened(sandbox, engine)
        expect_prepare(engine, BEFORE)
        engine.expect_build(error="RUN pip install\nno such package")
        events = list(session.apply(PHASE))
        assert last(events) == Finished(False, "Dockerfile does not build: no such package")
        assert state_of(session) is State.FAILED
        assert "does not build" in session.report("md")

    def test_a_build_without_network_says_nothing_about_the_phase(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        session = opened(sandbox, engine)
        expect_prepare(engine, BEFORE)
        sentence = "A host name could not be resolved, which says nothing about the Dockerfile; try again."
        engine.expect_build(error=f"{sentence}\nRUN pip install", outcome=Outcome.INCONCLUSIVE)
        events = list(session.apply(PHASE))
        assert last(events) == Finished(False, f"Dockerfile could not be built for now: {sentence}")
        assert state_of(session) is State.APPLIED
        expect_try(engine, AFTER)
        assert last(list(session.verify())).ok
        assert state_of(session) is State.VERIFIED

    def test_a_figure_is_not_hidden_by_a_network_that_was_away(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        session = opened(sandbox, engine)
        engine.expect_build(image=BEFORE)
        list(session.measure(scenarios=[Scenario.REBUILD]))
        engine.expect_build(error="away", outcome=Outcome.INCONCLUSIVE)
        assert not last(list(session.measure(scenarios=[Scenario.REBUILD]))).ok
        measured = session.status().baseline_measurement
        assert measured is not None
        assert measured.image_bytes == BEFORE.size_bytes

    def test_a_baseline_that_does_not_build_stops_no_phase(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        session = opened(sandbox, engine)
        engine.expect_build(error="COPY alembic\nnot found")
        engine.expect_build(image=AFTER)
        events = list(session.apply(PHASE))
        assert told(events)[0] == (
            "nothing can be compared with the baseline: Dockerfile does not build: not found"
        )
        assert last(events).ok
        assert last(events).summary.startswith("it builds; the baseline was not checked")
        assert state_of(session) is State.APPLIED
        row = session.status().row(PHASE)
        assert row is not None
        assert row.measurement is not None
        assert row.measurement.image_bytes == AFTER.size_bytes

    def test_checks_that_failed_on_the_baseline_are_not_held_against_the_phase(
        self, sandbox: Sandbox, engine: FakeEngine
    ) -> None:
        sandbox.commit(
            "declare a check",
            **{"phasewise.toml": '[[checks]]\nname = "migrate"\ncommand = ["alembic"]\n'},
        )
        session = opened(sandbox, engine)
        expect_prepare(engine, BEFORE)
        engine.expect_run()
        expect_try(engine, AFTER)
        engine.expect_run()
        events = list(session.apply(PHASE))
        assert last(events).ok
        assert "1 failed there already" in last(events).summary
        assert state_of(session) is State.VERIFIED


class TestStopping:
    def test_while_the_baseline_is_built_changes_nothing(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session, head, cancel = opened(sandbox, engine), sandbox.head(), Cancel()
        engine.expect_build(*step("RUN a"))
        events = session.apply(PHASE, cancel=cancel)
        next(events)
        cancel.ask()
        with pytest.raises(Cancelled):
            list(events)
        assert sandbox.head() == head
        assert session.status().baseline_measurement is None

    def test_after_the_commit_leaves_it_applied(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session, cancel = opened(sandbox, engine), Cancel()
        expect_prepare(engine, BEFORE)
        engine.expect_build(*step("RUN a"))
        events = []
        for event in session.apply(PHASE, cancel=cancel):
            events.append(event)
            if isinstance(event, Committed):
                cancel.ask()
        assert last(events) == Finished(
            False, f"stopped: {PHASE} is committed, not built, measured or checked; verify does that"
        )
        assert state_of(session) is State.APPLIED

    def test_during_the_checks_says_that_they_are_missing(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session, cancel = opened(sandbox, engine), Cancel()
        expect_prepare(engine, BEFORE)
        engine.expect_build(*step("RUN a"), image=AFTER)
        events, committed = [], False
        for event in session.apply(PHASE, cancel=cancel):
            events.append(event)
            committed = committed or isinstance(event, Committed)
            if committed and isinstance(event, Measured):
                cancel.ask()
        assert last(events) == Finished(
            False, f"stopped: {PHASE} is committed, not checked; verify does that"
        )


class TestLosingTheEngine:
    def test_after_the_commit_says_what_is_left_to_do(
        self, sandbox: Sandbox, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = opened(sandbox, engine)
        expect_prepare(engine, BEFORE)
        engine.expect_build(*step("RUN a"), image=AFTER)

        def gone(*_: object, **__: object) -> None:
            raise NoEngine("the engine at x does not answer any more", "start Docker again")

        events = []
        for event in session.apply(PHASE):
            events.append(event)
            if isinstance(event, Committed):
                monkeypatch.setattr(engine, "run", gone)
        assert last(events) == Finished(
            False,
            f"{PHASE} is committed, not checked; verify does that: the engine at x does not answer any more",
        )
        assert state_of(session) is State.APPLIED


class TestAnotherDockerfile:
    """A phase may add a Dockerfile; it is built and measured with the phase."""

    RULE = Writing("lighter", "Dockerfile.ci", "FROM python:3.12\n")

    def test_it_is_built_and_told(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session = opened(sandbox, engine, (self.RULE,))
        expect_prepare(engine, BEFORE)
        engine.expect_build(image=BEFORE)
        engine.expect_build(image=image_info(200_000_000))
        expect_checks(engine)
        events = list(session.apply("lighter"))
        assert "Dockerfile.ci: 200 MB, 60 % smaller than Dockerfile" in told(events)
        row = session.status().row("lighter")
        assert row is not None
        assert row.state is State.VERIFIED
        assert row.delta is not None
        assert row.delta.image_bytes == 0
        assert not row.changed_nothing
        assert row.variant is not None
        assert row.variant.dockerfile == "Dockerfile.ci"

    def test_only_its_newest_image_stays(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session = opened(sandbox, engine, (self.RULE,))
        expect_prepare(engine, BEFORE)
        for size in (200_000_000, 190_000_000):
            engine.expect_build(image=BEFORE)
            engine.expect_build(image=image_info(size))
            expect_checks(engine)
            list(session.apply("lighter"))
            list(session.rollback("lighter", measure=False))
        baseline = image_names.of_target(sandbox.root, session.target)
        variants = [tag for tag in engine.images if not tag.startswith(f"{baseline}:")]
        assert [engine.images[tag].size_bytes for tag in variants] == [190_000_000]

    def test_its_failing_build_fails_the_phase(self, sandbox: Sandbox, engine: FakeEngine) -> None:
        session = opened(sandbox, engine, (self.RULE,))
        expect_prepare(engine, BEFORE)
        engine.expect_build(image=BEFORE)
        engine.expect_build(error="no matching distribution")
        expect_checks(engine)
        events = list(session.apply("lighter"))
        assert last(events) == Finished(False, "Dockerfile.ci does not build: no matching distribution")
        assert state_of(session, "lighter") is State.FAILED

    def test_the_new_dockerfile_is_a_target_at_once(self, sandbox: Sandbox) -> None:
        session = opened(sandbox, rules=(self.RULE,))
        list(session.apply("lighter", measure=False))
        assert [target.dockerfile for target in session.targets] == ["Dockerfile", "Dockerfile.ci"]


def _die_in_the_middle(root: Path) -> None:
    """Applies a phase and is killed once its file is written and before git has the commit."""
    git = Repository._commit.__globals__["Replacement"]
    make = git.make

    def made_and_killed(self: object, root: Path) -> None:
        make(self, root)
        signal.raise_signal(signal.SIGKILL)

    git.make = made_and_killed
    list(Session.open(root).apply(PHASE, measure=False))


class TestRecovering:
    def test_reopening_puts_right_what_a_killed_process_left(self, sandbox: Sandbox) -> None:
        state, head = sandbox.state(), sandbox.head()
        process = multiprocessing.get_context("fork").Process(target=_die_in_the_middle, args=(sandbox.root,))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert sandbox.state() != state
        session = Session.open(sandbox.root)
        assert session.recovered.startswith("An earlier run was interrupted before its commit")
        assert (sandbox.head(), sandbox.state()) == (head, state)
        assert Session.open(sandbox.root).recovered == ""
        list(session.apply(PHASE, measure=False))
        assert session.applied() == (PHASE,)


def test_the_page_of_a_proposed_a_second_and_a_declined_phase(sandbox: Sandbox) -> None:
    session = opened(sandbox)
    assert session.page(PHASE).startswith("# Stop compiling bytecode")
    assert session.page(f"{PHASE}_2") == session.page(PHASE)
    declined = session.plan().declined[0].id
    assert f"- Phase: `{declined}`" in session.page(declined)
    with pytest.raises(Usage, match="no phase nothing"):
        session.page("nothing")


def measured_as(commit: str, image_bytes: int) -> Measurement:
    return Measurement(
        commit,
        "Dockerfile",
        "0",
        Scenario.REBUILD,
        Outcome.BUILT,
        datetime(2025, 1, 1, tzinfo=UTC),
        "docker",
        Samples((1.0,)),
        "sha256:1",
        image_bytes,
    )


def test_the_history_knows_the_sizes_of_what_was_rolled_back(sandbox: Sandbox) -> None:
    start, session = sandbox.head(), opened(sandbox)
    list(session.apply(PHASE, measure=False))
    applied = sandbox.head()
    for commit, size_bytes in ((start, 900), (applied, 700)):
        ledger.record_measurement(session.repository, commit, session.target, measured_as(commit, size_bytes))
    list(session.rollback(PHASE, measure=False))
    sizes = [(entry.commit, entry.image_bytes) for entry in session.history()]
    assert sizes == [(sandbox.head(), None), (applied, 700), (start, 900)]


def test_the_report_says_where_the_checks_of_an_earlier_phase_passed(sandbox: Sandbox) -> None:
    session = opened(sandbox)
    list(session.apply(PHASE, measure=False))
    (row,) = (row for row in session.status().rows if row.commit)
    status = replace(session.status(), rows=(replace(row, state=State.VERIFIED),))
    assert "| pass at a later commit |" in markdown(status)
    assert "| not run |" in markdown(session.status())


def test_rows_stand_in_the_plan_s_order_and_know_that_of_their_commits(sandbox: Sandbox) -> None:
    rules = tuple(Writing(name, f"{name}.txt", "1\n") for name in ("one", "two", "three"))
    session = opened(sandbox, rules=rules)
    for id in ("two", "one"):
        list(session.apply(id, measure=False))
    assert {row.id: row.nth for row in session.status().rows} == {"one": 2, "two": 1, "three": 0}
