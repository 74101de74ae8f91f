"""The words of the command line that mean the same for every verb, and how their text is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from phasewise.migration.errors import Usage
from phasewise.model.hunks import hunks, numbered
from phasewise.model.measurement import Scenario
from phasewise.model.units import bytes_of

if TYPE_CHECKING:
    from phasewise.migration.session import Session

F = TypeVar("F", bound=Callable[..., Any])

_BARE_BYTES = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*")
"""A number below 1 kB without a unit: no image is that small, so a unit was left out."""


def target_options(command: F) -> F:
    """The options that mean the same everywhere."""
    for option in (
        click.option("--dockerfile", metavar="PATH", help="The Dockerfile, relative to the repository."),
        click.option(
            "--target", "stage", metavar="STAGE", help="The stage that is built; default: the last."
        ),
    ):
        command = option(command)
    return command


def repository_option(command: F) -> F:
    """REPO as an option, where the words of the verb are phases or a revision."""
    return _repository_option(".")(command)


def repository_argument(command: F) -> F:
    """REPO as the last word, or as the option that the other verbs have; default: the folder one stands in."""

    @wraps(command)
    def called(*words: Any, repo: Path | None, directory: Path | None, **options: Any) -> Any:
        if repo and directory:
            raise Usage(f"two repositories are named: {repo} and {directory}", "say one of them")
        return command(*words, repo=repo or directory or Path("."), **options)

    argument = click.argument("repo", required=False, type=click.Path(path_type=Path))
    return cast(F, argument(_repository_option(None, "directory")(called)))


def _repository_option(default: str | None, name: str = "repo") -> Callable[[F], F]:
    kind = click.Path(path_type=Path)
    said = "The repository; default: here."
    return click.option("-C", "--repo", name, default=default, type=kind, metavar="DIR", help=said)


json_option = click.option("--json", "as_json", is_flag=True, help="Data on standard output as JSON.")


def part_options(command: F) -> F:
    """Which files and hunks of phases are applied; remembered for the repository, as the ticks of the terminal UI."""
    for name, said in (("with", "Take it in again."), ("without", "Leave a file, or one hunk of it, out.")):
        command = click.option(
            f"--{name}",
            f"parts_{name}",
            multiple=True,
            metavar="PHASE:PATH[:HUNK]",
            help=f"{said} phasewise plan numbers the hunks.",
        )(command)
    return command


def tick(session: Session, text: str, on: bool) -> None:
    """Takes in or leaves out what `drop_compileall:Dockerfile:2` names, a file or one hunk of it.

    Raises:
        Usage: it is not of that form, or names no phase, file or hunk of the plan.
        Refused: what is left cannot be applied.
    """
    id, colon, place = text.partition(":")
    if not (colon and id and place):
        raise Usage(f"{text}: not of the form PHASE:PATH[:HUNK]")
    phase = session.plan().phase(id)
    if phase is None:
        raise Usage(f"{text}: the plan has no phase {id}", "phasewise plan lists them")
    edits = {edit.path: edit for edit in phase.edits}
    if place in edits:
        session.tick(id, place, on)
        return
    path, _, wanted = place.rpartition(":")
    if path not in edits:
        raise Usage(f"{text}: {id} does not edit that file", f"it edits: {', '.join(edits)}")
    hunk = numbered(edits[path], wanted)
    if hunk is None:
        raise Usage(f"{text}: there is no hunk {wanted}", f"{path} has {len(hunks(edits[path]))}")
    session.tick_hunks(id, path, [hunk.id], on)


def scenarios(text: str) -> tuple[Scenario, ...]:
    """`cold,warm` as scenarios; raises Usage on one that does not exist."""
    try:
        return tuple(Scenario(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise Usage(str(error), f"there are: {', '.join(Scenario)}") from error


def goal_bytes(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """A size given as `500MB`, in bytes; for click's `callback`."""
    if text is not None and (bare := _BARE_BYTES.fullmatch(text)):
        raise click.BadParameter(f"{bare[1]} bytes? give a unit: {bare[1]}MB")
    try:
        return None if text is None else bytes_of(text)
    except ValueError as error:
        raise click.BadParameter("a size is written 500MB or 1.5GB") from error


def answer(session: Session, text: str) -> None:
    """Answers a choice, given as `add_ci_variant.leave_out=scipy,pandas`.

    Raises:
        Usage: it is not of that form, or names no phase, choice or option of the plan.
    """
    address, equals, listed = text.partition("=")
    id, dot, name = address.partition(".")
    if not (equals and dot and id and name):
        raise Usage(f"{text}: not of the form PHASE.CHOICE=OPTION[,OPTION]")
    phase = session.plan().phase(id)
    if phase is None:
        raise Usage(f"{text}: the plan has no phase {id}", "phasewise plan lists them")
    choice = next((choice for choice in phase.choices if choice.id == name), None)
    if choice is None:
        known = ", ".join(choice.id for choice in phase.choices) or "none"
        raise Usage(f"{text}: {id} has no choice {name}", f"there are: {known}")
    picked = frozenset(option.strip() for option in listed.split(",") if option.strip())
    unknown = picked - {option.id for option in choice.options}
    if unknown:
        known = ", ".join(option.id for option in choice.options)
        raise Usage(f"{text}: no such option: {', '.join(sorted(unknown))}", f"there are: {known}")
    if not choice.multiple and len(picked) != 1:
        raise Usage(f"{text}: exactly one option must be picked")
    session.pick(id, name, picked)
