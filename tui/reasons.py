"""Why a key can do nothing now, in one sentence; pure, so that the footer and the toast say the same."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.phase import Phase
from phasewise.model.status import Row, State, Status
from phasewise.tui.present.phases import APPLIED

_NEED_STATUS = frozenset(
    [
        "apply",
        "roll_back",
        "roll_back_all",
        "measure",
        "verify",
        "skip",
        "tick",
        "history",
        "image",
        "report",
        "target",
        "branch",
        "declined",
        "page",
        "filter",
        "refresh",
    ]
)


class Situation(Struct, frozen=True):
    """What the answer depends on."""

    status: Status | None
    row: Row | None
    """The phase under the cursor."""
    file: str
    """The file that the diff shows; empty without one."""
    job: str
    """The title of the job that runs; empty when none does."""
    engine: bool | None
    """Whether an engine answers; None while that is not known yet."""
    can_wait: bool = False
    """Whether the job that runs is one that another may wait for."""
    at_work: str = ""
    """The id of the phase that the job is about."""
    hunk: str = ""
    """The id of the hunk under the cursor; empty while it is on the whole file."""


def why_not(action: str, now: Situation) -> str:
    """The reason why `action` is disabled; empty when it can be done."""
    if action == "cancel":
        return "" if now.job else "nothing runs that could be stopped"
    if now.status is None and action in _NEED_STATUS:
        return "the repository is still being read"
    decide = _DECIDE.get(action)
    return decide(now) if decide else ""


def _apply(now: Situation) -> str:
    row = now.row
    if row is None:
        return "no phase is chosen"
    if row.state in APPLIED:
        return f"{row.id} is applied already; u rolls it back"
    if row.state is State.SKIPPED:
        return f"{row.id} is skipped; s takes it up again"
    blocked = "" if now.can_wait else _busy(now)
    refused = (now.status.refusal if now.status else "") or row.refusal
    unknown = "still looking for an engine" if now.engine is None else ""
    return blocked or refused or unknown or _nothing_ticked(row)


def _roll_back(now: Situation) -> str:
    row = now.row
    if row is None:
        return "no phase is chosen"
    if row.state not in APPLIED:
        return f"{row.id} is not applied"
    return _busy(now) or (now.status.refusal if now.status else "") or row.refusal


def _roll_back_all(now: Situation) -> str:
    rows = now.status.rows if now.status else ()
    applied = [row for row in rows if row.state in APPLIED]
    if not applied:
        return "no phase is applied"
    refused = next((f"{row.id}: {row.refusal}" for row in applied if row.refusal), "")
    return _busy(now) or (now.status.refusal if now.status else "") or refused


def _measure(now: Situation) -> str:
    return _busy(now) or _engine(now)


def _skip(now: Situation) -> str:
    row = now.row
    if row is None:
        return "no phase is chosen"
    if row.state in APPLIED:
        return f"{row.id} is applied already; u rolls it back"
    return _busy(now) if row.id == now.at_work else ""


def _tick(now: Situation) -> str:
    row = now.row
    if row is None or row.phase is None or not now.file:
        return "no file is chosen"
    if row.state in APPLIED:
        return f"{row.id} is applied already: its files are committed"
    if now.hunk:
        whole = "the whole file is left out; esc, then space takes it in again"
        return whole if now.file in row.unticked else _busy(now) if row.id == now.at_work else ""
    if now.file not in row.unticked and _left(row.phase, row.unticked) == {now.file}:
        return "a phase needs at least one file; s skips the whole phase"
    return _busy(now) if row.id == now.at_work else ""


def _report(now: Situation) -> str:
    known = now.status and (now.status.baseline_measurement or any(row.commit for row in now.status.rows))
    return "" if known else "nothing is applied and nothing is measured yet"


def _page(now: Situation) -> str:
    declined = now.status.declined if now.status else ()
    return "" if now.row or declined else "no phase is chosen, and none was declined"


def _target(now: Situation) -> str:
    if now.status and len(now.status.targets) < 2:
        return f"there is only one Dockerfile here: {now.status.target.label}; --target opens another stage of it"
    return _busy(now)


def _busy(now: Situation) -> str:
    return f"{now.job} is still running; c stops it" if now.job else ""


def _engine(now: Situation) -> str:
    if now.engine is None:
        return "still looking for an engine"
    return "" if now.engine else "no engine answers; everything but measuring works"


def _nothing_ticked(row: Row) -> str:
    return "no file of the phase is ticked" if row.phase and not _left(row.phase, row.unticked) else ""


def _left(phase: Phase, unticked: frozenset[str]) -> set[str]:
    return set(phase.files) - unticked


_DECIDE = {
    "apply": _apply,
    "roll_back": _roll_back,
    "roll_back_all": _roll_back_all,
    "measure": _measure,
    "verify": _measure,
    "skip": _skip,
    "tick": _tick,
    "page": _page,
    "report": _report,
    "target": _target,
    "refresh": _busy,
}
