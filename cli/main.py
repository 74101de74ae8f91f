"""The command line: verbs on the session, exit codes as an API."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phasewise.cli import output, targets
from phasewise.cli.ending import VerbOrRepository, run, without_reader
from phasewise.cli.options import (
    answer,
    goal_bytes,
    json_option,
    part_options,
    repository_argument,
    repository_option,
    scenarios,
    target_options,
    tick,
)
from phasewise.cli.signals import interruptible
from phasewise.migration.errors import Refused, Usage
from phasewise.migration.records import measurement_record

if TYPE_CHECKING:
    from phasewise.migration.session import Session

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


@click.group(cls=VerbOrRepository, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="phasewise", prog_name="phasewise")
def cli() -> None:
    """Migrates a Dockerfile in phases: each a commit, measured, verified, rolled back with one key.

    \b
    phasewise [REPO]        opens the terminal UI
    phasewise plan [REPO]   prints the plan
    \b
    Exit status: 0 done; 1 a phase failed its build or checks; 2 usage;
    3 refused, changing nothing (phases named before stay applied); 4 no engine.
    """


@cli.command()
@target_options
@repository_argument
def tui(repo: Path, dockerfile: str | None, stage: str | None) -> None:
    """Opens the terminal UI on REPO."""
    from phasewise.tui.app import run

    if not repo.exists():
        # Before a screen is drawn: it could only say this, and go.
        hint = "phasewise REPO opens the repository that holds REPO; phasewise --help lists the verbs"
        raise Usage(f"{repo} does not exist", hint)
    run(repo, dockerfile, stage)


@cli.command()
@click.option(
    "--goal",
    "goal",
    metavar="SIZE",
    callback=goal_bytes,
    help="Say whether the image can get as small as that, 500MB say, and what would have to go; "
    "default: the budget that the repository declares.",
)
@target_options
@json_option
@repository_argument
def plan(repo: Path, dockerfile: str | None, stage: str | None, as_json: bool, goal: int | None) -> None:
    """Prints the phases proposed for REPO, what they leave as predicted, and what was declined."""
    session = _open(repo, dockerfile, stage)
    shown = session.targets if dockerfile is None and stage is None else (session.target,)
    plans = []
    for target in shown:
        session.select(target)
        wanted = session.budget_bytes() if goal is None else goal
        plans.append(
            output.Planned(
                target,
                session.plan(),
                session.floor(),
                wanted,
                session.left_out(),
                session.elsewhere(),
                session.unreadable(),
            )
        )
    if as_json:
        output.data(output.plan_record(session, plans))
    else:
        output.print_plans([each for each in plans if not each.unreadable])
    _tell_unreadable(plans)


@cli.command()
@click.argument("phases", nargs=-1, required=True, metavar="PHASE...")
@click.option("--measure", is_flag=True, help="Build, measure and verify after each phase.")
@click.option("--branch", metavar="NAME", help="Commit on a new branch of that name.")
@click.option(
    "--pick",
    "picks",
    multiple=True,
    metavar="PHASE.CHOICE=OPTION[,OPTION]",
    help="Answer a choice of a phase; phasewise plan lists them.",
)
@part_options
@target_options
@repository_option
@json_option
def apply(
    phases: tuple[str, ...],
    measure: bool,
    branch: str | None,
    picks: tuple[str, ...],
    parts_with: tuple[str, ...],
    parts_without: tuple[str, ...],
    repo: Path,
    dockerfile: str | None,
    stage: str | None,
    as_json: bool,
) -> None:
    """Applies each PHASE as one commit."""
    session = _open(repo, dockerfile, stage)
    session.know(phases)
    _settle(session, dockerfile, stage, targets.holding(phases))
    for pick in picks:
        answer(session, pick)
    for part in parts_with:
        tick(session, part, True)
    for part in parts_without:
        tick(session, part, False)
    status, done = 0, 0
    for phase in _left_to_apply(session, phases):
        try:
            status = 0 if output.follow(session.apply(phase, branch=branch, measure=measure)) else 1
            done += 1
        except Refused as refused:
            if not done:
                raise
            # Phases before it are committed: "nothing was changed" would be wrong for the whole call.
            output.narrate(f"stopped at {phase}: {refused.message}")
            status = refused.exit_status
        except KeyboardInterrupt:
            if phase in session.applied():
                output.narrate(f"{phase} is committed; phasewise verify builds and checks it")
            raise
        branch = None
        if status:
            break
    _conclude(session, status, as_json)


@cli.command()
@click.argument("revision", default="HEAD", metavar="[REV]")
@click.option(
    "--scenario",
    default="cold,warm,code-change",
    show_default=True,
    metavar="LIST",
    help="Any of cold, warm, code-change, rebuild.",
)
@click.option(
    "--repeat", default=1, show_default=True, type=click.IntRange(1, 100), help="Builds a scenario."
)
@click.option("--builder", metavar="NAME", help="A buildx builder; default: the current one.")
@target_options
@repository_option
@json_option
def measure(
    revision: str,
    scenario: str,
    repeat: int,
    builder: str | None,
    repo: Path,
    dockerfile: str | None,
    stage: str | None,
    as_json: bool,
) -> None:
    """Builds REV and measures size, layers and time."""
    session = _open(repo, dockerfile, stage)
    _settle(session, dockerfile, stage)
    session.use_builder(builder)
    measured: list[Any] = []
    ok = output.follow(session.measure(revision, scenarios(scenario), repeat), measured)
    if as_json:
        output.data({"measurements": [measurement_record(measurement) for measurement in measured]})
    else:
        output.print_measurements(measured)
    sys.exit(0 if ok else 1)


@cli.command()
@click.argument("revision", default="HEAD", metavar="[REV]")
@target_options
@repository_option
@json_option
def verify(revision: str, repo: Path, dockerfile: str | None, stage: str | None, as_json: bool) -> None:
    """Checks that REV's image still behaves as the baseline's."""
    session = _open(repo, dockerfile, stage)
    _settle(session, dockerfile, stage)
    verified: list[Any] = []
    ok = output.follow(session.verify(revision), verified)
    if as_json:
        output.data(output.verification_record(verified))
    else:
        output.print_verification(verified)
    sys.exit(0 if ok else 1)


@cli.command()
@click.argument("phases", nargs=-1, metavar="PHASE...")
@click.option("--all", "everything", is_flag=True, help="Take every applied phase back.")
@click.option("--measure/--no-measure", default=True, show_default=True, help="Rebuild and check afterwards.")
@target_options
@repository_option
@json_option
def rollback(
    phases: tuple[str, ...],
    everything: bool,
    measure: bool,
    repo: Path,
    dockerfile: str | None,
    stage: str | None,
    as_json: bool,
) -> None:
    """Takes each PHASE back with revert commits; history is never rewritten."""
    session = _open(repo, dockerfile, stage)
    if everything == bool(phases):
        raise Usage("name the phases, or say --all", "phasewise status lists what is applied")
    session.know(phases)
    _settle(session, dockerfile, stage, targets.applied(phases))
    ids = session.applied() if everything else phases
    ok = output.follow(session.rollback(*ids, measure=measure)) if ids else True
    _conclude(session, 0 if ok else 1, as_json)


@cli.command()
@target_options
@json_option
@repository_argument
def status(repo: Path, dockerfile: str | None, stage: str | None, as_json: bool) -> None:
    """Prints what is applied, measured and verified in REPO."""
    session = _open(repo, dockerfile, stage)
    _settle(session, dockerfile, stage)
    if as_json:
        output.data(output.status_record(session.status()))
    else:
        output.print_status(session.status())


@cli.command()
@click.option(
    "--format", "format", type=click.Choice(["md", "html", "json"]), default="md", show_default=True
)
@target_options
@repository_argument
def report(repo: Path, format: str, dockerfile: str | None, stage: str | None) -> None:
    """Prints the migration so far as the text of a pull request."""
    session = _open(repo, dockerfile, stage)
    _settle(session, dockerfile, stage)
    click.echo(session.report(format))


@cli.command()
@click.argument("rule", required=False)
def docs(rule: str | None) -> None:
    """Prints the page of RULE as Markdown: what it changes, why, and when it stays silent. Without RULE, the list."""
    from phasewise.migration.planning import rule_of
    from phasewise.rules.discovery import all_rules
    from phasewise.rules.page import contents, page

    if rule is None:
        click.echo(contents(all_rules()), nl=False)
        return
    found = rule_of(rule, all_rules())
    if found is None:
        raise Usage(f"there is no phase {rule}", "phasewise docs lists them")
    click.echo(page(found), nl=False)


@cli.command()
@repository_argument
def clean(repo: Path) -> None:
    """Removes the images that phasewise built for REPO, and nothing else.

    The build cache stays: it is the engine's, and shared.
    """
    removed = _open(repo, None, None).clean()
    for tag in removed:
        click.echo(tag)
    output.narrate(f"{len(removed)} image names removed; `docker builder prune` would empty the build cache")


@cli.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option(
    "--print", "printed", is_flag=True, help="Run the whole migration and print it; no terminal UI."
)
def demo(directory: Path | None, printed: bool) -> None:
    """Makes a sample repository in DIRECTORY and opens the terminal UI on it.

    Without a terminal, the same migration runs and is printed.
    """
    from phasewise.cli import demonstration

    sys.exit(demonstration.run(directory, printed or not (sys.stdin.isatty() and sys.stdout.isatty())))


def main() -> None:
    """Runs the command line; errors become one sentence and an exit status."""
    # Most of what is made here lives to the end: to look for garbage among it often takes a tenth of a plan's time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    with interruptible():
        status = run(cli)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            status = without_reader()
    sys.exit(status)


def _open(repo: Path, dockerfile: str | None, stage: str | None) -> Session:
    """The session; says what was put right after an earlier process had been killed."""
    # Loaded here: the terminal UI draws its first frame without git and the Dockerfile parser.
    from phasewise.migration.session import Session

    session = Session.open(repo, dockerfile=dockerfile, stage=stage)
    click.get_current_context().call_on_close(session.close)
    if session.recovered:
        output.narrate(session.recovered)
    return session


def _settle(
    session: Session,
    dockerfile: str | None,
    stage: str | None,
    concerns: Callable[[Session], bool] | None = None,
) -> None:
    """Makes sure, and says, which Dockerfile is meant, where the call does not name one."""
    if dockerfile is None:
        if concerns and stage is None:
            targets.choose(session, concerns)
        targets.tell(session)


def _tell_unreadable(plans: Sequence[output.Planned]) -> None:
    """Says which Dockerfiles are not planned, and why; raises Refused where that is all of them."""
    reasons = [each.unreadable for each in plans if each.unreadable]
    hint = "mend the line and commit it: what is committed is planned"
    if len(reasons) == len(plans):
        raise Refused(f"nothing can be planned: {'; '.join(reasons)}", hint)
    for reason in reasons:
        output.narrate(f"not planned: {reason}; {hint}")


def _left_to_apply(session: Session, phases: tuple[str, ...]) -> tuple[str, ...]:
    """The phases that are not applied yet, each once, so that a call can be repeated; says which are passed over.

    All of them where none is left: to apply them again is refused.
    """
    applied = session.applied()
    left = tuple(dict.fromkeys(phase for phase in phases if phase not in applied))
    for phase in dict.fromkeys(phases) if left else ():
        if phase in applied:
            output.narrate(f"{phase} is applied already, and passed over")
    return left or phases


def _conclude(session: Session, exit_status: int, as_json: bool) -> None:
    """Prints where the migration stands and exits."""
    status = session.status()
    if as_json:
        output.data(output.status_record(status))
    else:
        output.print_status(status)
    sys.exit(exit_status)
