"""The long jobs on one target: prepare, apply, measure, verify, roll back. Each yields events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from phasewise.migration import board, ledger, rolling_back, sentences
from phasewise.migration.choices import Choices
from phasewise.migration.errors import Cancelled, NoEngine, Refused
from phasewise.migration.events import (
    BuildStarted,
    Cancel,
    Committed,
    Event,
    Finished,
    Measured,
    Narration,
    Verified,
)
from phasewise.migration.survey import Survey
from phasewise.model.measurement import Outcome, Scenario
from phasewise.model.phase import FileEdit

if TYPE_CHECKING:
    from phasewise.migration.trial import Trial


class Jobs:
    """What changes the repository or needs the engine; `trial` finds the engine when it is asked for."""

    def __init__(self, survey: Survey, choices: Choices, trial: Callable[[], Trial]) -> None:
        self._survey, self._choices, self._find_trial = survey, choices, trial
        self._repository, self._target = survey.repository, survey.target

    def prepare(self, cancel: Cancel) -> Iterator[Event]:
        """Builds, looks into and checks the baseline, as far as that is not recorded yet."""
        problem = yield from self._baseline(cancel)
        yield Finished(not problem, problem or "the baseline is measured and checked")

    def apply(self, phase: str, branch: str | None, measure: bool, cancel: Cancel) -> Iterator[Event]:
        """Commits the phase; then builds, measures and checks it."""
        proposal, picks, left_out = self._survey.proposal(phase)
        reason = self._repository.blockers(proposal.files)
        if reason:
            raise Refused(reason, "nothing was changed")
        if measure:
            yield from self._prepared(cancel)
            if cancel.asked:
                raise Cancelled("stopped before anything was changed")
        message = ledger.message(proposal, self._target, picks, left_out)
        commit = self._repository.commit(proposal.edits, message, branch=branch)
        self._choices.decide_branch()
        if branch:
            yield Narration(f"git switch -c {branch}")
        for line in self._repository.said.splitlines():
            yield Narration(line)
        yield Committed(phase, commit, message.split("\n", 1)[0], proposal.files)
        yield from self._told_if_altered(commit, proposal.edits)
        if not measure:
            yield Finished(True, f"{phase} is committed, not measured")
            return
        try:
            yield from self._try(commit, cancel)
        except Cancelled:
            yield Finished(False, f"stopped: {phase} is committed, {self._left_undone(commit)}")
        except NoEngine as lost:
            yield Finished(False, f"{phase} is committed, {self._left_undone(commit)}: {lost.message}")

    def measure(
        self, revision: str, scenarios: Sequence[Scenario], repeat: int, compare: bool, cancel: Cancel
    ) -> Iterator[Event]:
        """Measures a commit, with `compare` the one before it too; one Measured a scenario, each recorded."""
        # Like the engine's client, loaded only when something is built.
        from phasewise.migration.measure import number_of_builds

        commit = self._repository.resolve(revision)
        trial, failed, done = self._find_trial(), "", 0
        wanted = [*(self._missing_before(commit, scenarios) if compare else ()), (commit, tuple(scenarios))]
        total = sum(number_of_builds(each, repeat) for _, each in wanted)
        if len(wanted) > 1:
            yield Narration(f"{total} builds: first of {wanted[0][0][:7]}, to compare {commit[:7]} with")
        for measured, each in wanted:
            for event in trial.measure(measured, each, repeat, cancel):
                if isinstance(event, BuildStarted):
                    event = replace(event, number=done + event.number, total=total)
                if isinstance(event, Measured) and event.measurement.outcome is not Outcome.BUILT:
                    failed = f"{measured[:12]}, {event.measurement.scenario}: {event.measurement.outcome}"
                yield event
            done += number_of_builds(each, repeat)
            if cancel.asked:
                break
        if commit == self._repository.head() and trial.engine.exists(trial.image(commit)):
            # A cold build gave the commit another image.
            trial.point_at(commit)
        if len(wanted) > 1:
            trial.keep_only([self._survey.baseline(), self._repository.head(), commit])
        yield Finished(not failed, failed or f"measured {commit[:12]}")

    def verify(self, revision: str, cancel: Cancel) -> Iterator[Event]:
        """Runs the checks on a commit's image, and on the baseline's first where that was not done."""
        commit = self._repository.resolve(revision)
        yield from self._prepared(cancel)
        yield from self._try(commit, cancel)

    def rollback(self, phases: Sequence[str], measure: bool, cancel: Cancel) -> Iterator[Event]:
        """Takes phases back with revert commits; then rebuilds and checks what is left."""
        survey = self._survey
        before = {entry.commit for entry in survey.applied()}
        yield from rolling_back.reverse(
            self._repository, self._target, phases, survey.wishes, survey.census(), survey.rules
        )
        if not measure:
            yield Finished(True, f"rolled back {', '.join(phases)}")
            return
        head = self._repository.head()
        try:
            for entry in survey.applied():
                if entry.commit not in before and entry.commit != head:
                    yield from self._build(self._find_trial(), entry.commit, cancel)
            yield from self._try(head, cancel)
        except Cancelled:
            yield Finished(False, f"stopped: rolled back, {self._left_undone(head)}")
        except NoEngine as missing:
            yield Finished(True, f"rolled back, not built again: {missing.message}")

    def _baseline(self, cancel: Cancel) -> Generator[Event, None, str]:
        """Prepares the baseline; returns what stands in the way of a comparison, '' for nothing."""
        baseline, trial = self._survey.baseline(), self._find_trial()
        problem = yield from self._build(trial, baseline, cancel)
        if problem:
            return f"nothing can be compared with the baseline: {problem}"
        if self._survey.census() is None:
            yield from trial.take_census(baseline, cancel)
        if self._survey.record(baseline).verification is None:
            yield from trial.verify(baseline, None, cancel)
        return ""

    def _missing_before(
        self, commit: str, scenarios: Sequence[Scenario]
    ) -> list[tuple[str, tuple[Scenario, ...]]]:
        """The commit before `commit` with the scenarios that say nothing of it yet; empty where none is left."""
        if commit == self._survey.baseline():
            return []
        before = self._survey.step_before(commit)
        known = self._survey.record(before).measurements
        missing = tuple(
            scenario
            for scenario in scenarios
            if scenario not in known or known[scenario].outcome is Outcome.INCONCLUSIVE
        )
        return [(before, missing)] if missing else []

    def _prepared(self, cancel: Cancel) -> Iterator[Event]:
        """The baseline's events; a baseline that does not build is told and stops nothing."""
        problem = yield from self._baseline(cancel)
        if problem:
            yield Narration(problem)

    def _try(self, commit: str, cancel: Cancel) -> Iterator[Event]:
        """Builds and checks a commit, and what a phase added there; points the `current` tag at HEAD's image."""
        trial = self._find_trial()
        problem = yield from self._build(trial, commit, cancel)
        if problem:
            yield Finished(False, problem)
            return
        self._name_and_tidy(trial, commit)
        problem = yield from self._variants(trial, commit, cancel)
        checked = yield from self._check(trial, commit, cancel)
        yield Finished(False, problem) if problem else checked

    def _build(self, trial: Trial, commit: str, cancel: Cancel) -> Generator[Event, None, str]:
        """Builds a commit where that is not done yet; returns why there is no image, '' where there is one."""
        finished = yield from trial.build(commit, cancel)
        return "" if finished is None else sentences.build_problem(finished, trial.target)

    def _name_and_tidy(self, trial: Trial, commit: str) -> None:
        """An older commit's image is not the current one, and takes no place from it."""
        if commit == self._repository.head():
            trial.point_at(commit)
            trial.keep_only([self._survey.baseline(), commit])

    def _variants(self, trial: Trial, commit: str, cancel: Cancel) -> Generator[Event, None, str]:
        """Builds the other Dockerfiles of the phase of `commit`; returns what failed, '' for nothing."""
        problem = ""
        whole = self._survey.record(commit).newest
        for entry in self._survey.applied():
            for target in self._survey.variants(entry) if entry.commit == commit else ():
                failed = yield from self._build(trial.of(target), commit, cancel)
                trial.of(target).keep_only([commit])
                problem = problem or failed
                measured = ledger.variants(self._repository, commit, [target.dockerfile])
                if not failed and whole and target.dockerfile in measured:
                    yield Narration(sentences.variant(measured[target.dockerfile], whole))
        return problem

    def _check(self, trial: Trial, commit: str, cancel: Cancel) -> Generator[Event, None, Finished]:
        """Checks a commit against the baseline; returns the word on it."""
        before = self._survey.record(self._survey.baseline()).verification
        if before is None:
            return Finished(True, "it builds; the baseline was not checked, so there is nothing to compare")
        finished = Finished(True, "")
        for event in trial.verify(commit, before, cancel, self._survey.gone(commit)):
            if isinstance(event, Verified):
                finished = sentences.checks(event, before)
            yield event
        yield from self._start_up(commit)
        return finished

    def _start_up(self, commit: str) -> Iterator[Event]:
        """The measured price at start-up of the phase that `commit` applied, where it has one."""
        for entry in self._survey.applied():
            if entry.commit == commit:
                phase, step = self._survey.phase_of(entry), self._survey.before(commit).verification
                price = board.start_up(phase, step, self._survey.record(commit).verification)
                if price:
                    yield Narration(price.sentence)

    def _left_undone(self, commit: str) -> str:
        """What a job that was stopped leaves to do."""
        built = self._survey.record(commit).newest is not None
        return f"{'not checked' if built else 'not built, measured or checked'}; verify does that"

    def _told_if_altered(self, commit: str, edits: Sequence[FileEdit]) -> Iterator[Event]:
        """Says when a hook or filter has put another text into the commit than the phase's."""
        altered = self._repository.altered(commit, edits)
        if altered:
            yield Narration(f"a hook or filter changed {', '.join(altered)} on the way into the commit")
