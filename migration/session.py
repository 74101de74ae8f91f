"""Scan, plan, apply, measure, verify, roll back: the front ends' only door."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from phasewise.migration import image_names, rolling_back, scan, scratch
from phasewise.migration.choices import Choices
from phasewise.migration.errors import Usage
from phasewise.migration.events import Cancel, Event
from phasewise.migration.git import Repository
from phasewise.migration.history import HistoryEntry, commits_of
from phasewise.migration.planning import left_out, rule_of
from phasewise.migration.report import render
from phasewise.migration.survey import Survey
from phasewise.model.builds.affected import reaching
from phasewise.model.census import Census
from phasewise.model.dockerfile import DockerfileError
from phasewise.model.elsewhere import Elsewhere
from phasewise.model.floor import Floor
from phasewise.model.hunks import LeftOut
from phasewise.model.measurement import Scenario
from phasewise.model.phase import Plan, Provenance
from phasewise.model.repo import Target
from phasewise.model.status import Status
from phasewise.rules.base import Rule
from phasewise.rules.discovery import all_rules
from phasewise.rules.page import page

if TYPE_CHECKING:
    # Loading the engine's client takes longer than making a plan, which needs no engine.
    from phasewise.migration.images import Engine
    from phasewise.migration.jobs import Jobs
    from phasewise.migration.trial import Trial


class Session:
    """One repository and one target of it. Reading is cheap and needs no engine; long jobs yield events."""

    def __init__(self, repository: Repository, target: Target, rules: Sequence[Rule] | None = None) -> None:
        self.repository = repository
        self.recovered = ""
        """What was put right at opening, after an earlier process had been killed; '' for nothing."""
        self._choices = Choices(repository.git_directory)
        self._rules = all_rules() if rules is None else tuple(rules)
        self._builder: str | None = None
        self._surveys: dict[Target, Survey] = {}
        self.select(target)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        dockerfile: str | None = None,
        stage: str | None = None,
        rules: Sequence[Rule] | None = None,
    ) -> Session:
        """The session on the repository that holds `path`; puts right what a killed process left half done.

        Raises:
            Usage: there is no repository, no Dockerfile, or not the one or the stage that is asked for.
        """
        repository = Repository.open(path)
        scratch.sweep()
        recovered = repository.recover()
        targets = scan.scan(repository, repository.head())
        if not targets:
            raise Usage(
                f"no Dockerfile is committed in {repository.root}",
                "commit one, or name the repository: phasewise REPO",
            )
        target = _choose(targets, dockerfile)
        if stage:
            target = _at_stage(repository, target, stage)
        session = cls(repository, target, rules)
        session.recovered = recovered
        return session

    def close(self) -> None:
        """Ends the processes that belong to the session, and forgets what was read for it."""
        self.repository.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    @property
    def targets(self) -> tuple[Target, ...]:
        """The Dockerfiles that HEAD holds; a phase may have added one."""
        return scan.scan(self.repository, self.repository.head())

    def select(self, target: Target) -> None:
        """Turns to another target."""
        self.target = target
        self._survey = self._survey_of(target)

    def _survey_of(self, target: Target) -> Survey:
        """Kept: a plan is made once for the same text, whichever target is turned to meanwhile."""
        return self._surveys.setdefault(target, Survey(self.repository, target, self._choices, self._rules))

    def plan(self) -> Plan:
        """The phases that HEAD's text calls for, and what was declined."""
        return self._survey.plan()

    def unreadable(self) -> str:
        """Where and why the target's Dockerfile cannot be read: `path:line: what is wrong`; '' when it can."""
        return self._survey.unreadable()

    def elsewhere(self, among: Iterable[Target] | None = None) -> tuple[Elsewhere, ...]:
        """The phases proposed for other targets, or for those `among` them, that edit files which this one reads too.

        Each of them is planned, which takes its time: who must not wait asks for one after the other.
        """
        others = [
            target
            for target in (self.targets if among is None else among)
            if target.dockerfile != self.target.dockerfile
        ]
        plans = [(other, self._survey_of(other).open_phases()) for other in others]
        return reaching(self._survey.view(self.repository.head()), plans)

    def status(self) -> Status:
        """Everything that a front end shows of the target."""
        return self._survey.status(self.targets)

    def applied(self) -> tuple[str, ...]:
        """The ids of the applied phases, in the order of their commits."""
        return tuple(entry.id for entry in self._survey.applied())

    def later_than(self, phase: str) -> tuple[str, ...]:
        """Applied phases that a rollback of `phase` would have to plan again; changes nothing."""
        survey = self._survey
        return rolling_back.conflicting(
            self.repository, self.target, phase, survey.wishes, survey.census(), survey.rules
        )

    def history(self) -> tuple[HistoryEntry, ...]:
        """The commits that touched the target's Dockerfile, newest first, with the sizes that were measured."""
        return tuple(
            replace(entry, image_bytes=newest.image_bytes)
            if (newest := self._survey.record(entry.commit).newest)
            else entry
            for entry in commits_of(self.repository, self.target.dockerfile)
        )

    def introduced(self, path: str, line: int) -> Provenance | None:
        """The commit that brought in a line of HEAD's text."""
        return self._survey.view(self.repository.head()).introduced.get((path, line))

    def census(self) -> Census | None:
        """What is inside the baseline's image; None until it was built."""
        return self._survey.census()

    def left_out(self) -> dict[str, LeftOut]:
        """The files and hunks that the user left out of the plan's phases, by phase."""
        wishes = self._survey.wishes
        return {phase.id: left_out(phase, wishes) for phase in self.plan().phases}

    def floor(self) -> Floor | None:
        """What the plan is predicted to leave, and what no phase removes; None until the baseline was built."""
        return self._survey.floor()

    def budget_bytes(self) -> int | None:
        """The size that the repository declares for the target's image; None where it declares none."""
        return self._survey.budget_bytes()

    def report(self, format: str) -> str:
        """The migration so far as `md` (the text of a pull request), `html` or `json`."""
        return render(self.status(), format)

    def page(self, phase: str) -> str:
        """The page of the rule behind a phase, proposed, applied or declined, as Markdown.

        Raises:
            Usage: there is no such phase.
        """
        rule = rule_of(phase, self._rules)
        if rule is None:
            raise Usage(f"there is no phase {phase}", "phasewise docs lists them")
        return page(rule)

    # The user's choices

    def pick(self, phase: str, choice: str, options: frozenset[str]) -> None:
        """Answers a choice of a phase; a second phase of the same rule is answered with it.

        Raises:
            Usage: there is no such phase.
        """
        rule = rule_of(phase, self._rules)
        if rule is None:
            raise Usage(f"there is no phase {phase}", "phasewise plan lists them")
        self._choices.pick(self.target.label, rule.id, choice, options)

    def tick(self, phase: str, path: str, on: bool) -> None:
        """Takes a file into a phase, or leaves it out.

        Raises:
            Refused: nothing would be left of the phase.
        """
        if not on:
            self._survey.refuse(phase, self._survey.wishes.ticking(phase, path, on))
        self._choices.tick(self.target.label, phase, path, on)

    def tick_hunks(self, phase: str, path: str, hunks: Iterable[str], on: bool) -> None:
        """Takes hunks of a file, by their ids, into a phase, or leaves them out.

        Raises:
            Refused: nothing would be left of the phase, or the file could not be read.
        """
        wanted = tuple(hunks)
        if not on:
            self._survey.refuse(phase, self._survey.wishes.ticking_hunks(phase, path, wanted, on))
        self._choices.tick_hunks(self.target.label, phase, path, wanted, on)

    def skip(self, phase: str, on: bool) -> None:
        """Sets a phase aside, or takes it up again."""
        self._choices.skip(self.target.label, phase, on)

    def know(self, phases: Iterable[str]) -> None:
        """Makes sure that all ids name phases, before something is done with the first of them.

        Raises:
            Usage: one does not.
        """
        for id in phases:
            if rule_of(id, self._rules) is None and id not in self.applied():
                raise Usage(f"there is no phase {id}", "phasewise plan lists them")

    # The engine

    @cached_property
    def engine(self) -> Engine:
        """The engine that the docker CLI would use.

        Raises:
            NoEngine: none answers.
        """
        from phasewise.migration.images import find_engine

        engine = find_engine(self._builder)
        engine.sweep()
        return engine

    def use_builder(self, name: str | None) -> None:
        """Builds with that buildx builder from now on; None is the current one."""
        self._builder = name
        self.__dict__.pop("engine", None)

    def engine_label(self) -> str:
        """`docker 26.1.5 · buildx 0.13.1 · local`, asked for anew; raises NoEngine."""
        known: Engine | None = self.__dict__.get("engine")
        if known is not None and not known.answers():
            del self.__dict__["engine"]
        return self.engine.label

    def clean(self) -> tuple[str, ...]:
        """Removes the images that were built for this repository, and nobody else's; returns their tags.

        Raises:
            NoEngine: none answers.
        """
        family = image_names.of_repository(self.repository.root)
        return self.engine.remove([tag for tag in self.engine.local_tags() if tag.startswith(family)])

    # Long jobs

    def prepare(self, cancel: Cancel | None = None) -> Iterator[Event]:
        """Builds, looks into and checks the baseline, as far as that is not recorded yet."""
        return self._jobs.prepare(cancel or Cancel())

    def apply(
        self, phase: str, *, branch: str | None = None, measure: bool = True, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Commits the phase, on a new branch when one is named; then builds, measures and checks it.

        Raises:
            Refused: nothing was changed, and why.
            Usage: there is no such phase.
            NoEngine: nothing was changed, because it could not be measured.
        """
        return self._jobs.apply(phase, branch, measure, cancel or Cancel())

    def measure(
        self,
        revision: str = "HEAD",
        scenarios: Sequence[Scenario] = (Scenario.COLD, Scenario.WARM, Scenario.CODE_CHANGE),
        repeat: int = 1,
        compare: bool = False,
        cancel: Cancel | None = None,
    ) -> Iterator[Event]:
        """Measures a commit; one Measured a scenario, each recorded in the notes.

        With `compare`, the commit before it is measured first in those scenarios where it was not yet, so
        that a phase has figures before and after.
        """
        return self._jobs.measure(revision, scenarios, repeat, compare, cancel or Cancel())

    def verify(self, revision: str = "HEAD", cancel: Cancel | None = None) -> Iterator[Event]:
        """Runs the checks on a commit's image, and on the baseline's first where that was not done."""
        return self._jobs.verify(revision, cancel or Cancel())

    def rollback(self, *phases: str, measure: bool = True, cancel: Cancel | None = None) -> Iterator[Event]:
        """Takes phases back with revert commits; then rebuilds and checks what is left.

        Raises:
            Refused: nothing was changed, and why.
        """
        return self._jobs.rollback(phases, measure, cancel or Cancel())

    @property
    def _jobs(self) -> Jobs:
        from phasewise.migration.jobs import Jobs

        return Jobs(self._survey, self._choices, self._trial)

    def _trial(self) -> Trial:
        from phasewise.migration.trial import Trial

        return Trial(self.repository, self.engine, self.target)


def _choose(targets: Sequence[Target], dockerfile: str | None) -> Target:
    """The first target, or the one that is asked for."""
    if dockerfile is None:
        return targets[0]
    wanted = dockerfile.removeprefix("./")
    for target in targets:
        if target.dockerfile == wanted:
            return target
    known = ", ".join(target.dockerfile for target in targets)
    raise Usage(f"{dockerfile} is not a committed Dockerfile of this repository", f"there are: {known}")


def _at_stage(repository: Repository, target: Target, stage: str) -> Target:
    """The target with another stage; raises Usage where the Dockerfile has none of that name.

    One that cannot be read may have it: what is wrong with it is said by who reads it.
    """
    view = scan.view(repository, repository.head(), replace(target, stage=stage))
    try:
        view.dockerfile  # noqa: B018 - asked for its error
    except DockerfileError:
        return view.target
    try:
        view.stage  # noqa: B018 - asked for its error
    except DockerfileError as error:
        raise Usage(str(error)) from error
    return view.target
