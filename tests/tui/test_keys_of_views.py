"""The keys that only show something, the palette, and what disabled keys say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import story
from driving import NARROW, WIDE, driving
from fake_session import FakeSession, Gate
from msgspec.structs import replace
from textual.widgets import Input

from phasewise.migration import events
from phasewise.tui.keys import KEYS, key_of
from phasewise.tui.screens.choose_modal import ChooseModal
from phasewise.tui.screens.main import MainScreen
from phasewise.tui.screens.page_modal import PageModal
from phasewise.tui.screens.view_actions import TABS
from phasewise.tui.widgets.diff_tab import DiffTab
from phasewise.tui.widgets.key_bar import KeyBar, fitting
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.phase_list import DECLINED, PhaseList
from phasewise.tui.widgets.tick_list import TickList


def test_every_key_is_explained_and_means_one_thing() -> None:
    names = [name for key in KEYS for name in key.names]
    assert len(names) == len(set(names))
    assert all(key.help.endswith(".") and key.binding.tooltip == key.help for key in KEYS)
    assert all(hasattr(MainScreen, f"action_{key.action.partition('(')[0]}") for key in KEYS)


async def test_the_tabs_turn() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        seen = []
        for _ in TABS:
            await driver.press("tab")
            seen.append(driver.tab)
        assert seen == [*TABS[1:], TABS[0]]
        await driver.press("shift+tab")
        assert driver.tab == "build"
        for number, name in enumerate(TABS, 1):
            await driver.press(str(number))
            assert driver.tab == name


async def test_enter_goes_into_the_tab_and_escape_comes_back() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.press("enter")
        assert isinstance(driver.app.focused, Page)
        await driver.press("escape")
        assert isinstance(driver.app.focused, PhaseList)
        await driver.choose("add_ci_variant")
        await driver.press("enter")
        assert isinstance(driver.app.focused, TickList)


async def test_the_brackets_turn_to_the_next_and_previous_file() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.choose("add_ci_variant")
        tab = driver.main.query_one(DiffTab)
        await driver.press("right_square_bracket")
        assert tab.file == "backend/requirements-ci.txt"
        assert "celery==5.4.0" in driver.text
        await driver.press("left_square_bracket", "left_square_bracket")
        assert tab.file == ".github/workflows/ci.yml"
        assert "build -f backend/Dockerfile.ci" in driver.text


async def test_the_diff_turns_side_by_side() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.choose("copy_chown")
        assert not any(
            "FROM" in line[:70] and "FROM" in line[70:] for line in driver.page("diff-page").split("\n")
        )
        await driver.press("3", "backslash")
        assert driver.tab == "diff"
        page = driver.main.query_one("#diff-page", Page)
        assert any(line.plain.count("FROM python:3.12-slim AS production") == 2 for line in page.lines)
        await driver.press("backslash")
        assert not any(line.plain.count("FROM python:3.12-slim AS production") == 2 for line in page.lines)


async def test_the_tab_scrolls_while_the_list_has_the_keys() -> None:
    async with driving(FakeSession(story.MIDWAY), NARROW) as driver:
        await driver.choose("strip_symbols")
        await driver.press("4", "J")
        page = driver.main.query_one("#checks-page", Page)
        assert page.scroll_offset.y > 0
        await driver.press("K")
        assert page.scroll_offset.y == 0
        assert isinstance(driver.app.focused, PhaseList)


async def test_the_filter_keeps_what_matches() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.press("slash", *"requirements-ci")
        phases = driver.main.query_one(PhaseList)
        assert [option.id for option in phases.options] == ["add_ci_variant", DECLINED]
        assert driver.main.chosen == "add_ci_variant"
        assert "Phases that match; esc shows all" in driver.text
        await driver.press("enter")
        assert driver.app.focused is phases
        await driver.press("escape")
        assert phases.option_count == len(story.ROWS) + 1
        assert not driver.main.query_one("#filter", Input).display
        assert "Phases that match" not in driver.text


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_filter_that_matches_nothing_says_so(size: tuple[int, int]) -> None:
    async with driving(FakeSession(story.MIDWAY), size=size) as driver:
        await driver.press("slash", *"[red]")
        phases = driver.main.query_one(PhaseList)
        said = " ".join(str(option.prompt) for option in phases.options if option.disabled)
        assert said == "No phase matches [red]; esc shows all."
        assert "No phase matches [red]" in driver.text
        assert driver.main.chosen == DECLINED
        await driver.press("enter", "up")
        assert driver.main.chosen == DECLINED
        await driver.press("escape")
        assert "No phase matches" not in driver.text
        assert phases.option_count == len(story.ROWS) + 1


async def test_help_explains_every_key() -> None:
    async with driving(FakeSession(story.MIDWAY), (140, 80)) as driver:
        await driver.press("question_mark")
        assert driver.on_top(PageModal)
        assert all(key.help in driver.window for key in KEYS)
        assert "rolled back" in driver.window
        await driver.press("escape")
        assert not driver.on_top(PageModal)


async def test_help_cuts_nothing_on_a_small_screen() -> None:
    async with driving(FakeSession(story.MIDWAY), NARROW) as driver:
        await driver.press("question_mark")
        said = " ".join(driver.window.split())
        assert "CI 157 MB −56 % another image, built and measured here, against this one" in said
        width = driver.app.screen.query_one(Page).scrollable_content_region.width
        assert max(len(line) for line in driver.window.split("\n")) <= width


async def test_without_figures_and_phases_there_is_no_report() -> None:
    async with driving(FakeSession(story.FRESH, engine=False)) as driver:
        await driver.press("r")
        assert driver.toasts == ["nothing is applied and nothing is measured yet"]


async def test_lines_that_are_no_phases_say_how_to_open_them() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.choose(DECLINED)
        assert "No phase is chosen: enter shows what this line of the list holds." in driver.page("diff-page")


async def test_history_shows_commits_with_measured_sizes() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.entries = story.HISTORY
    async with driving(fake) as driver:
        await driver.press("h")
        await driver.until(lambda: driver.on_top(PageModal))
        lines = driver.window.split("\n")
        assert "46782a0" in lines[2]
        assert lines[2].rstrip().endswith("11.89 GB")
        assert lines[3].rstrip().endswith("fix: try again")


async def test_image_shows_layers_kinds_and_packages() -> None:
    async with driving(FakeSession(story.MIDWAY, census=story.CENSUS)) as driver:
        await driver.press("i")
        await driver.until(lambda: driver.on_top(PageModal))
        for said in ("RUN chown -R appuser:appuser", "written twice or deleted later", "torch 2.4.1", "gcc"):
            assert said in driver.window


async def test_the_report_is_written_beside_the_work_tree(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    fake = FakeSession(replace(story.MIDWAY, path=str(tmp_path)))
    async with driving(fake, (200, 45)) as driver:
        await driver.press("r")
        await driver.until(lambda: driver.on_top(PageModal))
        written = tmp_path / ".git" / "phasewise-report.md"
        assert written.read_text("utf-8") == fake.text
        assert "## Smaller image" in driver.window
        assert str(written) in driver.text.replace("\n", "")
    status = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain"], check=True, capture_output=True, text=True
    )
    assert status.stdout == ""


async def test_declined_is_explained_by_key_and_by_enter() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.press("d")
        assert "pip already has a cache mount" in driver.window
        await driver.press("escape")
        await driver.choose(DECLINED)
        await driver.press("enter")
        assert driver.on_top(PageModal)


async def test_another_target_is_chosen() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("select", "worker/Dockerfile")
    async with driving(fake) as driver:
        await driver.press("t")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("down", "enter")
        await driver.until(lambda: "worker/Dockerfile ▾" in driver.lines[0])


async def test_a_click_on_the_title_turns_to_another_target() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.pilot.click("#title")
        await driver.until(lambda: driver.on_top(ChooseModal))


async def test_refresh_reads_again() -> None:
    fake = FakeSession(story.START)
    async with driving(fake) as driver:
        fake.now = replace(story.START, branch="elsewhere")
        await driver.press("f5")
        await driver.until(lambda: "⎇ main → elsewhere" in driver.lines[0])


async def test_the_palette_does_what_the_keys_do() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("verify", "HEAD", script=[events.Finished(True, "all checks pass")])
    async with driving(fake) as driver:
        await driver.press("ctrl+p")
        await driver.until(
            lambda: "Run the checks on the current image again." in driver.text or "Search" in driver.text
        )
        await driver.press(*"verify")
        await driver.until(lambda: "Verify  (v)" in driver.text)
        await driver.press("down", "enter")
        await driver.until(lambda: fake.done)


DISABLED = [
    ("copy_chown", "a", "copy_chown is applied already; u rolls it back"),
    ("copy_chown", "s", "copy_chown is applied already; u rolls it back"),
    ("copy_chown", "space", "copy_chown is applied already: its files are committed"),
    ("drop_compileall", "u", "drop_compileall is not applied"),
    ("pin_base", "a", "pin_base is skipped; s takes it up again"),
    ("smaller_base", "a", "backend/Dockerfile has uncommitted changes"),
    ("copy_chown", "c", "nothing runs that could be stopped"),
    (DECLINED, "a", "no phase is chosen"),
]
ACTIONS = {"a": "apply", "s": "skip", "space": "tick", "u": "roll_back", "c": "cancel"}


async def test_a_disabled_key_says_why() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        for id, key, said in DISABLED:
            driver.app.clear_notifications()
            await driver.choose(id)
            await driver.press(key)
            assert driver.toasts == [said]
            assert key_of(ACTIONS[key]).action in driver.main.query_one(KeyBar).blocked


async def test_nothing_is_applied_while_a_merge_is_under_way() -> None:
    async with driving(FakeSession(replace(story.MIDWAY, refusal="a merge is under way"))) as driver:
        await driver.press("a")
        assert driver.toasts == ["a merge is under way"]
        assert "Nothing can be applied: a merge is under way" in driver.text


async def test_a_second_job_waits_for_the_first() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.expect("verify", "HEAD", script=[Gate()])
    async with driving(fake) as driver:
        await driver.press("v")
        await driver.until(lambda: driver.main.jobs.running)
        await driver.press("a")
        assert driver.toasts == ["checking the current commit is still running; c stops it"]
        await driver.press("c")
        await driver.until(lambda: driver.main.jobs.running is None)


async def test_a_click_on_a_key_presses_it() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        at = driver.lines[-1].index("/ filter")
        await driver.pilot.click("#keys", offset=(at, 0))
        await driver.until(lambda: driver.main.query_one("#filter", Input).display)


@pytest.mark.parametrize("cells", [WIDE[0], NARROW[0], 40])
def test_the_footer_never_drops_help(cells: int) -> None:
    shown = fitting(cells)
    assert shown[0].action == "apply"
    assert shown[-1].action == "help"
    assert sum(len(key.shown) + len(key.label) + 3 for key in shown) <= cells


async def test_a_diff_says_what_it_is_drawn_on() -> None:
    async with driving(FakeSession(story.START)) as driver:
        await driver.choose("drop_compileall")
        assert driver.page("diff-page").startswith(
            "Drawn after copy_chown, which is not applied; a plans it on the text as it is."
        )
        await driver.choose("copy_chown")
        assert "Drawn after" not in driver.page("diff-page")


async def test_the_build_tab_follows_its_end_until_the_user_scrolls() -> None:
    fake, first, second = FakeSession(story.MIDWAY), Gate(), Gate()

    def said(word: str) -> list[object]:
        return [events.LogLine("", f"{word} {number}") for number in range(100)]

    for words in ((*said("one"), first, *said("two")), (*said("three"), second)):
        fake.expect("verify", "HEAD", script=[*words, events.Finished(True, "fine")])
    async with driving(fake) as driver:
        page = driver.main.query_one("#build-page", Page)
        await driver.press("v")
        await driver.until(lambda: driver.main.jobs.progress and len(driver.main.jobs.progress.log) >= 100)
        await driver.press("5")
        await driver.until(lambda: "one 99" in driver.text)
        await driver.pilot.resize_terminal(120, 35)
        await driver.until(lambda: "one 99" in driver.text and driver.app.size.height == 35)
        first.open()
        await driver.until(lambda: driver.main.jobs.running is None)
        await driver.until(lambda: "two 99" in driver.text)
        await driver.press("K")
        at = page.scroll_offset.y
        driver.main.draw_job()
        assert page.scroll_offset.y == at
        await driver.press("v")
        await driver.until(lambda: "three 99" in driver.text)
        second.open()
