"""The sample's migration with keys only, through Textual's pilot, on real builds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from keyboard import Keyboard
from migrating import FOUR, four_rules

from phasewise.cli.demo.create import create
from phasewise.migration import image_names
from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.status import State, Status
from phasewise.tui.app import PhasewiseApp

pytestmark = pytest.mark.engine


def states(status: Status) -> dict[str, State]:
    return {row.id: row.state for row in status.rows if row.id in FOUR}


@pytest.fixture(scope="module")
def place(engine: Engine, git_identity: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = create(tmp_path_factory.mktemp("keys") / "tidewatch")
    yield place
    Session.open(place).clean()


async def test_four_applies_a_rollback_in_the_middle_and_the_same_state_again(
    place: Path, engine: Engine
) -> None:
    app = PhasewiseApp(lambda: Session.open(place, rules=four_rules()))
    async with app.run_test(size=(140, 45)) as pilot:
        keyboard = Keyboard(app, pilot)
        await keyboard.opened()
        await keyboard.until(lambda: app.main.jobs.progress)
        await keyboard.idle()
        for number, id in enumerate(FOUR):
            # A phase that passes leads on to the next one.
            await keyboard.until(lambda id=id: app.main.chosen == id)
            await pilot.press("a")
            if number == 0:
                await keyboard.answer("enter")
            await keyboard.started()
            await keyboard.idle()
            await keyboard.until(lambda id=id: states(keyboard.status)[id] is not State.PROPOSED)
            assert states(keyboard.status)[id] is State.VERIFIED
        assert keyboard.status.branch == "phasewise/dockerfile"
        start, now = keyboard.status.baseline_measurement, keyboard.status.current_measurement
        assert start is not None
        assert now is not None
        assert now.image_bytes * 10 <= start.image_bytes * 4  # type: ignore[operator]

        await keyboard.go_to("split_base_builder")
        await pilot.press("u")
        # It asks only when the revert conflicts, and later phases have to be planned again.
        await keyboard.until(lambda: app.screen is not app.main or app.main.jobs.running)
        if app.screen is not app.main:
            await keyboard.answer("u")
        await keyboard.started()
        await keyboard.idle()
        await keyboard.until(lambda: states(keyboard.status)["split_base_builder"] is State.ROLLED_BACK)
        after = keyboard.status
    assert states(after) == {
        "drop_compileall": State.VERIFIED,
        "split_base_builder": State.ROLLED_BACK,
        "strip_symbols": State.VERIFIED,
        "add_ci_variant": State.VERIFIED,
    }
    strip = after.row("strip_symbols")
    assert strip is not None
    assert strip.delta is not None
    assert strip.delta.image_bytes is not None
    assert -50_000_000 < strip.delta.image_bytes < 0, (
        "not counted against a commit that never stood before it"
    )
    tag = image_names.current(place, after.target)
    assert after.current_measurement is not None
    assert engine.inspect(tag).id == after.current_measurement.image_id

    again = PhasewiseApp(lambda: Session.open(place, rules=four_rules()))
    async with again.run_test(size=(80, 24)) as pilot:
        keyboard = Keyboard(again, pilot)
        await keyboard.opened()
        assert states(keyboard.status) == states(after)
        assert keyboard.status.head == after.head
