"""Makes the pictures of the README from a real run of the demo: real commits, real builds, real checks.

Usage: python screenshots/make.py; needs an engine, and libcairo for the PNG files.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import cairosvg
from textual.pilot import Pilot
from textual.widgets import TabbedContent

from phasewise.cli.demo.create import create
from phasewise.migration.session import Session
from phasewise.model.edits import insert_after
from phasewise.model.phase import Declined, FileEdit, Phase, Risk
from phasewise.model.python.environments import installs
from phasewise.model.repo import RepoView
from phasewise.model.text import apply_edits
from phasewise.rules.base import Picks, Rule
from phasewise.rules.discovery import all_rules
from phasewise.tui.app import PhasewiseApp
from phasewise.tui.widgets.phase_list import PhaseList

HERE = Path(__file__).parent
PERSON = {"NAME": "Ines Calder", "EMAIL": "ines@tidewatch.example"}
ROLES = ("AUTHOR", "COMMITTER")
PHASES = ("drop_compileall", "split_base_builder", "prune_site_packages", "strip_symbols", "add_ci_variant")
WIDE, NARROW = (140, 45), (80, 24)


class DropMetadata(Rule):
    """Deletes *.dist-info, as many articles advise: imports pass, versions and entry points are gone."""

    title = "Delete *.dist-info"
    risk = Risk.CHECK
    order = 45
    FIRES = ()
    SILENT = ()

    @property
    def id(self) -> str:
        """There is no module of that name: the rule exists for the picture of a failing phase."""
        return "drop_metadata"

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """A RUN behind the installs that deletes what importlib.metadata reads."""
        dockerfile = view.dockerfile
        if "'*.dist-info' -prune" in dockerfile.text:
            return self.declined("done already")
        install = next(found for stage in dockerfile.stages for found in installs(dockerfile, stage))
        line = f"RUN find {install.environment} -name '*.dist-info' -prune -exec rm -rf {{}} +\n"
        after = apply_edits(dockerfile.text, [insert_after(dockerfile, install.instruction, line)])
        return Phase(
            id=self.id,
            title=self.title,
            why="An article says that nothing reads package metadata at run time.",
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=(view.evidence(dockerfile.path, install.instruction.line),),
            risk=self.risk,
        )


class Photographer:
    """Presses keys and takes pictures."""

    def __init__(self, app: PhasewiseApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for something to become true on the screen; real builds take their time."""
        while not condition():
            await self.pilot.pause(0.1)
        await self.pilot.pause(0.3)

    async def idle(self) -> None:
        """Waits until no job runs and the plan is there."""
        await self.until(lambda: self.app.main.status and not self.app.main.jobs.running)

    async def choose(self, id: str) -> None:
        """Puts the cursor on a phase."""
        self.app.main.query_one(PhaseList).choose(id)
        await self.until(lambda: self.app.main.chosen == id)

    async def apply(self, id: str) -> None:
        """Applies a phase and waits until it is built and checked."""
        await self.choose(id)
        await self.pilot.press("a")
        await self.pilot.pause(0.3)
        if self.app.screen is not self.app.main:
            await self.pilot.press("enter")
        row = lambda: self.app.main.status and self.app.main.status.row(id)  # noqa: E731
        await self.until(lambda: (found := row()) and found.commit)
        await self.idle()

    async def picture(self, name: str) -> None:
        """Writes `name`.svg and `name`.png."""
        self.app.clear_notifications()
        await self.pilot.pause(0.5)
        svg = local_font(self.app.export_screenshot(title="phasewise"))
        (HERE / f"{name}.svg").write_text(svg, "utf-8")
        # The font that cairo takes has no branch sign, and cairo looks for no other.
        cairosvg.svg2png(
            svg.replace("\u2387", "\u2325").encode(), write_to=str(HERE / f"{name}.png"), output_width=1680
        )
        print(f"{name}.svg, {name}.png")


def local_font(svg: str) -> str:
    """The picture without fonts from the network: the viewer's own monospace font, or DejaVu's."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "DejaVu Sans Mono").replace("arial", "DejaVu Sans Mono")


@asynccontextmanager
async def photographing(
    place: Path, size: tuple[int, int] = WIDE, theme: str = "textual-dark", more: tuple[Rule, ...] = ()
) -> AsyncIterator[Photographer]:
    """The real application on the repository at `place`."""
    rules = tuple(sorted((*all_rules(), *more), key=lambda rule: rule.order))
    app = PhasewiseApp(lambda: Session.open(place, rules=rules))
    app.theme = theme
    async with app.run_test(size=size) as pilot:
        photographer = Photographer(app, pilot)
        await photographer.until(lambda: app.main.status and app.main.engine)
        await pilot.pause(1)
        await photographer.idle()
        yield photographer


async def make(place: Path) -> None:
    """The whole walk through the demo."""
    async with photographing(place) as at_work:
        await at_work.choose("split_base_builder")
        await at_work.picture("plan")
        for id in PHASES:
            await at_work.apply(id)
        await at_work.choose("split_base_builder")
        at_work.app.main.query_one("#tabs", TabbedContent).active = "effect"
        await at_work.picture("measured")
        await at_work.pilot.press("h")
        await at_work.until(lambda: at_work.app.screen is not at_work.app.main)
        await at_work.picture("history")
    async with photographing(place, NARROW) as at_work:
        await at_work.choose("split_base_builder")
        await at_work.picture("narrow")
    async with photographing(place, theme="textual-light") as at_work:
        await at_work.choose("split_base_builder")
        await at_work.picture("light")
    async with photographing(place, more=(DropMetadata(),)) as at_work:
        await at_work.apply("drop_metadata")
        await at_work.picture("failing")


if __name__ == "__main__":
    os.environ |= {f"GIT_{role}_{what}": value for role in ROLES for what, value in PERSON.items()}
    with tempfile.TemporaryDirectory(prefix="phasewise-screenshots-") as folder:
        place = create(Path(folder) / "tidewatch")
        try:
            asyncio.run(make(place))
        finally:
            with Session.open(place) as session:
                session.clean()
