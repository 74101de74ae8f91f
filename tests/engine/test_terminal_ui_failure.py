"""A phase that builds and is wrong, on the real screen: it turns red, says what broke, and one key takes it back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from keyboard import Keyboard
from textual.color import Color
from textual.widgets import TabbedContent

from phasewise.cli.demo.create import create
from phasewise.migration import image_names, ledger
from phasewise.migration.images import Engine
from phasewise.migration.session import Session
from phasewise.model.phase import Declined, Evidence, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.model.status import State
from phasewise.rules.base import Picks, Rule
from phasewise.tui.app import PhasewiseApp
from phasewise.tui.widgets.page import Page

pytestmark = pytest.mark.engine


class DropMetadata(Rule):
    """Deletes a package's *.dist-info in the last layer; the layers before it are those of the sample's other tests."""

    title, risk, FIRES, SILENT = "Delete *.dist-info", Risk.SAFE, (), ()

    @property
    def id(self) -> str:
        return "drop_metadata"

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        before = view.files["Dockerfile"]
        after = before.replace(
            "\nEXPOSE", "\nRUN rm -r /opt/venv/lib/python3.12/site-packages/fastapi-*.dist-info\nEXPOSE"
        )
        if before.count("dist-info"):
            return self.declined("done already")
        edits = (FileEdit("Dockerfile", before, after),)
        return Phase(
            self.id, self.title, "An article says so.", edits, (Evidence("Dockerfile", 1, ""),), self.risk
        )


@pytest.fixture(scope="module")
def place(engine: Engine, git_identity: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = create(tmp_path_factory.mktemp("failing") / "tidewatch")
    yield place
    Session.open(place).clean()


def colours(app: PhasewiseApp, text: str) -> set[str]:
    """In which colours `text` is drawn on the screen, as hexadecimal numbers."""
    return {
        segment.style.color.get_truecolor().hex
        for strip in app.screen._compositor.render_strips()
        for segment in strip
        if text in segment.text and segment.style and segment.style.color
    }


async def test_it_turns_red_shows_what_broke_and_is_taken_back(place: Path, engine: Engine) -> None:
    before = (place / "Dockerfile").read_bytes()
    app = PhasewiseApp(lambda: Session.open(place, rules=(DropMetadata(),)))
    async with app.run_test(size=(140, 45)) as pilot:
        keyboard = Keyboard(app, pilot)
        await keyboard.opened()
        await keyboard.until(lambda: app.main.jobs.progress)
        await keyboard.idle()
        await pilot.press("a")
        await keyboard.answer("enter")
        await keyboard.started()
        await keyboard.idle()
        await keyboard.until(lambda: app.main.query_one("#tabs", TabbedContent).active == "checks")

        row = keyboard.status.row("drop_metadata")
        assert row is not None
        assert row.state is State.FAILED
        assert app.main.chosen == row.id
        line = next(line for line in keyboard.lines if "1 drop_metadata" in line)
        assert "✖ 1 drop_metadata" in line
        red = Color.parse(app.get_css_variables()["text-error"]).hex.lower()
        assert red in colours(app, "✖ ")
        assert colours(app, "failed") == {red}

        page = app.main.query_one("#checks-page", Page)
        assert page.scroll_offset.y == 0
        assert page.lines[0].plain.startswith("✖ 1 check fails that passed on the baseline.")
        first = next(line.plain for line in page.lines[2:] if line.plain.strip())
        assert first.startswith("✖ failed")
        assert "fastapi" in first
        said = " ".join(" ".join(line.plain for line in page.lines[2:6]).split())
        assert "the dist-info directory of fastapi is gone" in said
        assert any(line.rstrip("│ ").endswith(first.rstrip()) for line in keyboard.lines), "it is in sight"

        await pilot.press("u")
        await keyboard.started()
        await keyboard.idle()
        await keyboard.until(lambda: keyboard.status.rows[0].state is State.ROLLED_BACK)
        after, job = keyboard.status, app.main.jobs.progress
        assert job is not None
        assert job.finished is not None
        assert job.finished.ok, job.finished.summary
        assert "↩ 1 drop_metadata" in "\n".join(keyboard.lines)

    assert (place / "Dockerfile").read_bytes() == before
    session = Session.open(place)
    checked = ledger.verification(session.repository, after.head, session.target)
    assert checked is not None
    assert after.baseline_verification is not None
    assert checked.broken_since(after.baseline_verification) == ()
    current = engine.inspect(image_names.current(place, session.target))
    assert after.baseline_measurement is not None
    assert current.size_bytes == after.baseline_measurement.image_bytes
