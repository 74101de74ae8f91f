"""The keys that change something: apply, roll back, measure, verify, skip, tick, stop, leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual import work

from phasewise.migration.events import Cancel, Event
from phasewise.model.measurement import Scenario
from phasewise.tui import text
from phasewise.tui.screens.branch_modal import BranchModal, Destination
from phasewise.tui.screens.choose_modal import ChooseModal
from phasewise.tui.screens.reading import Reading

if TYPE_CHECKING:
    from phasewise.model.repo import Target

_SCENARIOS = (Scenario.COLD, Scenario.WARM, Scenario.CODE_CHANGE)


class PhaseActions(Reading):
    """A layer of the main screen: each action asks what it must, then starts a job or asks the session."""

    @work(group="ask")
    async def action_apply(self) -> None:
        """Commits the chosen phase and tries it out."""
        row, status, session = self.row, self.status, self.session
        assert row is not None
        assert status is not None
        if not status.branch_decided and self.destination is None and not await self._ask_where():
            return
        branch = self.destination.branch or None if self.destination else None
        measure = bool(self.engine)

        def begin(cancel: Cancel) -> Iterator[Event]:
            return session.apply(row.id, branch=branch, measure=measure, cancel=cancel)

        self.start_job(f"applying {row.id}", row.id, begin, leads_on=True)

    @work(group="ask")
    async def action_roll_back(self) -> None:
        """Takes the chosen phase back, after naming the later ones that will be planned again."""
        row, session = self.row, self.session
        assert row
        later = await self.ask(lambda asked: asked.later_than(row.id))
        if later is None or (later and not await self._confirm_roll_back(row.id, later)):
            return
        measure = bool(self.engine)

        def begin(cancel: Cancel) -> Iterator[Event]:
            return session.rollback(row.id, measure=measure, cancel=cancel)

        self.start_job(f"rolling back {row.id}", row.id, begin)

    @work(group="ask")
    async def action_roll_back_all(self) -> None:
        """Takes every applied phase back, after asking."""
        session = self.session
        ids = await self.ask(lambda asked: asked.applied())
        if not ids or not await self._confirm_roll_back_all(ids):
            return
        measure = bool(self.engine)

        def begin(cancel: Cancel) -> Iterator[Event]:
            return session.rollback(*ids, measure=measure, cancel=cancel)

        self.start_job("rolling back all phases", "", begin)

    def action_measure(self) -> None:
        """Times the three scenarios on the chosen phase's commit and the one before it, or on the current one."""
        revision, phase, session = self._revision(), self._applied_id(), self.session

        def begin(cancel: Cancel) -> Iterator[Event]:
            return session.measure(revision, scenarios=_SCENARIOS, compare=bool(phase), cancel=cancel)

        self.start_job(f"measuring {phase or 'the current commit'}", phase, begin)

    def action_verify(self) -> None:
        """Runs the checks on the chosen phase's commit, or on the current one."""
        revision, phase, session = self._revision(), self._applied_id(), self.session

        def begin(cancel: Cancel) -> Iterator[Event]:
            return session.verify(revision, cancel=cancel)

        self.start_job(f"checking {phase or 'the current commit'}", phase, begin)

    @work(group="ask")
    async def action_skip(self) -> None:
        """Sets the chosen phase aside, or takes it up again."""
        row = self.row
        assert row
        await self.change(lambda session: session.skip(row.id, row.state != "skipped"))

    @work(group="ask")
    async def action_tick(self) -> None:
        """Leaves the shown file, or the hunk under the cursor, out of the phase, or takes it in again."""
        row, file, hunk = self.row, self.file, self.hunk
        assert row
        if hunk:
            on = hunk in row.left_out.get(file, ())
            await self.change(lambda session: session.tick_hunks(row.id, file, (hunk,), on))
            return
        await self.change(lambda session: session.tick(row.id, file, file in row.unticked))

    @work(group="ask")
    async def action_branch(self) -> None:
        """Chooses where the next commits go."""
        if await self._ask_where() and self.destination:
            where = self.destination.branch or "the present branch"
            self.say(f"The next phase is committed on {text.one_line(where)}.")

    def action_cancel(self) -> None:
        """Stops the job."""
        self.stop_job()

    @work(group="ask")
    async def action_quit(self) -> None:
        """Leaves; asks first while a job runs."""
        running = self.jobs.running
        if running is None:
            self.app.exit()
            return
        answer = await self.app.push_screen_wait(
            ChooseModal(
                "A job is running",
                text.own((text.one_line(running.title), "bold"), " is not finished."),
                (
                    ("stop", "c", text.own("stop it, then leave")),
                    ("finish", "f", text.own("let it finish, then leave")),
                    ("stay", "s", text.own("stay")),
                ),
            )
        )
        if answer in ("stop", "finish"):
            self.leave_when_done(stop=answer == "stop")

    async def _ask_where(self) -> bool:
        """Whether the user said where the commits go."""
        assert self.status
        modal = BranchModal(self.status.branch, branch_name(self.status.target))
        answer: Destination | None = await self.app.push_screen_wait(modal)
        self.destination = answer or self.destination
        return answer is not None

    async def _confirm_roll_back(self, id: str, later: tuple[str, ...]) -> bool:
        names = ", ".join(later)
        said = text.own(
            "Later phases build on ",
            (id, "bold"),
            ": ",
            (names, "bold"),
            ".\nThey are reverted too and planned again on the text without it. "
            "The branch moves only when all of it worked.",
        )
        answers = (
            ("yes", "u", text.own("roll back ", (id, "bold"), " and plan the others again")),
            ("no", "s", text.own("leave everything as it is")),
        )
        return await self.app.push_screen_wait(ChooseModal("Roll back in the middle", said, answers)) == "yes"

    async def _confirm_roll_back_all(self, ids: tuple[str, ...]) -> bool:
        said = text.own(
            "Every applied phase is taken back with a revert commit: ",
            (", ".join(ids), "bold"),
            ".\nNothing is lost: history stays, and each can be applied again.",
        )
        answers = (
            ("yes", "u", text.own("roll back ", (f"all {len(ids)}", "bold"))),
            ("no", "s", text.own("leave everything as it is")),
        )
        return await self.app.push_screen_wait(ChooseModal("Roll back all", said, answers)) == "yes"

    def _revision(self) -> str:
        return (self.row.commit if self.row else None) or "HEAD"

    def _applied_id(self) -> str:
        return self.row.id if self.row and self.row.commit else ""


def branch_name(target: Target) -> str:
    """The name that is proposed for a new branch: `phasewise/backend-dockerfile-production`."""
    slug = re.sub(r"[^a-z0-9]+", "-", target.label.lower()).strip("-")
    return f"phasewise/{slug or 'dockerfile'}"
