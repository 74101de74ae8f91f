"""The screens as pictures, dark and light, wide and narrow; `pytest --snapshot-update` draws them again."""

from __future__ import annotations

import pytest
import story
import textual
from driving import NARROW, WIDE
from fake_session import FakeSession
from textual.pilot import Pilot

from phasewise.tui.app import PhasewiseApp

DRAWN_WITH = "8.2.8"
"""Another Textual draws the same widgets with other SVG: the pictures would differ without a fault of ours."""

pytestmark = pytest.mark.skipif(
    textual.__version__ != DRAWN_WITH, reason=f"the pictures were drawn with Textual {DRAWN_WITH}"
)


def application(theme: str) -> PhasewiseApp:
    fake = FakeSession(story.MIDWAY, census=story.CENSUS)
    fake.entries = story.HISTORY
    app = PhasewiseApp(lambda: fake, clock=lambda: 0.0)  # type: ignore[arg-type, return-value]
    app.theme = theme
    return app


def keys(*pressed: str) -> object:
    """Waits until the repository is read, then presses the keys."""

    async def run_before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, PhasewiseApp)
        await pilot.pause()
        while app.main.engine is None or not app.main.chosen:
            await pilot.pause(0.005)
        await pilot.press(*pressed)
        await pilot.pause()

    return run_before


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize(
    "pressed",
    [("k", "k", "k", "backslash"), ("j", "2"), ("k", "k", "k", "3"), ("k", "4"), ("j", "j", "j", "n")],
    ids=["diff", "why", "effect", "checks", "hunks"],
)
def test_tabs(snap_compare: object, theme: str, size: tuple[int, int], pressed: tuple[str, ...]) -> None:
    assert snap_compare(application(theme), terminal_size=size, run_before=keys(*pressed))  # type: ignore[operator]


@pytest.mark.parametrize("key", ["i", "b", "t"], ids=["image", "branch", "targets"])
def test_windows(snap_compare: object, key: str) -> None:
    assert snap_compare(application("nord"), terminal_size=WIDE, run_before=keys(key))  # type: ignore[operator]
