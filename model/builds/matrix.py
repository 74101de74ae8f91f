"""The combinations that a workflow's matrix stands for, and the expressions that read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from phasewise.model.builds.places import ROOT
from phasewise.model.builds.yaml_tree import elements, get, items, text

Combination = Mapping[str, str]
"""Values by name; an entry that is a mapping itself gives `service.name`."""

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)
_NAME = re.compile(r"\s*(matrix|env)\.([\w.-]+)\s*(?:\|\|\s*'([^']*)'\s*)?")
_LITERAL = re.compile(r"\s*'([^']*)'\s*")
_DEEPEST = 4
_MOST = 256
"""GitHub allows no more jobs from one matrix."""


def combinations(matrix: Node | None) -> tuple[Combination, ...] | None:
    """The combinations of a `strategy.matrix`; one empty one without matrix, None for one that is computed.

    Source: "Running variations of jobs in a workflow", docs.github.com: an `include` entry extends every
    combination whose original values it does not change, and stands for itself when it extends none.
    """
    if matrix is None:
        return ({},)
    if not isinstance(matrix, MappingNode):
        return None
    axes: list[list[Combination]] = []
    for name, values in items(matrix):
        if name in ("include", "exclude"):
            continue
        if not isinstance(values, SequenceNode):
            return None
        axes.append([_flat(name, value) for value in values.value])
    original = [_merged(parts) for parts in product(*axes)][:_MOST] if axes else []
    excluded = [_entry(item) for item in elements(get(matrix, "exclude"))]
    original = [one for one in original if not any(_agree(entry, one) for entry in excluded)]
    include = get(matrix, "include")
    if include is not None and not isinstance(include, SequenceNode):
        return None
    return _included(original, [_entry(item) for item in elements(include)])


class Filler:
    """Fills in `${{ matrix.x }}`, `${{ env.X }}` and `${{ github.workspace }}`."""

    def __init__(self, combination: Combination | None, environment: Mapping[str, str]) -> None:
        """`combination` is None where the matrix is computed: then no value of it is known."""
        self.combination, self.environment = combination, environment
        self.used: dict[str, str] = {}
        """The matrix values that were asked for, by name."""

    def __call__(self, written: str) -> str | None:
        """The text with every expression filled in; None when one is not known."""
        pieces, end = [], 0
        for match in _EXPRESSION.finditer(written):
            value = self._value(match[1])
            if value is None:
                return None
            pieces += [written[end : match.start()], value]
            end = match.end()
        return "".join([*pieces, written[end:]])

    def _value(self, expression: str) -> str | None:
        if expression.strip() == "github.workspace":
            return ROOT
        literal = _LITERAL.fullmatch(expression)
        if literal:
            return literal[1]
        match = _NAME.fullmatch(expression)
        if not match:
            return None
        source, name, default = match[1], match[2], match[3]
        if source == "matrix" and self.combination is None:
            return None
        value = ((self.combination or {}) if source == "matrix" else self.environment).get(name)
        if source == "matrix" and value:
            self.used[name] = value
        if default is not None:
            return value or default
        # A matrix without that value gives the empty text; an environment may be set elsewhere.
        return value if value is not None or source == "env" else ""


def _included(original: list[Combination], entries: list[Combination]) -> tuple[Combination, ...]:
    extended = [dict(one) for one in original]
    alone: list[Combination] = []
    for entry in entries:
        fitting = [
            target
            for target, one in zip(extended, original, strict=True)
            if all(one.get(name, value) == value for name, value in entry.items())
        ]
        for target in fitting:
            target.update(entry)
        if not fitting:
            alone.append(entry)
    return (*extended, *alone)


def _agree(entry: Combination, one: Combination) -> bool:
    return all(one.get(name) == value for name, value in entry.items())


def _flat(name: str, node: Node, depth: int = 0) -> Combination:
    """A value under its name; a mapping's parts under `name.part`. An anchor may lead back into itself."""
    if isinstance(node, MappingNode) and depth < _DEEPEST:
        return _merged([_flat(f"{name}.{part}", value, depth + 1) for part, value in items(node)])
    value = text(node)
    return {} if value is None else {name: value}


def _entry(node: Node) -> Combination:
    return _merged([_flat(name, value) for name, value in items(node)])


def _merged(parts: tuple[Combination, ...] | list[Combination]) -> Combination:
    return {name: value for part in parts for name, value in part.items()}
