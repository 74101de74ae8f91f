"""What the plan leaves and what a wanted size takes, in sentences; all of it predicted, and called so. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phasewise.model.units import size

if TYPE_CHECKING:
    # Names in annotations only: the terminal UI draws its first frame without the Dockerfile parser.
    from phasewise.model.floor import Floor, Goal
    from phasewise.model.needed import Package

_NAMED = 5
"""Packages that a sentence names; the others are summed up."""


def sentences(floor: Floor | None, goal_bytes: int | None = None) -> list[str]:
    """The predicted total, the floor and what it is made of, the floor with each phase that asks first; then
    whether a wanted size can be reached. Empty where nothing is known yet."""
    if floor is None:
        return []
    start = f", now {size(floor.now_bytes)}" if floor.now_bytes is not None else ""
    said = [
        f"Plan: {size(floor.planned_bytes)} predicted from the baseline's content{start}.",
        f"Floor: {size(floor.image_bytes)} predicted. No phase removes {_kept(floor)}.{_rest(floor)}"
        if _parts(floor)
        else f"Floor: {size(floor.image_bytes)} predicted.",
    ]
    said += [f"With {each.id}: {size(each.image_bytes)} predicted." for each in floor.asking]
    return said + (goal(floor.goal(goal_bytes)) if goal_bytes is not None else [])


def goal(goal: Goal) -> list[str]:
    """Whether the goal can be reached, and what would have to go where it cannot."""
    wanted = size(goal.image_bytes)
    if goal.reachable:
        return [f"Goal {wanted}: reachable, as predicted."]
    said = f"Goal {wanted}: unreachable, the floor is {size(goal.over_bytes)} above it."
    if goal.asking:
        said = (
            f"Goal {wanted}: reachable only with {' and '.join(goal.asking)}, off until you say yes; without, "
            f"the floor is {size(goal.over_bytes)} above it."
        )
    if goal.base_bytes is not None:
        # Whatever else goes: no package has to be named.
        return [
            said,
            f"The base image alone has {size(goal.base_bytes)}: another one would have to be built on.",
        ]
    if not goal.packages:
        return [said]
    names = [_with_needs(package) for package in goal.packages]
    listed = [said, f"{'Or these' if goal.asking else 'These'} would have to go: {', '.join(names)}."]
    if goal.short_bytes:
        listed.append(f"Without all of them, {size(goal.short_bytes)} would still be missing.")
    return listed


def _kept(floor: Floor) -> str:
    parts = _parts(floor)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _parts(floor: Floor) -> list[str]:
    parts = [f"the base image ({size(floor.base_bytes)})"] if floor.base_bytes else []
    parts += [f"the application's files ({size(floor.application_bytes)})"] if floor.application_bytes else []
    parts += [f"{package.name} ({size(package.size_bytes)})" for package in floor.packages[:_NAMED]]
    return parts + _others(floor.packages[_NAMED:])


def _others(packages: Sequence[Package]) -> list[str]:
    if not packages:
        return []
    total = size(sum(package.size_bytes for package in packages))
    return [f"{len(packages)} smaller package{'s' * (len(packages) > 1)} ({total})"]


def _rest(floor: Floor) -> str:
    """What belongs to none of the parts, where it is worth a word: caches, or what a phase without a figure removes."""
    named = (floor.base_bytes or 0) + (floor.application_bytes or 0)
    rest = floor.image_bytes - named - sum(package.size_bytes for package in floor.packages)
    return f" {size(rest)} are in no package." if rest > floor.image_bytes / 100 else ""


def _with_needs(package: Package) -> str:
    needs = f", which {' and '.join(package.needed_by[:2])} needs" if len(package.needed_by) == 1 else ""
    if len(package.needed_by) > 1:
        others = len(package.needed_by) - 1
        needs = f", which {package.needed_by[0]} and {others} other{'s' * (others > 1)} need"
    return f"{package.name} ({size(package.size_bytes)}{needs})"
