"""Where the migration of one target stands: its plan, what is applied, what was found out. Reads git only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from phasewise.migration import board, ledger, removals, scan
from phasewise.migration.choices import Choices
from phasewise.migration.errors import Refused, Usage
from phasewise.migration.git import Repository
from phasewise.migration.ledger import Applied
from phasewise.migration.planning import (
    Wishes,
    free_id,
    left_out,
    make_plan,
    objection,
    propose,
    recorded_wishes,
    rule_of,
    ticked,
)
from phasewise.migration.ranking import ranked
from phasewise.migration.settings import read_settings
from phasewise.model.builds.affected import affected
from phasewise.model.census import Census
from phasewise.model.dockerfile import Dockerfile, DockerfileError, Stage
from phasewise.model.floor import Floor, floor
from phasewise.model.hunks import LeftOut
from phasewise.model.phase import Declined, Phase, Plan
from phasewise.model.repo import RepoView, Target
from phasewise.model.status import Status
from phasewise.rules.base import Picks, Rule


class Survey:
    """What is known of one target of a repository; every answer is about the present HEAD."""

    def __init__(
        self, repository: Repository, target: Target, choices: Choices, rules: Sequence[Rule]
    ) -> None:
        self.repository, self.target = repository, target
        self._choices, self._rules = choices, tuple(rules)
        self._ranked: tuple[tuple[object, ...], tuple[Rule, ...]] | None = None
        """The rules in the order of the plan, and what that was decided from."""
        self._phases: dict[tuple[str, bool], Phase | None] = {}
        """By commit, and by whether a census was there to predict from."""
        self._planned: tuple[tuple[object, ...], Plan] | None = None
        """The last plan, and what it was made from."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order of the plan.

        The baseline's text and census decide, and nothing that the user does later: no row jumps.
        """
        census = self.census()
        if census is None:
            return self._rules
        known = (self.baseline(), census)
        if self._ranked is None or self._ranked[0] != known:
            plan = make_plan(self.view(known[0]), Wishes(), rules=self._rules)
            self._ranked = known, ranked(self._rules, plan)
        return self._ranked[1]

    @property
    def wishes(self) -> Wishes:
        """The user's decisions; where they left a choice open, the one recorded with the applied phase."""
        return self._wishes(self.applied())

    def plan(self) -> Plan:
        """The phases that HEAD's text calls for, and what was declined."""
        return self._plan(self.applied())

    def open_phases(self) -> tuple[Phase, ...]:
        """The phases of the plan that the user has not set aside."""
        applied = self.applied()
        skipped = self._wishes(applied).skipped
        return tuple(phase for phase in self._plan(applied).phases if phase.id not in skipped)

    def unreadable(self) -> str:
        """Where and why HEAD's Dockerfile does not parse; '' when it does."""
        try:
            self.view(self.repository.head()).stage  # noqa: B018 - asked for its error
        except DockerfileError as error:
            return str(error)
        return ""

    def proposal(self, id: str) -> tuple[Phase, Picks, LeftOut]:
        """The phase as it stands on HEAD's text, whatever the plan would put before it, without what is unticked.

        With it the answers to its choices, and what was unticked.

        Raises:
            Usage: there is no such phase.
            Refused: it does not apply here, or not now.
        """
        rule = rule_of(id, self.rules)
        applied = self.applied()
        taken = frozenset(entry.id for entry in applied)
        if id in taken:
            raise Refused(f"{id} is applied already", "nothing was changed")
        if rule is None or id != free_id(rule.id, taken):
            raise Usage(f"there is no phase {id}", "phasewise plan lists them")
        wishes = self._wishes(applied)
        answer = propose(rule, self.view(self.repository.head()), wishes)
        if isinstance(answer, Declined):
            raise Refused(f"{id} does not apply: {answer.reason}", "nothing was changed")
        if reason := board.order_refusal(answer, taken):
            raise Refused(f"{id}: {reason}", "nothing was changed")
        picks = {choice.id: choice.picked for choice in answer.choices}
        phase = replace(answer, id=id)
        if reason := objection(phase, wishes):
            raise Refused(f"{id}: {reason}", "nothing was changed; tick it again")
        return ticked(phase, wishes), picks, left_out(phase, wishes)

    def refuse(self, id: str, wishes: Wishes) -> None:
        """Raises Refused where the phase cannot be applied with what `wishes` leave of it."""
        phase = self.plan().phase(id)
        if phase and (reason := objection(phase, wishes)):
            raise Refused(reason, "it stays ticked")

    def status(self, targets: Sequence[Target]) -> Status:
        """Everything that a front end shows of the target."""
        head, baseline, applied = self.repository.head(), self.baseline(), self.applied()
        plan, start = self._plan(applied), self.record(baseline)
        rows = board.in_plan_order(
            [
                *board.applied_rows([self._step(entry) for entry in applied], start),
                *board.proposed_rows(plan, self._wishes(applied), self._rolled_back(applied)),
            ],
            self.rules,
        )
        unreadable = self.unreadable()
        refusals = self.repository.refusals({row.id: row.phase.files for row in rows if row.phase})
        return Status(
            repository=self.repository.name,
            path=str(self.repository.root),
            branch=self.repository.branch() or "HEAD",
            head=head,
            target=self.target,
            targets=tuple(targets),
            baseline=baseline,
            rows=board.with_refusals(rows, refusals),
            declined=() if unreadable else self._not_applied(plan.declined, applied),
            baseline_measurement=start.newest,
            baseline_verification=start.verification,
            baseline_measurements=tuple(start.measurements.values()),
            baseline_census=self.census(),
            current_measurement=self.record(head).newest,
            floor=self.floor(),
            budget_bytes=self.budget_bytes(),
            refusal=self.repository.blockers(()),
            unreadable=unreadable,
            branch_decided=self._choices.branch_decided,
        )

    def baseline(self) -> str:
        """The commit that the migration starts from."""
        return ledger.baseline(self.repository, self.target)

    def applied(self) -> tuple[Applied, ...]:
        """The phases that HEAD holds, in the order of their commits."""
        return ledger.applied(self.repository, self.target)

    def record(self, commit: str) -> board.Record:
        """What was found out about a commit."""
        return board.Record(
            ledger.measurements(self.repository, commit, self.target),
            ledger.verification(self.repository, commit, self.target),
        )

    def census(self) -> Census | None:
        """What is inside the baseline's image; None until it was built."""
        return ledger.census(self.repository, self.baseline(), self.target)

    def floor(self) -> Floor | None:
        """What the plan is predicted to leave, and what no phase removes; None without a census."""
        census, applied = self.census(), self.applied()
        if census is None:
            return None
        now = self.record(self.repository.head()).newest
        wishes, plan = self._wishes(applied), self._plan(applied)
        # What a part of a phase saves is not known: the plan counts none of it, the floor all.
        partly = {p.id for p in plan.phases if self.target.dockerfile in left_out(p, wishes)}
        return floor(
            census,
            now.image_bytes if now else None,
            [phase for entry in applied if (phase := self.phase_of(entry))],
            plan.phases,
            wishes.skipped | partly,
            self._measured_stage(),
        )

    def budget_bytes(self) -> int | None:
        """The size that the repository wants the image to keep to; None where none is declared, or not readably."""
        try:
            return read_settings(self.repository, self.repository.head()).budget_bytes(self.target)
        except Usage:
            return None

    def view(self, commit: str) -> RepoView:
        """What a rule may look at."""
        return scan.view(self.repository, commit, self.target, self.census())

    def phase_of(self, entry: Applied) -> Phase | None:
        """The phase behind an applied commit: what its rule says of the text before, with the commit's edits."""
        known = (entry.commit, self.census() is not None)
        if known not in self._phases:
            self._phases[known] = self._read_back(entry)
        return self._phases[known]

    def gone(self, commit: str) -> frozenset[str]:
        """The checks that ask for packages which the phases up to `commit` take out on purpose."""
        phases = {entry.commit: self.phase_of(entry) for entry in self.applied()}
        removing = {at: phase.removes for at, phase in phases.items() if phase and phase.removes}
        reached = {each.sha for each in self.repository.log(commit)} if removing else set()
        names = {name for at, removed in removing.items() if at in reached for name in removed}
        return removals.checks_of(self.census(), names) if names else frozenset()

    def before(self, commit: str) -> board.Record:
        """What was found out about the files that `commit` started from; empty where they were never measured."""
        return self.record(commit if commit == self.baseline() else self.step_before(commit))

    def step_before(self, commit: str) -> str:
        """The commit that `commit` is to be compared with: its parent, or a measured one with the same files.

        A revert leaves the files of an earlier commit. One further back will not do: what came since would
        be counted as this phase's work.
        """
        baseline, before = self.baseline(), self.repository.log(commit)[1:]
        if not before:
            return baseline
        wanted = self.repository.tree_id(before[0].sha)
        for ancestor in before:
            if self.record(ancestor.sha).measurements and self.repository.tree_id(ancestor.sha) == wanted:
                return ancestor.sha
            if ancestor.sha == baseline:
                break
        return before[0].sha

    def variants(self, entry: Applied) -> tuple[Target, ...]:
        """The further Dockerfiles that a phase added or changed, as targets."""
        others = self._others(entry)
        if not others:
            return ()
        return tuple(t for t in scan.scan(self.repository, entry.commit) if t.dockerfile in others)

    def _others(self, entry: Applied) -> tuple[str, ...]:
        """The files that a phase's commit changed, without the target's own Dockerfile."""
        return tuple(path for path in entry.files if path != self.target.dockerfile)

    def _step(self, entry: Applied) -> board.Step:
        measured = ledger.variants(self.repository, entry.commit, self._others(entry))
        return board.Step(
            entry,
            self.phase_of(entry),
            self.before(entry.commit),
            self.record(entry.commit),
            next(iter(measured.values()), None),
        )

    def _wishes(self, applied: Sequence[Applied]) -> Wishes:
        return recorded_wishes(self._choices.wishes(self.target.label), applied, self.rules)

    def _measured_stage(self) -> tuple[Dockerfile, Stage] | None:
        """What the baseline's image was built from; None where that cannot be read."""
        origin = self.view(self.baseline())
        try:
            return origin.dockerfile, origin.stage
        except (DockerfileError, KeyError):
            return None

    def _plan(self, applied: Sequence[Applied]) -> Plan:
        """Made once for the same text, wishes and census: a status asks several times."""
        head, wishes, census = self.repository.head(), self._wishes(applied), self.census()
        taken = frozenset(entry.id for entry in applied)
        known = (head, wishes, census, taken)
        if self._planned is None or self._planned[0] != known:
            view, targets = self.view(head), scan.scan(self.repository, head)
            plan = make_plan(view, wishes, taken, self.rules)
            elsewhere = self._done_elsewhere() if plan.declined else {}
            self._planned = (
                known,
                Plan(
                    tuple(_with_affected(phase, view, targets) for phase in plan.phases),
                    tuple(_with_origin(declined, elsewhere) for declined in plan.declined),
                ),
            )
        return self._planned[1]

    def _done_elsewhere(self) -> dict[str, tuple[Target, Applied]]:
        """By rule, the phase of another target that changed a file which this one reads too."""
        head = self.repository.head()
        found: dict[str, tuple[Target, Applied]] = {}
        for other in scan.scan(self.repository, head):
            if other.dockerfile == self.target.dockerfile:
                continue
            for entry in ledger.applied(self.repository, other):
                rule = rule_of(entry.id, self._rules)
                if rule and affected(scan.view(self.repository, head, other), [self.target], entry.files):
                    found[rule.id] = other, entry
        return found

    def _not_applied(self, declined: Sequence[Declined], applied: Sequence[Applied]) -> tuple[Declined, ...]:
        """What was declined, without the rules whose phase is applied: that it finds no more is no news."""
        done = {rule.id for entry in applied if (rule := rule_of(entry.id, self.rules))}
        return tuple(one for one in declined if one.wrong or one.id not in done)

    def _rolled_back(self, applied: Sequence[Applied]) -> frozenset[str]:
        return frozenset(ledger.rolled_back(self.repository, self.target)) - {entry.id for entry in applied}

    def _read_back(self, entry: Applied) -> Phase | None:
        rule = rule_of(entry.id, self.rules)
        if rule is None:
            return None
        before = self.repository.resolve(f"{entry.commit}^")
        view = self.view(before)
        answer = propose(rule, view, Wishes(picks={rule.id: entry.picks}))
        if isinstance(answer, Declined):
            return None
        phase = replace(answer, id=entry.id, edits=self.repository.edits_of(entry.commit))
        return _with_affected(phase, view, scan.scan(self.repository, before))


def _with_affected(phase: Phase, view: RepoView, targets: Sequence[Target]) -> Phase:
    """The phase with those of the `targets` of the view's commit that read what it edits."""
    found = affected(view, targets, phase.files)
    return replace(phase, affects=tuple(target.label for target in found))


def _with_origin(declined: Declined, elsewhere: Mapping[str, tuple[Target, Applied]]) -> Declined:
    """The refusal, and that its rule was applied for another target, to files that this one shares."""
    if declined.id not in elsewhere:
        return declined
    other, entry = elsewhere[declined.id]
    done = f"{entry.commit[:7]} did it for {other.label}, in files that this target shares"
    return replace(declined, reason=f"{declined.reason} ({done})")
