"""The sentence in the build panel while no job runs: what is missing, or what to do next."""

from __future__ import annotations

from textual.content import Content

from phasewise.migration.errors import NoEngine
from phasewise.model.status import State, Status
from phasewise.tui import text
from phasewise.tui.present import phases


def sentence(status: Status | None, engine: bool | None, missing: NoEngine | None) -> Content:
    """One sentence or two for the present state of things."""
    if status is None:
        return Content.styled("Reading the repository …", "dim")
    if status.refusal:
        return text.own(("Nothing can be applied: ", "bold $text-warning"), text.one_line(status.refusal))
    if status.unreadable:
        # The list says what is wrong there.
        place = text.one_line(status.unreadable.partition(": ")[0])
        return text.own(
            (place, "bold $text-error"),
            " cannot be read: mend the line and commit it, then ",
            ("f5", "bold $text-accent"),
            ".",
        )
    if missing is not None:
        # What to do comes first: a narrow terminal shows one line of it.
        what = text.one_line(missing.hint or "start Docker").rstrip(".")
        return text.own(
            ("No engine: ", "bold $text-warning"),
            what,
            "; ",
            ("f5", "bold $text-accent"),
            " looks again. All but measuring works.",
            (f"  ({text.one_line(missing.message).rstrip('.')})", "dim"),
        )
    if engine is None:
        return Content.styled("Looking for an engine …", "dim")
    broken = next((row.id for row in status.rows if row.state is State.FAILED), "")
    if broken:
        return text.own(
            (broken, "bold $text-error"), " is broken: ", ("u", "bold $text-accent"), " takes it back."
        )
    wrong = next((one for one in status.declined if one.wrong), None)
    if wrong:
        return text.own((wrong.id, "bold $text-warning"), f": {text.one_line(wrong.reason)}")
    current = phases.current(status.rows)
    if current:
        return text.own(
            ("a", "bold $text-accent"),
            " applies ",
            (current, "bold"),
            ", then builds, measures and checks it.",
        )
    other = next((row for row in status.rows if row.state in phases.OPEN), None)
    if other:
        key = ("a", "bold $text-accent")
        return text.own((other.id, "bold"), f" is left ({other.state}): choose it, then ", key, ".")
    return text.own(
        "Nothing is left to apply. ", ("r", "bold $text-accent"), " writes the pull-request text."
    )
