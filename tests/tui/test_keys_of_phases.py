"""The keys that change something, pressed on the real screen over a fake session."""

from __future__ import annotations

import story
from driving import NARROW, WIDE, Driver, driving
from fake_session import FakeSession, Gate
from msgspec.structs import replace

from phasewise.migration import events
from phasewise.migration.errors import Refused
from phasewise.model.hunks import hunks
from phasewise.model.measurement import Delta, Outcome, Scenario
from phasewise.model.status import State
from phasewise.tui.screens.branch_modal import BranchModal
from phasewise.tui.screens.choose_modal import ChooseModal
from phasewise.tui.widgets.phase_list import PhaseList

NEW = "phasewise/backend-dockerfile-production"


def landed(fake: FakeSession, id: str, state: State = State.VERIFIED, **changes: object) -> None:
    """What the status says once a phase is committed and measured."""
    fake.put(
        id,
        state=state,
        commit=story.COPIED,
        measurement=story.AFTER_COPY[0],
        delta=Delta.between(story.BASELINE[0], story.AFTER_COPY[0]),
        verification=story.verification(story.COPIED),
        **changes,
    )
    fake.now = replace(
        fake.now, head=story.COPIED, current_measurement=story.AFTER_COPY[0], branch_decided=True
    )


def applied(fake: FakeSession, id: str) -> list[object]:
    """A job that goes well."""
    return [
        events.Narration("git switch -c docker-diet"),
        events.Committed(id, story.COPIED, f"{id}: a title", ("backend/Dockerfile",)),
        events.BuildStarted(story.COPIED, Scenario.REBUILD),
        events.StepStarted("s1", "[builder 4/5] RUN pip install -r requirements.txt"),
        events.LogLine("s1", "Downloading torch"),
        events.StepFinished("s1", "[builder 4/5] RUN pip install -r requirements.txt", 82.0, False),
        events.BuildFinished(Outcome.BUILT, 90.0),
        lambda: landed(fake, id),
        events.Measured(story.AFTER_COPY[0]),
        events.CheckFinished(story.GOOD[0]),
        events.Verified(story.verification(story.COPIED)),
        events.Finished(True, "all checks pass"),
    ]


async def idle(driver: Driver) -> None:
    await driver.until(lambda: driver.main.jobs.running is None)


def calls(fake: FakeSession) -> list[object]:
    """The names of the calls that were made."""
    return [call[0] for call in fake.done]


async def test_apply_asks_where_once_and_then_measures() -> None:
    fake = FakeSession(story.START)
    fake.expect("apply", "copy_chown", NEW, True, script=applied(fake, "copy_chown"))
    fake.expect("apply", "drop_compileall", None, True, script=[events.Finished(True, "fine")])
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.on_top(BranchModal))
        assert fake.done == []
        await driver.press("enter")
        await driver.until(lambda: fake.done and driver.main.jobs.running is None)
        assert "−5.84 GB measured" in driver.text
        assert "verified" in driver.text
        assert "11.89 GB → 6.05 GB  −49 %" in driver.lines[0]
        await driver.choose("drop_compileall")
        await driver.press("a")
        await driver.until(lambda: len(fake.done) == 2)
        assert not driver.on_top(BranchModal)


async def test_apply_on_the_present_branch() -> None:
    fake = FakeSession(story.START)
    fake.expect("apply", "copy_chown", None, True, script=applied(fake, "copy_chown"))
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.on_top(BranchModal))
        await driver.pilot.click("#here")
        await driver.until(lambda: fake.done and driver.main.jobs.running is None)


async def test_a_phase_that_passes_leads_on_to_the_next() -> None:
    fake = FakeSession(replace(story.START, branch_decided=True))
    for id in ("copy_chown", "drop_compileall", "add_ci_variant"):
        fake.expect("apply", id, None, True, script=applied(fake, id))
    async with driving(fake) as driver:
        for number, following in enumerate(("drop_compileall", "add_ci_variant"), 1):
            await driver.press("a")
            await driver.until(lambda following=following: driver.main.chosen == following)
            assert len(fake.done) == number
            await idle(driver)
        # What asks first is never walked into.
        await driver.press("a")
        await driver.until(lambda: len(fake.done) == 3 and driver.main.jobs.running is None)
        assert driver.main.chosen == "add_ci_variant"


async def test_a_cursor_that_was_moved_stays() -> None:
    gate = Gate()
    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect("apply", "copy_chown", None, True, script=[gate, *applied(fake, "copy_chown")])
    async with driving(fake) as driver:
        await driver.press("a", "down", "down")
        gate.open()
        await driver.until(lambda: fake.done and driver.main.jobs.running is None)
        await driver.until(lambda: "−5.84 GB measured" in driver.text)
        assert driver.main.chosen == "add_ci_variant"


async def test_a_filter_keeps_the_cursor_on_what_it_shows() -> None:
    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect("apply", "copy_chown", None, True, script=applied(fake, "copy_chown"))
    async with driving(fake) as driver:
        await driver.press("slash", *"copy_chown", "enter", "a")
        await driver.until(lambda: fake.done and driver.main.jobs.running is None)
        await driver.until(lambda: "−5.84 GB measured" in driver.text)
        assert driver.main.chosen == "copy_chown"


async def test_going_back_from_the_question_commits_nothing() -> None:
    fake = FakeSession(story.START)
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.on_top(BranchModal))
        await driver.press("escape")
        await driver.until(lambda: not driver.on_top(BranchModal))
        assert fake.done == []
        assert driver.main.jobs.progress is None


async def test_branch_is_chosen_beforehand() -> None:
    fake = FakeSession(story.START)
    fake.expect("apply", "copy_chown", "diet", True, script=[events.Finished(True, "fine")])
    async with driving(fake) as driver:
        await driver.press("b")
        await driver.until(lambda: driver.on_top(BranchModal))
        await driver.press(*"diet", "enter")
        await driver.until(lambda: driver.main.destination is not None)
        await driver.press("a")
        await driver.until(lambda: fake.done)


async def test_a_failing_check_opens_the_checks_and_u_takes_the_phase_back() -> None:
    fake = FakeSession(story.START)
    broken = (story.BROKEN_NUMPY,)
    seen = story.verification(story.COPIED, story.replaced(story.BROKEN_NUMPY))
    fake.expect(
        "apply", "copy_chown", NEW, True,
        script=[
            lambda: landed(fake, "copy_chown", State.FAILED, broken=broken),
            lambda: fake.put("copy_chown", verification=seen),
            events.Verified(seen, broken),
            events.Finished(False, "1 check fails that passed on the baseline"),
        ],
    )  # fmt: skip
    fake.expect(
        "rollback", "copy_chown", True,
        script=[
            lambda: fake.put("copy_chown", state=State.ROLLED_BACK, commit=None, broken=()),
            events.Finished(True, "rolled back"),
        ],
    )  # fmt: skip
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.on_top(BranchModal))
        await driver.press("enter")
        await driver.until(lambda: driver.tab == "checks" and "✔ passed" in driver.page("checks-page"))
        page = driver.page("checks-page")
        assert page.index("numpy no longer loads: libscipy_openblas64_ is misaligned") < page.index(
            "✔ passed"
        )
        assert "ELF load command" in page
        assert driver.main.chosen == "copy_chown"
        assert "✖ 1 copy_chown" in driver.text
        assert "u takes the phase back" in page
        await driver.press("u")
        await driver.until(lambda: len(fake.done) == 2)
        await driver.until(lambda: "rolled back" in driver.text)


async def test_a_failing_build_opens_its_log() -> None:
    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect(
        "apply", "copy_chown", None, True,
        script=[
            events.BuildStarted(story.COPIED, Scenario.REBUILD),
            events.BuildFinished(Outcome.FAILED, 3.0, error="no such file: alembic/"),
            lambda: fake.put("copy_chown", state=State.FAILED, commit=story.COPIED),
            events.Finished(False, "the build failed"),
        ],
    )  # fmt: skip
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.tab == "build")
        await driver.until(lambda: "no such file: alembic/" in driver.page("build-page"))


async def test_a_refusal_is_said_and_nothing_breaks() -> None:
    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect(
        "apply", "copy_chown", None, True, script=[Refused("backend/Dockerfile has [changes]", "commit them")]
    )
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(
            lambda: any("backend/Dockerfile has [changes]" in toast for toast in driver.toasts)
        )
        assert driver.main.jobs.running is None


async def test_a_defect_in_a_job_is_shown_and_the_screen_lives_on() -> None:
    def fail() -> None:
        raise ZeroDivisionError("a defect")

    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect("apply", "copy_chown", None, True, script=[fail])
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: any("ZeroDivisionError: a defect" in toast for toast in driver.toasts))
        await driver.press("2")
        assert driver.tab == "why"


async def test_rolling_back_in_the_middle_names_what_is_planned_again() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.later = ("effective_cleanup", "strip_symbols")
    fake.expect("rollback", "copy_chown", True, script=[events.Finished(True, "rolled back")])
    async with driving(fake) as driver:
        await driver.choose("copy_chown")
        await driver.press("u")
        await driver.until(lambda: driver.on_top(ChooseModal))
        assert all(f"{id}" in " ".join(driver.question.split()) for id in fake.later)
        await driver.press("s")
        await driver.until(lambda: not driver.on_top(ChooseModal))
        assert fake.done == []
        await driver.press("u")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("u")
        await driver.until(lambda: fake.done)


async def test_rolling_back_the_last_phase_asks_nothing() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("rollback", "strip_symbols", True, script=[events.Finished(True, "rolled back")])
    async with driving(fake) as driver:
        await driver.choose("strip_symbols")
        await driver.press("u")
        await driver.until(lambda: fake.done)


async def test_measure_and_verify_take_the_chosen_commit() -> None:
    fake = FakeSession(story.MIDWAY)
    gate = Gate()
    fake.expect("measure", story.COPIED, True, script=[
        events.Narration("8 builds: first of 46782a0, to compare 9f1c2d3 with"),
        events.BuildStarted(story.BASE, Scenario.COLD, 1, 8),
        gate,
        events.Finished(True, "measured"),
    ])  # fmt: skip
    fake.expect("measure", "HEAD", False, script=[events.Finished(True, "measured")])
    fake.expect("verify", "HEAD", script=[events.Finished(True, "all checks pass")])
    async with driving(fake) as driver:
        await driver.choose("copy_chown")
        await driver.press("m")
        await driver.until(lambda: "measuring copy_chown  build 1 of 8  cold" in driver.text)
        assert "8 builds: first of 46782a0" in driver.text
        assert "so far, c to stop" in driver.text
        gate.open()
        await idle(driver)
        await driver.choose("drop_compileall")
        await driver.press("m")
        await driver.until(lambda: calls(fake) == ["measure", "measure"] and driver.main.jobs.running is None)
        await driver.press("v")
        await driver.until(lambda: calls(fake) == ["measure", "measure", "verify"])


async def test_skip_and_take_up_again() -> None:
    fake = FakeSession(story.START)
    fake.expect("skip", "copy_chown", True)
    fake.expect("skip", "copy_chown", False)
    async with driving(fake) as driver:
        await driver.press("s")
        await driver.until(lambda: "– 1 copy_chown" in driver.text)
        assert "skipped" in driver.text
        await driver.press("s")
        await driver.until(lambda: "◎ 1 copy_chown" in driver.text)


async def test_space_leaves_a_file_out_and_takes_it_in() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("tick", "add_ci_variant", "backend/Dockerfile.ci", False)
    fake.expect("tick", "add_ci_variant", "backend/Dockerfile.ci", True)
    async with driving(fake) as driver:
        await driver.choose("add_ci_variant")
        assert "☑ backend/Dockerfile.ci" in driver.text
        assert "☐ backend/requirements-ci.txt" in driver.text
        await driver.press("space")
        await driver.until(lambda: "☐ backend/Dockerfile.ci" in driver.text)
        await driver.press("space")
        await driver.until(lambda: "☑ backend/Dockerfile.ci" in driver.text)


async def test_the_last_file_stays() -> None:
    fake = FakeSession(story.START)
    async with driving(fake) as driver:
        await driver.press("space")
        assert driver.toasts == ["a phase needs at least one file; s skips the whole phase"]


async def test_an_answer_is_picked() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("pick", "drop_compileall", "bytecode", frozenset({"none"}))
    fake.expect("pick", "add_ci_variant", "heavy", frozenset({"triton"}))
    async with driving(fake) as driver:
        await driver.choose("drop_compileall")
        await driver.press("2", "enter")
        assert "◉ __pycache__ of the application only" in driver.text
        await driver.press("space")
        await driver.until(lambda: "◉ none: every start compiles again" in driver.text)
        assert "○ __pycache__ of the application only" in driver.text
        await driver.press("escape")
        await driver.choose("add_ci_variant")
        await driver.until(lambda: "☑ torch 2.4.1  1.14 GB" in driver.text)
        await driver.press("enter", "space")
        await driver.until(lambda: "☐ torch 2.4.1  1.14 GB" in driver.text)
        assert "☑ triton" in driver.text


async def test_a_job_can_be_stopped_and_leaves_the_screen_alone() -> None:
    gate = Gate()
    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect("apply", "copy_chown", None, True, script=[events.Narration("building"), gate])
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.main.query_one(PhaseList).running == "copy_chown")
        assert "● 1 copy_chown" in driver.text
        assert "running" in driver.text
        assert "c stop" in driver.lines[-1]
        await driver.press("s")
        assert driver.toasts == ["applying copy_chown is still running; c stops it"]
        await driver.press("j", "2")
        assert driver.tab == "why"
        await driver.press("c")
        await idle(driver)
        await driver.until(lambda: any("stopped" in toast for toast in driver.toasts))
        assert "◎ 1 copy_chown" in driver.text


async def test_the_baseline_is_built_when_it_was_never_measured() -> None:
    gate = Gate()
    fake = FakeSession(story.FRESH)
    fake.expect("prepare", script=[
        events.BuildStarted(story.BASE, Scenario.REBUILD),
        events.StepStarted("s", "[builder 4/5] RUN pip install -r requirements.txt"),
        gate,
        lambda: setattr(fake, "now", story.START),
        events.Measured(story.BASELINE[0]),
        events.Finished(True, "the baseline is measured and checked"),
    ])  # fmt: skip
    async with driving(fake) as driver:
        await driver.until(lambda: "building the baseline" in driver.text)
        assert "s so far, c to stop" in driver.text
        assert "not measured yet" in driver.lines[0]
        assert "-RUN chown" in driver.text.replace("- ", "-")
        gate.open()
        await idle(driver)
        await driver.until(lambda: "11.89 GB" in driver.lines[0])


def long_baseline(fake: FakeSession, gate: Gate) -> None:
    fake.expect("prepare", script=[
        gate,
        lambda: setattr(fake, "now", replace(story.START, branch_decided=True)),
        events.Measured(story.BASELINE[0]),
        events.Finished(True, "the baseline is measured and checked"),
    ])  # fmt: skip


async def test_a_phase_waits_for_the_baseline() -> None:
    gate = Gate()
    fake = FakeSession(replace(story.FRESH, branch_decided=True))
    long_baseline(fake, gate)
    fake.expect("apply", "copy_chown", None, True, script=[events.Finished(True, "fine")])
    async with driving(fake) as driver:
        await driver.until(lambda: driver.main.jobs.running)
        await driver.press("a")
        await driver.until(lambda: "building the baseline, then applying copy_chown" in driver.text)
        await driver.press("a")
        assert driver.toasts == ["building the baseline is still running; c stops it"]
        gate.open()
        await driver.until(lambda: calls(fake) == ["prepare", "apply"])
        await idle(driver)


async def test_a_phase_that_waits_is_given_up_with_the_baseline() -> None:
    fake = FakeSession(replace(story.FRESH, branch_decided=True))
    long_baseline(fake, Gate())
    fake.expect("prepare", script=[events.Finished(True, "fine")])
    async with driving(fake) as driver:
        await driver.until(lambda: driver.main.jobs.running)
        await driver.press("a")
        await driver.until(lambda: driver.main.next)
        await driver.press("c")
        await driver.until(lambda: any("f5 begins again" in toast for toast in driver.toasts))
        assert calls(fake) == ["prepare"]
        await driver.press("f5")
        await driver.until(lambda: calls(fake) == ["prepare", "prepare"])


async def test_an_engine_that_comes_later_is_found() -> None:
    fake = FakeSession(story.MIDWAY, engine=False)
    async with driving(fake) as driver:
        fake.engine = True
        await driver.press("f5")
        await driver.until(lambda: "docker 26.1.5" in driver.lines[0])


async def test_without_an_engine_everything_but_measuring_works() -> None:
    fake = FakeSession(replace(story.FRESH, branch_decided=True), engine=False)
    fake.expect("apply", "copy_chown", None, False, script=[events.Finished(True, "committed, not measured")])
    async with driving(fake) as driver:
        assert "no engine" in driver.lines[0]
        assert "install Docker Engine 23 or newer" in driver.text
        await driver.press("m")
        assert driver.toasts == ["no engine answers; everything but measuring works"]
        await driver.press("a")
        await driver.until(lambda: fake.done)


async def test_a_narrow_terminal_says_what_to_do_without_an_engine() -> None:
    async with driving(FakeSession(story.FRESH, engine=False), NARROW) as driver:
        assert driver.lines[-2].startswith(" No engine: install Docker Engine 23 or newer, then press f5")


async def test_leaving_at_once_when_nothing_runs() -> None:
    fake = FakeSession(story.START)
    async with driving(fake) as driver:
        await driver.press("q")
        await driver.until(lambda: driver.app._exit)


async def test_leaving_asks_while_a_job_runs() -> None:
    gate = Gate()
    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect("apply", "copy_chown", None, True, script=[gate, events.Finished(True, "fine")])
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.main.jobs.running)
        await driver.press("q")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("s")
        await driver.until(lambda: not driver.on_top(ChooseModal))
        await driver.press("ctrl+q")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("f")
        await driver.until(lambda: not driver.on_top(ChooseModal))
        assert not driver.app._exit
        gate.open()
        await driver.until(lambda: driver.app._exit)


async def test_leaving_can_stop_the_job() -> None:
    fake = FakeSession(replace(story.START, branch_decided=True))
    fake.expect("apply", "copy_chown", None, True, script=[Gate()])
    async with driving(fake) as driver:
        await driver.press("a")
        await driver.until(lambda: driver.main.jobs.running)
        await driver.press("q")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("c")
        await driver.until(lambda: driver.app._exit)


FIRST, SECOND = (hunk.id for hunk in hunks(story.PIN.edits[0]))
PINNED = "backend/Dockerfile"


async def test_space_on_a_hunk_leaves_it_out_and_takes_it_in() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("tick_hunks", "pin_base", PINNED, (FIRST,), True)
    fake.expect("tick_hunks", "pin_base", PINNED, (SECOND,), False)
    fake.expect("tick_hunks", "pin_base", PINNED, (SECOND,), True)
    async with driving(fake) as driver:
        await driver.press("2")
        await driver.choose("pin_base")
        await driver.press("n")
        assert driver.tab == "diff"
        assert "▶☐  1- FROM" in driver.page("diff-page")
        assert "1 of 2 hunks" in driver.text
        await driver.press("space")
        await driver.until(lambda: "▶☑  1- FROM" in driver.page("diff-page"))
        assert "of 2 hunks" not in driver.text
        assert "2 hunks, n chooses one" in driver.text
        await driver.press("n", "space")
        await driver.until(lambda: "▶☐  7- FROM" in driver.page("diff-page"))
        await driver.press("N", "N")
        assert "▶☐  7- FROM" in driver.page("diff-page"), "from the first to the last"
        await driver.press("backslash", "space")
        await driver.until(lambda: "▶☑  7- FROM" in driver.page("diff-page"))


async def test_escape_lets_go_of_the_hunk_and_space_means_the_file_again() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("tick", "add_ci_variant", "backend/Dockerfile.ci", False)
    async with driving(fake) as driver:
        await driver.choose("pin_base")
        await driver.press("n", "escape")
        assert "▶" not in driver.page("diff-page")
        assert driver.main.query_one(PhaseList).has_focus
        await driver.press("n")
        await driver.choose("add_ci_variant")
        await driver.press("n", "space")
        await driver.until(lambda: "☐ backend/Dockerfile.ci" in driver.text)
        assert "▶" not in driver.page("diff-page"), "a file of one hunk has no cursor of its own"


async def test_a_hunk_that_cannot_be_left_out_says_why() -> None:
    fake = FakeSession(story.MIDWAY)
    reason = "without that, Dockerfile:4 would need the stage one, which is not above it"

    def refuse(*call: object) -> None:
        raise Refused(reason, "it stays ticked")

    fake.tick_hunks = refuse  # type: ignore[method-assign, assignment]
    fake.put("pin_base", unticked=frozenset())
    async with driving(fake) as driver:
        await driver.choose("pin_base")
        await driver.press("N", "space")
        await driver.until(lambda: driver.toasts)
        assert driver.toasts == [f"{reason}\nit stays ticked"]
        assert "▶☑  7- FROM" in driver.page("diff-page")
        fake.put("pin_base", unticked=frozenset({PINNED}))
        await driver.press("f5")
        await driver.until(lambda: "☐ backend/Dockerfile" in driver.text)
        await driver.press("space")
        assert driver.toasts[-1] == "the whole file is left out; esc, then space takes it in again"


async def test_an_applied_phase_has_no_boxes() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.choose("copy_chown")
        assert "☑" not in driver.page("diff-page")
        await driver.press("n", "space")
        assert "its files are committed" in driver.toasts[-1]


async def test_rolling_back_all_asks_first() -> None:
    fake = FakeSession(story.MIDWAY)
    ids = fake.applied()
    assert len(ids) > 1
    fake.expect("rollback", *ids, True, script=[events.Finished(True, "rolled back")])
    async with driving(fake) as driver:
        await driver.press("U")
        await driver.until(lambda: driver.on_top(ChooseModal))
        assert all(id in " ".join(driver.question.split()) for id in ids)
        await driver.press("s")
        await driver.until(lambda: not driver.on_top(ChooseModal))
        assert fake.done == []
        await driver.press("U")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("u")
        await driver.until(lambda: fake.done)


async def test_without_an_applied_phase_there_is_nothing_to_roll_back() -> None:
    fake = FakeSession(replace(story.MIDWAY, rows=tuple(row for row in story.ROWS if not row.commit)))
    async with driving(fake) as driver:
        await driver.press("U")
        await driver.until(lambda: driver.toasts == ["no phase is applied"])


async def test_a_dockerfile_that_cannot_be_read_is_shown_with_its_line() -> None:
    said = "backend/Dockerfile:7: unknown instruction: RUUN"
    fake = FakeSession(
        replace(
            story.MIDWAY,
            rows=(),
            declined=(),
            unreadable=said,
            baseline_measurement=None,
            baseline_verification=None,
        )
    )
    for size in (WIDE, NARROW):
        async with driving(fake, size=size) as driver:
            assert "unknown instruction:" in driver.text
            assert driver.text.count("Dockerfile:7") >= 1
            assert "cannot be read: mend the line and commit it, then f5." in " ".join(driver.text.split())
            assert driver.main.jobs.progress is None
