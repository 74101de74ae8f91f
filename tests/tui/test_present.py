"""From the model to lines: phases, effects, reasons, checks, bars, header, build."""

from __future__ import annotations

from typing import Any

import pytest
import story
from msgspec.structs import replace
from textual.content import Content

from phasewise.migration import events
from phasewise.migration.errors import NoEngine
from phasewise.model.hunks import hunks
from phasewise.model.measurement import Delta, Outcome, Scenario
from phasewise.model.phase import FileEdit, Prediction
from phasewise.model.repo import Target
from phasewise.model.status import Row, State
from phasewise.tui import advice
from phasewise.tui.present import bars, build, checks, diff, effect, header, image, phases, why
from phasewise.tui.progress import Progress
from phasewise.tui.screens.phase_actions import branch_name


def plain(lines: list[Content]) -> str:
    return "\n".join(line.plain.rstrip() for line in lines)


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_glyph_and_a_word_of_its_own(state: State) -> None:
    mark = phases.mark(replace(story.ROWS[3], state=state))
    assert len(mark.glyph) == 1
    assert mark.word == state.value
    others = [phases.mark_of(other).word for other in State if other is not state]
    assert mark.word not in others


def test_current_is_the_first_proposed_and_running_wins() -> None:
    assert phases.current(story.ROWS) == "drop_compileall"
    row = story.ROWS[3]
    assert phases.mark(row, current=row.id).glyph == "◎"
    assert phases.mark(row, current=row.id, running=row.id).glyph == "●"
    assert phases.mark(story.ROWS[0], current="copy_chown").glyph == "✔"


def test_following_is_the_next_that_can_be_applied_from_the_top_again_at_the_end() -> None:
    assert phases.following(story.ROWS, "copy_chown") == "drop_compileall"
    assert phases.following(story.ROWS, "drop_compileall") == "add_ci_variant"
    assert phases.following(story.ROWS, "cpu_wheels") == "drop_compileall"
    refused = tuple(replace(row, refusal="needs another first") for row in story.ROWS)
    assert phases.following(refused, "copy_chown") == ""


def styles(content: Content) -> str:
    return " ".join(str(span.style) for span in content.spans)


def test_effects_predicted_and_measured() -> None:
    measured, no_op, predicted = (phases.effect(story.ROWS[index]) for index in (0, 1, 3))
    assert measured.plain == "−5.84 GB measured"
    assert "bold" in styles(measured)
    assert no_op.plain == "0 B no-op ⚠"
    assert predicted.plain == "−410 MB predicted"
    assert "italic" in styles(predicted)
    assert "bold" not in styles(predicted)
    assert phases.effect(story.ROWS[4]).plain == ""


def test_another_image_is_what_its_phase_brings() -> None:
    shown = phases.effect(story.WITH_VARIANT)
    assert shown.plain == "CI 157 MB −56 %"
    assert "bold $text-success" in styles(shown)
    heavier = replace(story.LIGHTER, image_bytes=714_000_000)
    assert phases.effect(replace(story.WITH_VARIANT, variant=heavier)).plain == "CI 714 MB +100 %"
    failed = replace(story.LIGHTER, image_bytes=None, outcome=Outcome.FAILED)
    assert phases.effect(replace(story.WITH_VARIANT, variant=failed)).plain == "CI failed"
    alone = replace(story.WITH_VARIANT, measurement=None, delta=None)
    assert phases.effect(alone).plain == "CI 157 MB"
    assert phases.effect(replace(story.WITH_VARIANT, state=State.ROLLED_BACK)).plain == "0 B predicted"


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("a/Dockerfile.ci", "CI"),
        ("ci.Dockerfile", "CI"),
        ("Dockerfile.api.ci", "CI"),
        ("b/ci/test.docker", "test.docker"),
    ],
)
def test_the_label_of_another_image(path: str, label: str) -> None:
    assert phases.variant_label(path) == label


@pytest.mark.parametrize("cells", [76, 57])
def test_what_else_was_measured_is_in_effect_and_why(cells: int) -> None:
    for row, said in (
        (story.WITH_VARIANT, "backend/Dockerfile.ci: 157 MB, 56 % smaller than backend/Dockerfile"),
        (
            story.SLOWER,
            "importing app.main:app took 0.80 s ±0.03 before, 2.60 s ±0.10 after (median of 3 imports each)",
        ),
    ):
        for lines in (effect.lines(story.MIDWAY, row, cells), why.lines(row, cells)):
            assert all(line.cell_length <= cells for line in lines)
            assert said in " ".join(plain(lines).split())
    assert "importing" not in plain(effect.lines(story.MIDWAY, replace(story.SLOWER, start_up=None), cells))


def test_a_phase_that_predicts_nothing_is_no_silent_no_op() -> None:
    meant = replace(story.CLEANUP, predicted=Prediction(0, "another image"))
    assert phases.effect(replace(story.ROWS[1], phase=meant)).plain == "0 B measured"
    assert phases.effect(replace(story.ROWS[1], delta=Delta(0, None, 0.0, 2))).plain == "0 B measured"


def test_a_measured_size_without_a_baseline_is_shown_as_it_is() -> None:
    assert phases.effect(replace(story.ROWS[0], delta=None)).plain == "6.05 GB measured"


@pytest.mark.parametrize("cells", [44, 78, 120])
@pytest.mark.parametrize("row", story.ROWS, ids=lambda row: row.id)
def test_lines_fill_their_width_exactly(row: Row, cells: int) -> None:
    mark = phases.mark(row)
    assert phases.line(row, 1, mark, cells).cell_length == cells
    assert all(part.cell_length == cells for part in phases.two_lines(row, 1, mark, cells).split("\n"))


def test_the_table_before_and_after() -> None:
    shown = plain(effect.lines(story.MIDWAY, story.ROWS[0], 100))
    for line in ("image size 11.89 GB 6.05 GB −5.84 GB −49 %", "cold build 98 s ±2.2 60 s ±1.4 −38 s"):
        assert line in " ".join(shown.split())
    assert "no measurable change" in next(line for line in shown.split("\n") if line.startswith("warm build"))
    assert "predicted −5.84 GB   measured −5.84 GB" in shown
    assert "exactly 11 890 123 456 B → 6 050 405 200 B" in shown


def test_a_time_from_one_build_is_said_and_never_coloured() -> None:
    before, after = (
        story.measured(side, 1, Scenario.COLD, (took,)) for side, took in (("a", 60.0), ("b", 41.0))
    )
    row = replace(story.ROWS[0], before=(before,), measurements=(after,))
    line = next(line for line in effect.lines(story.MIDWAY, row, 78) if line.plain.startswith("cold build"))
    assert line.plain.endswith("−19 s, built once")
    assert "success" not in styles(line)


def test_a_no_op_is_said_aloud() -> None:
    assert "changed no byte and no build step" in plain(effect.lines(story.MIDWAY, story.ROWS[1], 120))


def test_what_stood_before_is_the_rows_own() -> None:
    alone = replace(story.MIDWAY, rows=story.ROWS[:1], baseline_measurements=())
    assert "98 s ±2.2" in plain(effect.lines(alone, story.ROWS[0], 100))
    unknown = plain(effect.lines(story.MIDWAY, replace(story.ROWS[0], before=()), 100))
    assert "98 s" not in unknown
    assert "cold build                –" in unknown


def test_no_figure_is_invented() -> None:
    assert "No figure yet" in plain(effect.lines(story.FRESH, story.FRESH.rows[2], 80))
    assert "predicted, not measured" in plain(effect.lines(story.MIDWAY, story.ROWS[3], 80))


def test_reasons_name_the_commit_the_risk_and_the_price() -> None:
    shown = plain(why.lines(story.ROWS[3], 100))
    for said in (
        "46782a0 “fix: optimize Dockerfile for smaller images”",
        "2025-11-11 by Nadia Bahr",
        "not on the default branch",
        "backend/Dockerfile:5  RUN python -m compileall -b /opt/venv",
        "Risk     safe",
        "first import takes 2.6 s",
    ):
        assert said in shown.replace("\n         ", " ")
    assert "Not now: backend/Dockerfile has uncommitted changes" in plain(why.lines(story.ROWS[7], 100))


def test_what_broke_comes_first() -> None:
    shown = plain(checks.lines(story.ROWS[2], None, 100))
    assert shown.startswith("✖ 2 checks fail that passed on the baseline.")
    assert shown.index("numpy no longer loads") < shown.index("– skipped") < shown.index("✔ passed")
    assert "the image declares none" in shown


def test_checks_of_the_baseline_stand_in_before_a_phase_is_applied() -> None:
    baseline = story.MIDWAY.baseline_verification
    assert plain(checks.lines(story.ROWS[3], baseline, 100)).startswith("7 checks pass on the baseline")
    assert "Nothing is checked yet." in plain(checks.lines(story.ROWS[3], None, 100))


@pytest.mark.parametrize(("value", "drawn"), [(100, "████"), (50, "██"), (53, "██▏"), (1, "▏"), (0, "")])
def test_a_bar_is_exact_to_an_eighth(value: int, drawn: str) -> None:
    assert bars.bar(value, 100, 4) == drawn


def test_the_image_after_every_step() -> None:
    assert bars.steps(story.MIDWAY) == [
        ("baseline", 11_890_123_456, "measured"),
        ("1", 6_050_405_200, "measured"),
        ("2", 6_050_405_200, "measured"),
        ("3", 5_980_000_000, "failed"),
        ("plan", 5_500_000_000, "predicted"),
        ("floor", 5_492_000_000, "predicted"),
    ]
    assert bars.steps(story.FRESH) == []
    done = replace(story.FLOOR, planned_bytes=5_980_000_000)
    assert [label for label, _, _ in bars.steps(replace(story.MIDWAY, floor=done))][-2:] == ["3", "floor"]
    back = replace(story.MIDWAY, current_measurement=story.BASELINE[0], rows=story.ROWS[:1], floor=None)
    assert [label for label, _, _ in bars.steps(back)] == ["baseline", "1", "now"]
    assert all(line.cell_length == 46 for line in bars.image_lines(story.MIDWAY, 46))


def test_instructions_read_as_in_the_dockerfile() -> None:
    assert bars.instruction("RUN /bin/sh -c apt-get update # buildkit") == "RUN apt-get update"
    assert bars.instruction('/bin/sh -c #(nop)  CMD ["a"]') == 'CMD ["a"]'
    assert bars.instruction("COPY . /app # buildkit") == "COPY . /app"


def test_the_image_window_sums_up_what_it_leaves_out() -> None:
    many = {f"package-{number}": number for number in range(1, 40)}
    shown = plain(image.lines(story.MIDWAY, replace(story.CENSUS, apt_packages=many), 80))
    assert f"{sum(range(1, 25))} B" in shown
    assert "24 others" in shown


def test_the_header_shows_where_one_came_from() -> None:
    assert header.branch(story.MIDWAY, "main") == "⎇ main → docker-diet"
    assert header.branch(story.MIDWAY, "docker-diet") == "⎇ docker-diet"
    assert header.branch(replace(story.MIDWAY, branch="HEAD"), "HEAD") == "⎇ detached at c0ffee1"


@pytest.mark.parametrize("cells", range(40, 180, 7))
def test_the_header_never_cuts_the_totals(cells: int) -> None:
    shown = header.line(story.MIDWAY, Content("docker 26.1.5"), "main", cells)
    assert shown.cell_length == cells
    assert shown.plain.endswith("11.89 GB → 5.98 GB  −50 % ")


def test_a_branch_is_named_for_the_target() -> None:
    assert branch_name(story.TARGET) == "phasewise/backend-dockerfile-production"
    assert branch_name(Target("../ü")) == "phasewise/dockerfile"


def test_advice_follows_the_state_of_things() -> None:
    said = [
        advice.sentence(None, None, None),
        advice.sentence(story.START, None, None),
        advice.sentence(story.START, True, None),
        advice.sentence(story.MIDWAY, True, None),
        advice.sentence(story.START, False, NoEngine("nothing answers", "install one")),
    ]
    starts = [
        "Reading",
        "Looking for an engine",
        "a applies copy_chown",
        "strip_symbols is broken",
        "No engine: install one; f5 looks again. All but measuring works.  (nothing answers)",
    ]
    assert all(one.plain.startswith(start) for one, start in zip(said, starts, strict=True))
    left = replace(story.START, rows=story.ROWS[7:])
    assert advice.sentence(left, True, None).plain == "smaller_base is left (rolled back): choose it, then a."
    done = replace(story.START, rows=(story.ROWS[0],))
    assert advice.sentence(done, True, None).plain.startswith("Nothing is left to apply.")


def test_a_job_is_folded_from_its_events() -> None:
    job = Progress("applying x", "x", started=100.0)
    job.take(events.Narration("git commit"), 100.0)
    job.take(events.BuildStarted("a" * 40, Scenario.COLD, 2, 6), 101.0)
    job.take(events.StepStarted("s", "[builder 1/2] RUN   pip"), 102.0)
    assert job.running
    assert "build 2 of 6  cold  00:14" in build.headline(job, 114.9).plain
    line = build.step_line(job.steps["s"], {"[builder 1/2] RUN   pip": 20.0}, 112.0, 60).plain
    assert line.startswith("● [builder 1/2] RUN pip ")
    assert line.endswith("▓▓▓▓▓░░░░░ 10 s")
    line = build.status_line(job, Content(""), 115.0, 80).plain
    assert "applying x  build 2 of 6  [builder 1/2] RUN pip" in line
    assert "15 s so far, c to stop" in line
    job.take(events.StepFinished("s", "[builder 1/2] RUN   pip", 13.0, False, "exit 1\nno space"), 115.0)
    job.take(events.BuildFinished(Outcome.FAILED, 14.0, error="no space"), 115.5)
    job.take(events.Finished(False, "the build failed"), 116.0)
    assert job.running is None
    assert job.seconds(999.0) == 16.0
    assert "✖ [builder 1/2] RUN pip" in build.step_line(job.steps["s"], {}, 116.0, 60).plain
    log = plain(build.log_lines(job, {}, Content(""), 116.0, 60))
    assert "$ git commit" in log
    assert log.count("[builder 1/2] RUN pip") == 1
    assert "✖ no space" in log
    assert build.status_line(job, Content(""), 999.0, 80).plain.startswith("✖ applying x: the build failed")


@pytest.mark.parametrize("rows", [1, 3, 9])
def test_the_panel_never_overflows(rows: int) -> None:
    job = Progress("applying x", "x", started=0.0)
    for number in range(30):
        job.take(events.StepStarted(str(number), f"step {number}"), 1.0)
        job.take(events.LogLine(str(number), f"line {number}"), 1.0)
    lines = build.panel(job, {}, Content(""), 5.0, 60, rows)
    assert len(lines) == rows
    assert "so far, c to stop" in lines[-1].plain


@pytest.mark.parametrize("cells", [40, 76, 120])
def test_the_floor_is_in_the_image_window_and_beside_what_is_expected(cells: int) -> None:
    expected = " ".join(plain(effect.lines(story.START, story.START.rows[0], cells)).split())
    assert (
        "Plan: 5.64 GB predicted from the baseline's content, now 11.89 GB. Floor: 5.64 GB predicted."
        in expected
    )
    shown = " ".join(plain(image.lines(story.MIDWAY, story.CENSUS, cells)).split())
    assert "Floor: 5.49 GB predicted. No phase removes the base image (208 MB)" in shown
    assert "Floor" not in plain(image.lines(story.FRESH, None, cells))


@pytest.mark.parametrize("draw", [diff.unified, diff.side_by_side])
@pytest.mark.parametrize("cells", [40, 76, 120])
def test_hunks_have_boxes_and_nothing_gets_wider(draw: Any, cells: int) -> None:
    (edit,) = story.PIN.edits
    first, second = hunks(edit)
    lines = draw(edit, cells, diff.Ticks(frozenset({first.id}), second.id))
    assert all(line.cell_length <= cells for line in lines)
    boxes = [line.plain[:2] for line in lines if line.plain[:2].strip() and line.plain[1] in "☐☑"]
    assert boxes == [" ☐", "▶☑"]
    left_out, *_ = lines
    assert not any("muted" in str(span.style) for span in left_out.spans), "nothing happens to it"
    whole = draw(story.COMPILEALL.edits[0], cells, diff.Ticks())
    assert not any("☑" in line.plain for line in whole), "a single hunk goes with its file"


def test_a_figure_for_the_whole_phase_is_not_promised_for_a_part() -> None:
    row = replace(story.START.rows[1], left_out={"backend/Dockerfile": frozenset({"0123456789"})})
    assert phases.effect(row).plain == "part of −410 MB"
    assert "−410 MB predicted for all of it; hunks are left out" in plain(effect.lines(story.START, row, 76))


@pytest.mark.parametrize("cells", [40, 76])
def test_why_names_the_other_targets(cells: int) -> None:
    row = story.START.rows[0]
    assert row.phase
    assert "Affects" not in plain(why.lines(row, cells))
    shared = replace(
        row, phase=replace(row.phase, affects=("api/Dockerfile ▸ production", "worker/Dockerfile"))
    )
    said = " ".join(plain(why.lines(shared, cells)).split())
    assert "Affects also api/Dockerfile ▸ production, worker/Dockerfile" in said


def test_what_a_failing_step_said_stands_there_once() -> None:
    progress = Progress("building", "", 0.0)
    for event in (
        events.StepStarted("k", "RUN x"),
        events.LogLine("k", "boom"),
        events.StepFinished("k", "RUN x", 1.0, False, "exit code: 1"),
        events.BuildFinished(Outcome.FAILED, 1.0, error="RUN x\nboom\nexit code: 1"),
    ):
        progress.take(event, 0.0)
    said = [entry.text for entry in progress.log]
    assert said == ["RUN x", "boom", "exit code: 1", "failed in 1.0 s"]


def test_what_no_step_said_stands_there() -> None:
    progress = Progress("building", "", 0.0)
    progress.take(events.BuildFinished(Outcome.FAILED, 1.0, error="no such file"), 0.0)
    assert [entry.text for entry in progress.log][-1] == "no such file"


def test_a_row_that_a_later_commit_verified_says_so() -> None:
    row = replace(story.ROWS[0], verification=None, broken=())
    said = plain(checks.lines(row, story.verification(story.BASE), 120))
    assert said.startswith("✔ All checks pass at a later commit, which holds this phase too.")


def test_rebuilds_are_not_compared() -> None:
    old = story.measured(story.BASE, 2, Scenario.REBUILD, (325.0,))
    new = story.measured(story.COPIED, 1, Scenario.REBUILD, (16.0,))
    row = replace(story.ROWS[0], measurement=new, measurements=(new,), before=(old,))
    line = next(line for line in plain(effect.lines(story.MIDWAY, row, 100)).split("\n") if "rebuild" in line)
    assert " ".join(line.split()) == "rebuild 5 min 25 s 16 s caches may differ"


def test_what_a_phase_is_drawn_on() -> None:
    copied, compiled, pinned = (
        Row(phase.id, phase.title, State.PROPOSED, phase)
        for phase in (story.COPY_CHOWN, story.COMPILEALL, story.PIN)
    )
    rows = (copied, replace(pinned, state=State.SKIPPED), compiled)
    assert phases.drawn_after(rows, copied) == ()
    assert phases.drawn_after(rows, compiled) == ("copy_chown",)
    assert (
        phases.drawn_after((replace(copied, commit=story.COPIED, state=State.VERIFIED), compiled), compiled)
        == ()
    )
    applied = replace(compiled, commit=story.COPIED, state=State.VERIFIED)
    assert phases.drawn_after((copied, applied), applied) == ()
    elsewhere = replace(copied, phase=replace(story.COPY_CHOWN, edits=(FileEdit("other", "a", "b"),)))
    assert phases.drawn_after((elsewhere, compiled), compiled) == ()
    adding = replace(compiled, phase=replace(story.COPY_CHOWN, edits=(FileEdit("new", None, "b"),)))
    assert phases.drawn_after((elsewhere, adding), adding) == ("copy_chown",)


def test_the_image_s_steps_stand_as_they_were_applied() -> None:
    first, second = (replace(row, commit=row.id) for row in story.ROWS[:2])
    status = replace(story.MIDWAY, rows=(replace(first, nth=2), replace(second, nth=1)))
    status = replace(status, current_measurement=first.measurement, floor=None)
    assert [label for label, _, _ in bars.steps(status)] == ["baseline", "2", "1"]
