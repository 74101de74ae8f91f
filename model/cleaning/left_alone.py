"""Why a RUN of the image that deletes what earlier layers hold, and so frees nothing, stays as it is."""

from __future__ import annotations

from phasewise.model.cleaning.caches import is_cache
from phasewise.model.cleaning.commands import Cleaning, cleanings, is_household
from phasewise.model.cleaning.move import Move
from phasewise.model.debian.apt import apt_commands
from phasewise.model.shell import Command, Script
from phasewise.model.wording import listed

_MOST_NAMED = 3


def left_alone(script: Script) -> Move | None:
    """The RUN with the reason why it is not moved; None where it does more than remove, or nothing of that."""
    found = cleanings(script)
    rest = [c for c in script.commands if not any(each.span.covers(c.span) for each in found)]
    others = [command for command in rest if not is_household(command)]
    if not found or any(not _removes(script, command) for command in others):
        return None
    roots = list(dict.fromkeys(root for each in found for root, _ in each.roots))
    names = listed(roots[:_MOST_NAMED] if len(roots) <= _MOST_NAMED else [*roots[:_MOST_NAMED], "more"])
    kinds = {each.finds for each in found}
    does = (
        "removes files in" if len(kinds) > 1 else "deletes what it finds in" if True in kinds else "removes"
    )
    reason = (
        f"line {script.instruction.line} {does} {names} in a later layer, which frees nothing, and stays: "
    )
    return Move(script.instruction, found, reason=reason + _why(found, roots, others))


def _why(found: tuple[Cleaning, ...], roots: list[str], others: list[Command]) -> str:
    if others:
        return (
            f"it also runs `{' '.join(others[0].argv[:3])}`, and only a step that just deletes files is moved"
        )
    own = [root for root in roots if not is_cache(root)]
    if own:
        return f"whether an install of packages wrote {own[0]} is not certain, and nothing else is moved"
    if len(roots) > 1 or len(found) > 1:
        return "these caches may have been filled by different steps, and such a step is not divided"
    return f"which step filled {roots[0]}, or whether its end can be continued, is not certain"


def _removes(script: Script, command: Command) -> bool:
    """Whether the command takes out packages, which frees nothing in a later layer either."""
    removed = {apt.command.span for apt in apt_commands(script, "remove", "purge", "autoremove")}
    return command.span in removed or command.argv[1:2] == ("uninstall",)
