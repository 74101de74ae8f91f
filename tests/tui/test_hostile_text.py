"""Text from a repository is data: no markup is parsed, no control sequence reaches the terminal."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import story
from driving import NARROW, WIDE, Driver, driving
from fake_session import FakeSession, Gate
from msgspec.structs import replace

from phasewise.migration import events
from phasewise.model.history import HistoryEntry
from phasewise.model.measurement import CheckResult, Scenario, Verdict
from phasewise.model.phase import (
    Choice,
    Declined,
    Evidence,
    FileEdit,
    Option,
    Phase,
    Prediction,
    Provenance,
    Risk,
)
from phasewise.model.repo import Target
from phasewise.model.status import Row, State
from phasewise.tui.screens.page_modal import PageModal
from phasewise.tui.widgets.phase_list import DECLINED

EVIL = (
    "[red]x[/] [/nope] [@click=app.exit]y \x1b[2J\x1b]0;title\x07 \x9b31m \u202eabc\u2066 "
    "\r\b\x00 \udcff \u2028z\u200b"
)
_DANGEROUS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]")

ORIGIN = Provenance("e" * 40, EVIL, datetime(2025, 1, 1, tzinfo=UTC), EVIL, False)
PHASE = Phase(
    "evil", EVIL, f"{EVIL}\n\n{EVIL}",
    (
        FileEdit(f"dir/{EVIL}", f"same\n{EVIL} before\n", f"same\n{EVIL} after\n"),
        FileEdit("Dockerfile", None, f"RUN {EVIL}\n"),
    ),
    (Evidence(f"dir/{EVIL}", 1, EVIL, ORIGIN),), Risk.SAFE, Prediction(-1000, EVIL),
    (Choice("c", EVIL, (Option("o", EVIL), Option("p", "plain")), frozenset({"o"})),), (EVIL,), (EVIL,), EVIL,
)  # fmt: skip
CHECK = CheckResult("evil", EVIL, Verdict.FAILED, EVIL, EVIL)
FAILED = Row(
    "broken", EVIL, State.FAILED, replace(PHASE, id="broken"), "f" * 40, replace(story.AFTER_STRIP, note=EVIL),
    story.ROWS[2].delta, story.verification("f" * 40, (CHECK, *story.GOOD)), (CHECK,),
)  # fmt: skip
STATUS = replace(
    story.MIDWAY,
    repository=EVIL,
    branch=EVIL,
    target=Target(f"{EVIL}/Dockerfile", stage=EVIL),
    targets=(Target(EVIL), Target("Dockerfile")),
    rows=(Row("evil", EVIL, State.PROPOSED, PHASE, refusal=EVIL), FAILED),
    declined=(Declined("no", EVIL, (Evidence(EVIL, 3, EVIL, ORIGIN),)),),
)


def assert_harmless(driver: Driver) -> None:
    """Nothing that is about to be written to the terminal can do more than be read."""
    for line in driver.lines:
        found = _DANGEROUS.search(line)
        assert found is None, f"{found!r} in {line!r}"


def session() -> FakeSession:
    fake = FakeSession(STATUS)
    fake.text = EVIL
    fake.entries = (HistoryEntry("a" * 40, EVIL, datetime(2025, 1, 1, tzinfo=UTC), EVIL),)
    return fake


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_every_tab_shows_it_as_it_is_written(size: tuple[int, int]) -> None:
    async with driving(session(), size) as driver:
        for id in ("evil", "broken", DECLINED):
            await driver.choose(id)
            for tab in "12345":
                await driver.press(tab)
                assert_harmless(driver)
        await driver.press("2")
        await driver.choose("evil")
        assert "[red]x[/] [/nope] [@click=app.exit]y ␛[2J␛]0;title␇ \\x9b31m ⟨U+202E⟩abc⟨U+2066⟩" in " ".join(
            driver.page("reasons").split()
        )
        await driver.press("1")
        assert "[red]x[/]" in driver.page("diff-page")
        await driver.press("4")
        await driver.choose("broken")
        assert "[red]x[/]" in driver.page("checks-page")


async def test_every_window_shows_it_as_it_is_written() -> None:
    async with driving(session()) as driver:
        for key in ("h", "d", "t", "b", "i", "question_mark"):
            await driver.press(key)
            await driver.until(lambda: driver.app.screen is not driver.main)
            assert_harmless(driver)
            if key in "hd":
                assert driver.on_top(PageModal)
                assert "[red]x[/] [/nope]" in driver.window
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.main)


async def test_toasts_are_not_parsed() -> None:
    async with driving(session()) as driver:
        await driver.press("a")
        await driver.until(lambda: "[red]x[/] [/nope]" in driver.text)
        assert_harmless(driver)


async def test_a_build_log_is_not_parsed() -> None:
    gate = Gate()
    fake = session()
    fake.expect(
        "verify", "HEAD",
        script=[
            events.Narration(EVIL),
            events.BuildStarted("a" * 40, Scenario.REBUILD),
            events.StepStarted("s", f"[builder 1/2] RUN {EVIL}"),
            events.LogLine("s", f"\x1b[32mgreen\x1b[0m {EVIL}\r\n"),
            events.Committed("evil", "a" * 40, EVIL, (EVIL,)),
            gate,
            events.StepFinished("s", f"[builder 1/2] RUN {EVIL}", 1.0, False, EVIL),
            events.Finished(False, EVIL),
        ],
    )  # fmt: skip
    async with driving(fake) as driver:
        await driver.press("v", "5")
        await driver.until(lambda: "green [red]x[/]" in driver.page("build-page"))
        assert_harmless(driver)
        gate.open()
        await driver.until(lambda: driver.main.jobs.running is None)
        assert_harmless(driver)
