"""Finds the rules: every module of this package that defines a Rule; there is no list to maintain."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import phasewise.rules
from phasewise.rules.base import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """One instance of each rule, in the order of the plan."""
    found = []
    for module in pkgutil.iter_modules(phasewise.rules.__path__):
        members = vars(import_module(f"phasewise.rules.{module.name}")).values()
        found += [
            member()
            for member in members
            if isinstance(member, type)
            and issubclass(member, Rule)
            and member is not Rule
            and member.__module__.endswith(f".{module.name}")
        ]
    return tuple(sorted(found, key=lambda rule: (rule.order, rule.id)))
