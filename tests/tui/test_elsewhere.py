"""Phases of other targets that edit files which the shown one reads too."""

from __future__ import annotations

import pytest
import story
from driving import NARROW, WIDE, driving
from fake_session import FakeSession
from textual.widgets import TabbedContent

from phasewise.model.elsewhere import Elsewhere
from phasewise.tui.screens.choose_modal import ChooseModal
from phasewise.tui.screens.page_modal import PageModal
from phasewise.tui.widgets.phase_list import ELSEWHERE, PhaseList

WORKFLOW = ".github/workflows/ci.yml"


@pytest.fixture
def fake() -> FakeSession:
    fake = FakeSession(story.MIDWAY)
    fake.others = (Elsewhere(story.OTHER, story.VARIANT, (WORKFLOW,)),)
    return fake


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_they_stand_below_the_phases_with_what_they_change(
    fake: FakeSession, size: tuple[int, int]
) -> None:
    async with driving(fake, size) as driver:
        phases = driver.main.query_one(PhaseList)
        await driver.until(lambda: phases.has(ELSEWHERE))
        await driver.choose(ELSEWHERE)
        assert "Of other targets (1) ▸" in driver.text
        await driver.press("2")
        assert "add_ci_variant of worker/Dockerfile" in driver.text
        await driver.press("enter")
        assert driver.on_top(PageModal)
        edited = next(edit for edit in story.VARIANT.edits if edit.path == WORKFLOW)
        assert edited.after
        added = set(edited.after.split("\n")) - set((edited.before or "").split("\n"))
        said = "".join(driver.window.split())
        assert all("".join(line.split()) in said for line in added)
        assert "Dockerfile.ci\n" not in driver.window, "a file that is not shared"


async def test_a_phase_says_who_else_edits_its_file(fake: FakeSession) -> None:
    async with driving(fake) as driver:
        await driver.until(lambda: driver.main.elsewhere)
        await driver.press("2")
        await driver.choose("add_ci_variant")
        said = " ".join(driver.page("reasons").split())
        assert f"Shared add_ci_variant of worker/Dockerfile edits {WORKFLOW} too" in said
        await driver.choose("copy_chown")
        assert "Shared" not in driver.page("reasons")


async def test_their_keys_say_what_they_can_do(fake: FakeSession) -> None:
    async with driving(fake) as driver:
        await driver.until(lambda: driver.main.query_one(PhaseList).has(ELSEWHERE))
        await driver.choose(ELSEWHERE)
        await driver.press("a")
        assert driver.toasts == ["no phase is chosen"]
        await driver.press("p")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("enter")
        await driver.until(lambda: driver.on_top(PageModal))
        assert "Phase: add_ci_variant," in driver.window


async def test_another_target_has_others(fake: FakeSession) -> None:
    fake.expect("select", "worker/Dockerfile")
    async with driving(fake) as driver:
        phases = driver.main.query_one(PhaseList)
        await driver.until(lambda: phases.has(ELSEWHERE))
        fake.others = ()
        await driver.press("t")
        await driver.until(lambda: driver.on_top(ChooseModal))
        await driver.press("down", "enter")
        await driver.until(lambda: "worker/Dockerfile ▾" in driver.lines[0] and not phases.has(ELSEWHERE))
        assert driver.main.query_one("#tabs", TabbedContent).active == "diff"
