"""Scan, plan, apply, measure, verify, roll back: the front ends' only door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from phasewise.migration import board, ledger, rolling_back, scan
from phasewise.migration.choices import Choices
from phasewise.migration.errors import Cancelled, Refused, Usage
from phasewise.migration.events import (
    BuildFinished,
    Cancel,
    Committed,
    Event,
    Finished,
    Measured,
    Narration,
    Verified,
)
from phasewise.migration.git import Repository
from phasewise.migration.history import HistoryEntry, commits_of
from phasewise.migration.images import Engine, find_engine
from phasewise.migration.planning import Wishes, make_plan, propose, recorded_picks, rule_of, ticked
from phasewise.migration.report import render
from phasewise.migration.trial import Trial
from phasewise.model.census import Census
from phasewise.model.dockerfile import DockerfileError
from phasewise.model.measurement import Outcome, Scenario
from phasewise.model.phase import Declined, Phase, Plan, Provenance
from phasewise.model.repo import RepoView, Target
from phasewise.model.status import Status
from phasewise.rules.base import Picks


class Session:
    """One repository and one target of it. Reading is cheap and needs no engine; long jobs yield events."""

    def __init__(self, repository: Repository, targets: Sequence[Target], target: Target) -> None:
        self.repository = repository
        self.targets = tuple(targets)
        self.target = target
        self._choices = Choices(repository.git_directory)
        self._phases: dict[str, Phase | None] = {}
        self._builder: str | None = None

    @classmethod
    def open(cls, path: Path, *, dockerfile: str | None = None, stage: str | None = None) -> Session:
        """The session on the repository that holds `path`.

        Raises:
            Usage: there is no repository, no Dockerfile, or not the one that is asked for.
        """
        repository = Repository.open(path)
        targets = scan.scan(repository, repository.head())
        if not targets:
            raise Usage(
                f"no Dockerfile is committed in {repository.root}",
                "commit one, or name the repository: phasewise REPO",
            )
        target = _choose(targets, dockerfile)
        return cls(repository, targets, _at_stage(repository, target, stage) if stage else target)

    # Reading

    def select(self, target: Target) -> None:
        """Turns to another target."""
        self.target = target

    def plan(self) -> Plan:
        """The phases that HEAD's text calls for, and what was declined."""
        return self._plan(self._applied())

    def status(self) -> Status:
        """Everything that a front end shows of the target."""
        head, baseline = self.repository.head(), self._baseline()
        applied = self._applied()
        plan = self._plan(applied)
        start = self._record(baseline)
        records = {entry.commit: self._record(entry.commit) for entry in applied}
        rows = board.in_plan_order(
            [
                *board.applied_rows(
                    applied, {entry.id: self._phase_of(entry) for entry in applied}, records, start
                ),
                *board.proposed_rows(plan, self._wishes, self._rolled_back(applied)),
            ]
        )
        refusals = self.repository.refusals({row.id: row.phase.files for row in rows if row.phase})
        return Status(
            repository=self.repository.name,
            path=str(self.repository.root),
            branch=self.repository.branch() or "HEAD",
            head=head,
            target=self.target,
            targets=self.targets,
            baseline=baseline,
            rows=board.with_refusals(rows, refusals),
            declined=plan.declined,
            baseline_measurement=start.newest,
            baseline_verification=start.verification,
            baseline_measurements=tuple(start.measurements.values()),
            baseline_census=self.census(),
            current_measurement=self._record(head).newest,
            refusal=self.repository.blockers(()),
            branch_decided=self._choices.branch_decided,
        )

    def history(self) -> tuple[HistoryEntry, ...]:
        """The commits that touched the target's Dockerfile, newest first."""
        return commits_of(self.repository, self.target.dockerfile)

    def introduced(self, path: str, line: int) -> Provenance | None:
        """The commit that brought in a line of HEAD's text."""
        return self._view(self.repository.head()).introduced.get((path, line))

    def census(self) -> Census | None:
        """What is inside the baseline's image; None until it was built."""
        return ledger.census(self.repository, self._baseline(), self.target)

    def report(self, format: str) -> str:
        """The migration so far as `md` (the text of a pull request), `html` or `json`."""
        return render(self.status(), format)

    # The user's choices

    def pick(self, phase: str, choice: str, options: frozenset[str]) -> None:
        """Answers a choice of a phase."""
        self._choices.pick(self.target.label, phase, choice, options)

    def tick(self, phase: str, path: str, on: bool) -> None:
        """Takes a file into a phase, or leaves it out."""
        self._choices.tick(self.target.label, phase, path, on)

    def skip(self, phase: str, on: bool) -> None:
        """Sets a phase aside, or takes it up again."""
        self._choices.skip(self.target.label, phase, on)

    # The engine

    @cached_property
    def engine(self) -> Engine:
        """The engine that the docker CLI would use.

        Raises:
            NoEngine: none answers.
        """
        return find_engine(self._builder)

    def use_builder(self, name: str | None) -> None:
        """Builds with that buildx builder from now on; None is the current one."""
        self._builder = name
        self.__dict__.pop("engine", None)

    def engine_label(self) -> str:
        """`docker 26.1.5 · buildx 0.13.1 · local`; raises NoEngine."""
        return self.engine.label

    # Long jobs

    def prepare(self, cancel: Cancel | None = None) -> Iterator[Event]:
        """Builds, looks into and checks the baseline, as far as that is not recorded yet."""
        cancel = cancel or Cancel()
        baseline, trial = self._baseline(), self._trial
        yield from trial.build(baseline, cancel)
        if not self.engine.exists(trial.image(baseline)):
            yield Finished(False, "the baseline does not build; nothing can be compared with it")
            return
        if self.census() is None:
            yield from trial.take_census(baseline, cancel)
        if self._record(baseline).verification is None:
            yield from trial.verify(baseline, baseline, cancel)
        yield Finished(True, "the baseline is measured and checked")

    def apply(
        self, phase: str, *, branch: str | None = None, measure: bool = True, cancel: Cancel | None = None
    ) -> Iterator[Event]:
        """Commits the phase, on a new branch when one is named; then builds, measures and checks it.

        Raises:
            Refused: nothing was changed, and why.
            Usage: there is no such phase.
        """
        cancel = cancel or Cancel()
        proposal, picks = self._proposal(phase)
        reason = self.repository.blockers(proposal.files)
        if reason:
            raise Refused(reason, "nothing was changed")
        if measure:
            yield from self._prepared(cancel)
            if cancel.asked:
                raise Cancelled("stopped before anything was changed")
        message = ledger.message(proposal, self.target, picks)
        commit = self.repository.commit(proposal.edits, message, branch=branch)
        self._choices.decide_branch()
        if branch:
            yield Narration(f"git switch -c {branch}")
        yield Committed(phase, commit, message.split("\n", 1)[0], proposal.files)
        if measure:
            yield from self._try(commit, cancel)
        else:
            yield Finished(True, f"{phase} is committed, not measured")

    def measure(
        self,
        revision: str = "HEAD",
        scenarios: Sequence[Scenario] = (Scenario.COLD, Scenario.WARM, Scenario.CODE_CHANGE),
        repeat: int = 1,
        cancel: Cancel | None = None,
    ) -> Iterator[Event]:
        """Measures a commit; one Measured a scenario, each recorded in the notes."""
        commit = self.repository.resolve(revision)
        failed = ""
        for event in self._trial.measure(commit, scenarios, repeat, cancel or Cancel()):
            if isinstance(event, Measured) and event.measurement.outcome is not Outcome.BUILT:
                failed = f"{event.measurement.scenario}: {event.measurement.outcome}"
            yield event
        yield Finished(not failed, failed or f"measured {commit[:12]}")

    def verify(self, revision: str = "HEAD", cancel: Cancel | None = None) -> Iterator[Event]:
        """Runs the checks on a commit's image, and on the baseline's first where that was not done."""
        cancel = cancel or Cancel()
        commit = self.repository.resolve(revision)
        yield from self._prepared(cancel)
        yield from self._try(commit, cancel)

    def rollback(self, *phases: str, measure: bool = True, cancel: Cancel | None = None) -> Iterator[Event]:
        """Takes phases back with revert commits; then rebuilds and checks what is left.

        Raises:
            Refused: nothing was changed, and why.
        """
        cancel = cancel or Cancel()
        before = {entry.commit for entry in self._applied()}
        yield from rolling_back.reverse(self.repository, self.target, phases, self._wishes, self.census())
        if not measure:
            yield Finished(True, f"rolled back {', '.join(phases)}")
            return
        head = self.repository.head()
        for entry in self._applied():
            if entry.commit not in before and entry.commit != head:
                yield from self._trial.build(entry.commit, cancel)
        yield from self._try(head, cancel)

    def later_than(self, phase: str) -> tuple[str, ...]:
        """Applied phases that a rollback of `phase` would have to plan again; changes nothing."""
        return rolling_back.conflicting(self.repository, self.target, phase)

    def applied(self) -> tuple[str, ...]:
        """The ids of the applied phases, in the order of their commits."""
        return tuple(entry.id for entry in self._applied())

    # Parts of the above

    @property
    def _trial(self) -> Trial:
        return Trial(self.repository, self.engine, self.target)

    @property
    def _wishes(self) -> Wishes:
        """The user's decisions; where they left a choice open, the one recorded with the applied phase."""
        return recorded_picks(self._choices.wishes(self.target.label), self._applied())

    def _plan(self, applied: Sequence[ledger.Applied]) -> Plan:
        taken = frozenset(entry.id for entry in applied)
        return make_plan(self._view(self.repository.head()), self._wishes, taken)

    def _baseline(self) -> str:
        return ledger.baseline(self.repository, self.target)

    def _applied(self) -> tuple[ledger.Applied, ...]:
        return ledger.applied(self.repository, self.target)

    def _rolled_back(self, applied: Sequence[ledger.Applied]) -> frozenset[str]:
        return frozenset(ledger.rolled_back(self.repository, self.target)) - {entry.id for entry in applied}

    def _view(self, commit: str) -> RepoView:
        return scan.view(self.repository, commit, self.target, self.census())

    def _record(self, commit: str) -> board.Record:
        return board.Record(
            ledger.measurements(self.repository, commit, self.target),
            ledger.verification(self.repository, commit, self.target),
        )

    def _proposal(self, id: str) -> tuple[Phase, Picks]:
        """The phase as it stands on HEAD's text, whatever the plan would put before it."""
        rule = rule_of(id)
        if rule is None:
            raise Usage(f"there is no phase {id}", "phasewise plan lists them")
        answer = propose(rule, self._view(self.repository.head()), self._wishes)
        if isinstance(answer, Declined):
            raise Refused(f"{id} does not apply: {answer.reason}", "nothing was changed")
        applied = self.applied()
        missing = [need for need in answer.needs if need not in applied]
        if missing:
            raise Refused(f"{id} needs {', '.join(missing)} first", "nothing was changed")
        against = [other for other in answer.excludes if other in applied]
        if against:
            raise Refused(f"{id} is excluded by {', '.join(against)}", "nothing was changed")
        picks = {choice.id: choice.picked for choice in answer.choices}
        return ticked(replace(answer, id=id), self._wishes), picks

    def _phase_of(self, entry: ledger.Applied) -> Phase | None:
        """The phase behind an applied commit: what its rule says of the text before, with the commit's edits."""
        if entry.commit not in self._phases:
            self._phases[entry.commit] = self._read_back(entry)
        return self._phases[entry.commit]

    def _read_back(self, entry: ledger.Applied) -> Phase | None:
        rule = rule_of(entry.id)
        if rule is None:
            return None
        before = self.repository.resolve(f"{entry.commit}^")
        answer = propose(rule, self._view(before), Wishes(picks={rule.id: entry.picks}))
        if isinstance(answer, Declined):
            return None
        return replace(answer, id=entry.id, edits=self.repository.edits_of(entry.commit))

    def _prepared(self, cancel: Cancel) -> Iterator[Event]:
        """The baseline's events, without the word that it is finished."""
        for event in self.prepare(cancel):
            if not isinstance(event, Finished):
                yield event
            elif not event.ok:
                yield Narration(event.summary)

    def _try(self, commit: str, cancel: Cancel) -> Iterator[Event]:
        """Builds and checks a commit, and points the `current` tag at its image."""
        trial, failure = self._trial, ""
        for event in trial.build(commit, cancel):
            if isinstance(event, BuildFinished) and event.outcome is not Outcome.BUILT:
                failure = f"the build {event.outcome}: {event.error.strip().rpartition(chr(10))[2]}"
            yield event
        if failure:
            yield Finished(False, failure)
            return
        trial.point_at(commit)
        broken = 0
        for event in trial.verify(commit, self._baseline(), cancel):
            if isinstance(event, Verified):
                broken = len(event.broken)
            yield event
        yield Finished(
            not broken, f"{broken} checks fail that passed on the baseline" if broken else "all checks pass"
        )


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
    """The target with another stage; raises Usage where the Dockerfile has none of that name."""
    view = scan.view(repository, repository.head(), replace(target, stage=stage))
    try:
        view.stage  # noqa: B018 - asked for its error
    except DockerfileError as error:
        raise Usage(str(error)) from error
    return view.target
