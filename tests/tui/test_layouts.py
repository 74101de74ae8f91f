"""The screen at its two sizes: everything that matters is there, and no figure is cut."""

from __future__ import annotations

import re

import pytest
import story
from driving import NARROW, WIDE, driving
from fake_session import FakeSession
from msgspec.structs import replace
from textual.widgets import TabbedContent

from phasewise.tui.widgets.phase_list import PhaseList

_WORDS = ("verified", "failed", "next", "proposed", "asks first", "skipped", "rolled back")


async def test_wide_shows_every_state_in_a_word_and_every_panel() -> None:
    async with driving(FakeSession(story.MIDWAY), WIDE) as driver:
        assert all(word in driver.text for word in _WORDS)
        assert all(f"─ {title} ─" in driver.text for title in ("Phases", "Image", "Build"))
        assert "docker 26.1.5 · buildx 0.13.1 · local" in driver.lines[0]
        assert "11.89 GB → 5.98 GB  −50 %" in driver.lines[0]


async def test_predicted_and_measured_never_look_alike() -> None:
    async with driving(FakeSession(story.MIDWAY), WIDE) as driver:
        styles = {
            segment.text.strip(): segment.style
            for strip in driver.app.screen._compositor.render_strips()
            for segment in strip
            if "−" in segment.text and segment.style
        }
        predicted, measured = styles["−4.10 GB predicted"], styles["−5.84 GB"]
        assert predicted.italic
        assert not predicted.bold
        assert measured.bold
        assert not measured.italic
        assert "0 B no-op ⚠" in driver.text


async def test_narrow_has_phases_on_top_tabs_below_and_the_build_in_one_line() -> None:
    async with driving(FakeSession(story.MIDWAY), NARROW) as driver:
        lines = driver.lines
        assert len(lines) == NARROW[1]
        assert all(len(line) == NARROW[0] for line in lines)
        assert driver.main.query_one(PhaseList).size.height == 5
        assert (
            driver.main.query_one("#tabs", TabbedContent).region.y > driver.main.query_one(PhaseList).region.y
        )
        assert "strip_symbols is broken" in lines[-2]
        assert lines[-1].startswith(" a apply")
        assert not driver.main.query_one("#image").region.height


async def test_the_narrow_list_scrolls_with_the_cursor() -> None:
    async with driving(FakeSession(story.MIDWAY), NARROW) as driver:
        await driver.choose("copy_chown")
        assert "smaller_base" not in driver.text
        await driver.press(*["down"] * 7)
        assert "↩ 8 smaller_base" in driver.text
        assert "copy_chown" not in driver.text


@pytest.mark.parametrize("size", [WIDE, NARROW, (100, 30), (60, 20), (200, 60)])
async def test_no_figure_is_cut(size: tuple[int, int]) -> None:
    async with driving(FakeSession(story.MIDWAY), size) as driver:
        for tab in "13":
            await driver.press(tab)
            await driver.choose("copy_chown")
            assert not re.search(r"\d…", driver.text.replace("libscipy_openblas64_…", ""))
            assert "−5.84 GB measured" in driver.text
            assert "11.89 GB → 5.98 GB" in driver.lines[0]


@pytest.mark.parametrize("size", [WIDE, NARROW, (60, 20)])
async def test_another_image_is_shown_uncut(size: tuple[int, int]) -> None:
    status = replace(story.MIDWAY, rows=(story.SLOWER, story.WITH_VARIANT))
    async with driving(FakeSession(status), size) as driver:
        await driver.choose("add_ci_variant")
        assert re.search(r"2 add_ci_variant .*CI 157 MB −56 %", driver.text)
        for tab, page in (("3", "effect-page"), ("2", "reasons")):
            await driver.press(tab)
            assert "Dockerfile.ci: 157 MB, 56 % smaller than" in " ".join(driver.page(page).split())
        assert "0 B no-op" not in driver.text


async def test_a_narrow_title_cuts_the_path_and_not_the_stage() -> None:
    far = replace(story.TARGET, dockerfile="services/backend/deployment/images/Dockerfile")
    async with driving(FakeSession(replace(story.MIDWAY, target=far)), NARROW) as driver:
        assert "Dockerfile ▸ production ▾" in driver.lines[0]
        assert "…" in driver.lines[0]


async def test_the_layout_follows_a_resize() -> None:
    async with driving(FakeSession(story.MIDWAY), WIDE) as driver:
        await driver.pilot.resize_terminal(*NARROW)
        await driver.until(lambda: not driver.main.query_one("#image").region.height)
        assert re.search(r"copy_chown  Give files.* verified +−5.84 GB measured", driver.lines[2])
        await driver.pilot.resize_terminal(*WIDE)
        await driver.until(lambda: driver.main.query_one("#image").region.height)
        assert "verified  Give files their owner" in driver.text


async def test_every_theme_draws() -> None:
    async with driving(FakeSession(story.MIDWAY), WIDE, "textual-light") as driver:
        seen = set()
        for theme in ("textual-light", "nord", "gruvbox", "solarized-light", "ansi-dark"):
            driver.app.theme = theme
            for tab in "12345":
                await driver.press(tab)
            assert "copy_chown" in driver.text
            seen.add(driver.main.styles.background)
        assert len(seen) == 5, "each has its own background"


async def test_the_first_frame_comes_before_the_repository_is_read() -> None:
    from threading import Event

    from phasewise.tui.app import PhasewiseApp

    go = Event()
    fake = FakeSession(story.MIDWAY)

    def slow() -> FakeSession:
        go.wait()
        return fake

    app = PhasewiseApp(slow)  # type: ignore[arg-type]
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        from driving import Driver

        driver = Driver(pilot, app)
        assert "reading the repository" in driver.lines[0]
        await driver.press("a")
        assert driver.toasts == ["the repository is still being read"]
        go.set()
        await driver.until(lambda: "copy_chown" in driver.text)
