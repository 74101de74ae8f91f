"""Which Dockerfile a verb is about, where a repository has several: said always, and refused where it is unclear."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from phasewise.cli import output
from phasewise.migration.errors import Usage
from phasewise.model.builds.dockerfile_names import is_secondary

if TYPE_CHECKING:
    from phasewise.migration.session import Session


def tell(session: Session) -> None:
    """Says which Dockerfile was taken, where there is another one."""
    others = [one.dockerfile for one in session.targets if one.dockerfile != session.target.dockerfile]
    if others:
        output.narrate(
            f"{session.target.label} is taken; --dockerfile PATH chooses another one: {', '.join(others)}"
        )


def choose(session: Session, concerns: Callable[[Session], bool]) -> None:
    """Turns to the one target that a change concerns; the first where it concerns none.

    A variant for tests or development gives way to the Dockerfile that is deployed.

    Raises:
        Usage: the change could be meant for several.
    """
    targets, concerned = session.targets, []
    for target in targets if len(targets) > 1 else ():
        session.select(target)
        if concerns(session):
            concerned.append(target)
    meant = [target for target in concerned if not is_secondary(target.dockerfile)] or concerned
    if len(meant) > 1:
        names = ", ".join(target.dockerfile for target in meant)
        raise Usage(f"this could be meant for any of {names}", "say which one with --dockerfile PATH")
    session.select((meant or targets)[0])


def holding(ids: Collection[str]) -> Callable[[Session], bool]:
    """Whether one of the phases is proposed for the target, or applied to it."""
    return lambda session: bool(
        set(ids) & {*session.applied(), *(phase.id for phase in session.plan().phases)}
    )


def applied(ids: Collection[str]) -> Callable[[Session], bool]:
    """Whether one of the phases is applied to the target; with no ids, whether any phase is."""
    return lambda session: bool(set(session.applied()) & set(ids) if ids else session.applied())
