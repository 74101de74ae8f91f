"""Which phase comes first: dependencies decide; among those that are free, the predicted gain per risk."""

from __future__ import annotations

from collections.abc import Sequence

from phasewise.migration.planning import rule_of
from phasewise.model.phase import Plan, Risk
from phasewise.rules.base import Rule

_WEIGHTS = {Risk.SAFE: 1, Risk.CHECK: 2}
"""A phase that needs checks must save twice as much as a safe one to come first; one that asks comes last."""


def ranked(rules: Sequence[Rule], plan: Plan) -> tuple[Rule, ...]:
    """The rules in the order of the plan, where `plan` is the baseline's and tells what each would save.

    `order` says what must see another's result and is never broken. Rules of the same `order` are free: those
    that save most for their risk come first, those without a figure after them, by id.
    """
    saved: dict[str, float] = {}
    for phase in plan.phases:
        rule = rule_of(phase.id, rules)
        if rule and phase.risk in _WEIGHTS:
            saved[rule.id] = -(phase.predicted.image_bytes or 0) / _WEIGHTS[phase.risk]

    def place(rule: Rule) -> tuple[int, bool, float, str]:
        return rule.order, rule.risk is Risk.ASK, -saved.get(rule.id, 0), rule.id

    return tuple(sorted(rules, key=place))
