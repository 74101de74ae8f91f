"""Reads trees of YAML nodes: merge keys resolved, everything as the text that is written, with its line."""

from __future__ import annotations

from collections.abc import Iterator

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_MERGE = "tag:yaml.org,2002:merge"


def items(node: Node | None) -> Iterator[tuple[str, Node]]:
    """The entries of a mapping, its own before those that a merge key brings in, each name once."""
    seen: set[str] = set()
    for name, value in _entries(node):
        if name not in seen:
            seen.add(name)
            yield name, value


def _entries(node: Node | None, within: tuple[Node, ...] = ()) -> Iterator[tuple[str, Node]]:
    """The entries with those of the merge keys behind them; `within` are the mappings being merged already."""
    if not isinstance(node, MappingNode) or any(node is outer for outer in within):
        return
    merged: list[Node] = []
    for key, value in node.value:
        if key.tag == _MERGE or key.value == "<<":
            merged += value.value if isinstance(value, SequenceNode) else [value]
        else:
            yield str(key.value), value
    for other in merged:
        yield from _entries(other, (*within, node))


def get(node: Node | None, *path: str) -> Node | None:
    """The node at the end of `path`, a name for each level; None when there is none."""
    for name in path:
        node = next((value for key, value in items(node) if key == name), None)
    return node


def text(node: Node | None) -> str | None:
    """A scalar as written; None for anything else, and for an empty value."""
    if not isinstance(node, ScalarNode) or (node.style is None and node.value in ("", "~", "null")):
        return None
    return str(node.value)


def texts(node: Node | None) -> tuple[str, ...]:
    """The scalars of a list; a scalar of its own counts as a list of one."""
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    return tuple(found for found in map(text, nodes) if found is not None)


def elements(node: Node | None) -> tuple[Node, ...]:
    """The items of a list; none for anything else."""
    return tuple(node.value) if isinstance(node, SequenceNode) else ()


def line(node: Node) -> int:
    """The 1-based line on which the node starts."""
    return int(node.start_mark.line) + 1


def pairs(node: Node | None, also_list: bool = False) -> tuple[tuple[str, str], ...]:
    """Name and value of a mapping's scalars; with `also_list`, a list of `NAME=value` does as well."""
    if also_list and isinstance(node, SequenceNode):
        split = (item.partition("=") for item in texts(node))
        return tuple((name, value) for name, equals, value in split if equals)
    found = ((name, text(value)) for name, value in items(node))
    return tuple((name, value) for name, value in found if value is not None)
