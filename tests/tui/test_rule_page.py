"""The page of a rule: reached from the phases and from what was declined, readable, and never markup."""

from __future__ import annotations

import re

import story
from driving import NARROW, WIDE, driving
from fake_session import FakeSession
from msgspec.structs import replace
from textual.widgets import OptionList

from phasewise.rules.discovery import all_rules
from phasewise.rules.page import page
from phasewise.tui.present import rule_page
from phasewise.tui.screens.choose_modal import ChooseModal
from phasewise.tui.screens.page_modal import PageModal
from phasewise.tui.widgets.page import Page
from phasewise.tui.widgets.phase_list import DECLINED, PhaseList


async def test_p_opens_the_page_of_the_chosen_phase_and_escape_goes_back() -> None:
    async with driving(FakeSession(story.MIDWAY), NARROW) as driver:
        await driver.choose("strip_symbols")
        await driver.press("p")
        await driver.until(lambda: driver.on_top(PageModal))
        assert "strip_symbols" in driver.lines[0]
        assert "Compiled extensions carry symbols that nothing reads at run time." in driver.text
        shown = driver.app.screen.query_one(Page)
        await driver.press("G")
        assert shown.scroll_offset.y > 0
        assert shown.lines[-1].plain.strip() in driver.text
        await driver.press("escape")
        assert driver.main.chosen == "strip_symbols"
        assert isinstance(driver.app.focused, PhaseList)


async def test_the_page_is_told_of_where_the_reason_is_read() -> None:
    async with driving(FakeSession(story.MIDWAY), WIDE) as driver:
        await driver.choose("copy_chown")
        await driver.press("2")
        assert driver.page("reasons").endswith("p  reads the rule's page")
        assert "p rule page" in driver.lines[-1]


async def test_p_on_the_declined_asks_which_page() -> None:
    declined = story.MIDWAY.declined[0].id
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.choose(DECLINED)
        await driver.press("p")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("enter")
        await driver.until(lambda: driver.on_top(PageModal))
        assert f"Phase: {declined}," in driver.window


async def test_the_window_of_the_declined_opens_pages_and_gets_the_user_back() -> None:
    async with driving(FakeSession(story.MIDWAY)) as driver:
        await driver.press("d")
        assert "p opens a rule's page" in driver.text
        await driver.press("p")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("down", "enter")
        await driver.until(lambda: driver.on_top(PageModal))
        assert f"Phase: {story.MIDWAY.declined[1].id}," in driver.window
        await driver.press("escape")
        assert "pip already has a cache mount" in driver.window
        await driver.press("escape")
        assert not driver.on_top(PageModal)


async def test_every_declined_rule_can_be_reached_on_a_small_screen() -> None:
    every = tuple(replace(story.MIDWAY.declined[0], id=rule.id) for rule in all_rules())
    async with driving(FakeSession(replace(story.MIDWAY, declined=every)), NARROW) as driver:
        await driver.press("d", "p")
        await driver.until(lambda: driver.on_top(ChooseModal))
        assert "enter chooses" in driver.text
        await driver.press("end")
        assert driver.app.screen.query_one(OptionList).highlighted == len(every) - 1
        assert every[-1].id in driver.text


async def test_without_phase_and_refusal_the_key_says_so() -> None:
    async with driving(FakeSession(replace(story.MIDWAY, declined=()))) as driver:
        await driver.choose(DECLINED)
        await driver.press("p")
        assert driver.toasts == ["no phase is chosen, and none was declined"]


async def test_a_page_is_data() -> None:
    fake = FakeSession(story.MIDWAY)
    fake.pages["copy_chown"] = "# [red]A[/red] \x1b[31m\n\n[bold]`[/x]` and [link=x]y\n\n```diff\n+[/]\n```\n"
    async with driving(fake) as driver:
        await driver.choose("copy_chown")
        await driver.press("p")
        await driver.until(lambda: driver.on_top(PageModal))
        for said in ("[red]A[/red]", "[bold][/x] and [link=x]y", "  +[/]"):
            assert said in driver.window
        assert "\x1b" not in driver.window


def test_every_rules_page_fits_a_narrow_terminal_and_loses_nothing() -> None:
    for rule in all_rules():
        lines = rule_page.lines(page(rule), 74)
        assert all(line.cell_length <= 74 for line in lines), rule.id
        shown = "".join(line.plain for line in lines)
        assert _bare(shown) == _bare(re.sub(r"^`{3,}.*$", "", page(rule), flags=re.MULTILINE))


def _bare(said: str) -> str:
    """Without blanks and Markdown's signs."""
    return re.sub(r"[\\`#\s]", "", said)


def test_a_page_is_read_without_its_markdown() -> None:
    shown = [
        line.plain for line in rule_page.lines("## A \\_b\\_\n\nOne\ntwo `x_y`.\n\n- a `b`\n  - c\n", 20)
    ]
    assert shown == ["A _b_", "", "One two x_y.", "", "- a b", "  - c"]


def test_an_example_keeps_its_blank_lines_and_colours() -> None:
    shown = rule_page.lines("```diff\n--- a\n+b\n\n-c\n```\n", 20)
    assert [line.plain for line in shown] == ["  --- a", "  +b", "  ", "  -c"]
    assert [[span.style for span in line.spans] for line in shown] == [
        ["dim"],
        ["$text-success"],
        [],
        ["$text-error"],
    ]
