"""The line at the top: repository, branch, target, engine, and what the migration has saved so far."""

from __future__ import annotations

from textual.content import Content

from phasewise.model import units
from phasewise.model.status import Status
from phasewise.tui import text


def line(status: Status | None, engine: Content, started_on: str, cells: int) -> Content:
    """Everything that fits on `cells`; the totals always, the engine first to go, then the name."""
    if status is None:
        return text.fit(
            text.own((" phasewise ", "bold $text-accent"), (" reading the repository …", "dim")), cells
        )
    name = Content.styled(" phasewise  ", "bold $text-accent")
    where = text.own((status.repository, "bold"), "  ", (branch(status, started_on), "$text-secondary"), "  ")
    right = totals(status)
    for left, middle in (
        (name + where, engine + Content("   ")),
        (name + where, Content("")),
        (Content(" ") + where, Content("")),
    ):
        target = _target(status, len(status.targets) > 1, 60)
        if left.cell_length + target.cell_length + middle.cell_length + right.cell_length + 2 <= cells:
            return text.ends(left + target, middle + right + Content(" "), cells)
    room = cells - right.cell_length - where.cell_length - 5
    return text.ends(
        Content(" ") + where + _target(status, len(status.targets) > 1, room), right + Content(" "), cells
    )


def branch(status: Status, started_on: str) -> str:
    """`⎇ main → docker-diet` once the branch changed since the start, else `⎇ main`."""
    now = text.one_line(status.branch if status.branch != "HEAD" else f"detached at {status.head[:7]}")
    return (
        f"⎇ {text.one_line(started_on)} → {now}" if started_on and started_on != status.branch else f"⎇ {now}"
    )


def totals(status: Status) -> Content:
    """`11.89 GB → 6.05 GB  −49 %`; the baseline alone while nothing else is measured."""
    start, now = status.baseline_measurement, status.current_measurement
    if start is None or start.image_bytes is None:
        return Content.styled("not measured yet", "italic dim")
    if now is None or now.image_bytes is None or not any(row.commit for row in status.rows):
        return Content.styled(units.size(start.image_bytes), "bold")
    style = "bold $text-success" if now.image_bytes < start.image_bytes else "bold"
    return Content.assemble(
        units.size(start.image_bytes),
        (" → ", "dim"),
        (units.size(now.image_bytes), "bold"),
        (f"  {units.percent_change(start.image_bytes, now.image_bytes)}", style),
    )


def _target(status: Status, switchable: bool, cells: int) -> Content:
    label = text.one_line(status.target.label)
    if len(label) > max(cells, 8):
        label = "…" + label[-max(cells, 8) + 1 :]
    return Content.styled(f"{label}{' ▾' if switchable else ''}", "$text-primary")
