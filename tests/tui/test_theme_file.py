"""The theme that was chosen is there again the next time."""

import story
from driving import driving
from fake_session import FakeSession

from phasewise.tui import theme_file
from phasewise.tui.app import PhasewiseApp


async def test_a_choice_is_kept() -> None:
    assert theme_file.read() == ""
    async with driving(FakeSession(story.MIDWAY)) as driver:
        driver.app.theme = "nord"
        await driver.pilot.pause()
    assert theme_file.read() == "nord"
    assert PhasewiseApp(lambda: FakeSession(story.MIDWAY)).theme == "nord"  # type: ignore[arg-type, return-value]


def test_a_name_that_means_nothing_is_no_choice() -> None:
    theme_file.write("no such theme")
    default = PhasewiseApp(lambda: FakeSession(story.MIDWAY)).theme  # type: ignore[arg-type, return-value]
    assert default != "no such theme"
