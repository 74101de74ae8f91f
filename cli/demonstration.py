"""`phasewise demo`: the sample repository, then the terminal UI on it, or the whole migration printed."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

from phasewise.cli import output
from phasewise.cli.demo.create import create
from phasewise.migration.errors import NoEngine, Usage
from phasewise.migration.session import Session
from phasewise.model.status import Row, State, Status
from phasewise.model.units import percent_change


def run(directory: Path | None, printed: bool) -> int:
    """Makes the repository and opens it; the exit status."""
    try:
        place = create(directory or Path(tempfile.mkdtemp(prefix="phasewise-demo-")) / "tidewatch")
    except FileExistsError as error:
        raise Usage(str(error), "name a folder that does not exist yet") from error
    output.narrate(f"a sample repository: {place}")
    if printed:
        with Session.open(place) as session:
            status = migrate(session)
        output.narrate("")
    else:
        from phasewise.tui.app import run as open_terminal_ui

        open_terminal_ui(place, None, None)
        status = 0
    name = shlex.quote(str(place))
    output.narrate(f"look at it: phasewise {name}    what was done: git -C {name} log -p")
    output.narrate(f"clean up: phasewise clean {name} && rm -rf {name}")
    return status


def migrate(session: Session) -> int:
    """Goes through every phase with real builds, takes the second one back and applies it anew; prints all of it.

    Without an engine, everything that needs none is shown and the status is 0: the message says what is missing.
    """
    output.print_plans([output.Planned(session.target, session.plan(), session.floor())])
    try:
        output.narrate(f"engine: {session.engine_label()}")
    except NoEngine as error:
        output.narrate(f"{error.message}: the phases are committed, not measured. {error.hint}")
        return 0 if _there_and_back(session, measure=False) else 1
    ok = output.follow(session.prepare()) and _there_and_back(session, measure=True)
    output.print_status(session.status())
    return 0 if ok and _all_verified(session) else 1


def _there_and_back(session: Session, measure: bool) -> bool:
    """Applies all phases, takes the second one back, which leaves the later ones applied, and applies it anew."""
    if not _apply_all(session, measure):
        return False
    second = session.applied()[1]
    output.narrate(f"\n== rolling back {second}")
    return output.follow(session.rollback(second, measure=measure)) and _apply_all(session, measure)


def _apply_all(session: Session, measure: bool) -> bool:
    """Applies each phase that is not applied, in the order of the plan; the first of all on a new branch."""
    while row := _next(session.status()):
        branch = None if session.applied() else "phasewise-demo"
        output.narrate(f"\n== {row.id}: {row.title}")
        if not output.follow(session.apply(row.id, branch=branch, measure=measure)):
            return False
    return True


def _next(status: Status) -> Row | None:
    """The first phase that may be applied now."""
    ready = (State.PROPOSED, State.ROLLED_BACK)
    return next((row for row in status.rows if row.state in ready and not row.refusal), None)


def _all_verified(session: Session) -> bool:
    """Whether every applied phase passes, and says by how much the image shrank."""
    status = session.status()
    start, now = status.baseline_measurement, status.current_measurement
    if start and now and start.image_bytes and now.image_bytes:
        output.narrate(f"image: {percent_change(start.image_bytes, now.image_bytes)}, measured")
    return all(row.state is State.VERIFIED for row in status.rows if row.commit)
