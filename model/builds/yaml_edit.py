"""Edits of YAML files by span: what an edit does not cover stays as it was, comments and line ends too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from phasewise.model.text import Edit, Span, apply_edits

_PLAIN = re.compile(r"[A-Za-z0-9_./$][A-Za-z0-9_./${}|' -]*(?<! )")


class YamlRefusal(ValueError):
    """The file cannot be edited as asked without touching something else; the message says why."""


@lru_cache(maxsize=64)
def compose(text: str) -> Node:
    """The tree of nodes with marks into `text`, to be read only: it is kept for the next who asks.

    Raises:
        YamlRefusal: it is not YAML, or holds no document.
    """
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        raise YamlRefusal(f"not readable as YAML: {str(error).splitlines()[0]}") from error
    if root is None:
        raise YamlRefusal("an empty file")
    return root


def node_at(root: Node, address: str) -> Node:
    """The node at an address like `jobs.test.steps[2]`; keys may contain dots (`services.my.api`).

    Raises:
        YamlRefusal: there is no such node of its own (it may come in through a merge key).
    """
    found = _descend(root, address)
    if found is None:
        raise YamlRefusal(f"{address} is not written out in the file")
    return found


def entry(mapping: Node, key: str) -> tuple[Node, Node] | None:
    """The key's and the value's node of a mapping; None when the key is not written there."""
    if not isinstance(mapping, MappingNode):
        return None
    return next(((name, value) for name, value in mapping.value if name.value == key), None)


def value_of(mapping: Node, key: str) -> Node | None:
    """The value's node of a mapping; None when the key is not written there."""
    found = entry(mapping, key)
    return found[1] if found else None


def scalar(mapping: Node, key: str) -> str | None:
    """The text of a scalar value; None when there is none."""
    found = value_of(mapping, key)
    return str(found.value) if isinstance(found, ScalarNode) else None


def span_of(node: Node) -> Span:
    """What the node covers."""
    return Span(node.start_mark.index, node.end_mark.index)


def set_scalar(node: Node, value: str) -> Edit:
    """Replaces a scalar, in the quotes that it has."""
    if _style(node) in ("|", ">"):
        raise YamlRefusal("a block of text where one word was expected")
    return Edit(span_of(node), quoted(value, _style(node)))


def quoted(value: str, style: str | None = None, flow: bool = False) -> str:
    """`value` as YAML: in the quotes of `style`, plain where that is possible, else in double quotes."""
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if not style and _PLAIN.fullmatch(value) and not (flow and set(value) & set("{}")):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def add_entry(text: str, mapping: Node, key: str, value: str, after: str | None = None) -> Edit:
    """Adds `key: value`, behind the entry `after` where that is one line, else in front of the first entry.

    `value` is YAML source already (see `quoted`); a block of lines starts with a newline and is indented
    relative to the key.
    """
    if not isinstance(mapping, MappingNode) or not mapping.value:
        raise YamlRefusal(f"no mapping that could hold {key}")
    newline = _newline(text)
    neighbour = entry(mapping, after) if after else None
    if mapping.flow_style:
        if neighbour:
            end = neighbour[1].end_mark.index
            return Edit(Span(end, end), f", {key}: {value}")
        start = mapping.value[0][0].start_mark.index
        return Edit(Span(start, start), f"{key}: {value}, ")
    first = mapping.value[0][0].start_mark
    indent = " " * first.column
    lines = f"{key}:{'' if value.startswith(chr(10)) else ' '}{value}".replace("\n", newline + indent)
    if neighbour and _is_one_line(text, neighbour[1]):
        end = text.find("\n", neighbour[1].end_mark.index)
        if end < 0:
            return Edit(Span(len(text), len(text)), f"{newline}{indent}{lines}")
        return Edit(Span(end + 1, end + 1), f"{indent}{lines}{newline}")
    return Edit(Span(first.index, first.index), f"{lines}{newline}{indent}")


def add_item_before(text: str, sequence: Node, index: int, lines: tuple[str, ...]) -> Edit:
    """Adds an item of several `lines` in front of item `index`, above the comments that belong to that one.

    A blank line between the items there is repeated.
    """
    if not isinstance(sequence, SequenceNode) or sequence.flow_style:
        raise YamlRefusal("no list with one item a line")
    dash = text.rfind("-", 0, sequence.value[index].start_mark.index)
    start = text.rfind("\n", 0, dash) + 1
    indent = text[start:dash]
    if indent.strip():
        raise YamlRefusal("the item does not start on a line of its own")
    while above := _line_above(text, start):
        if not text[above:start].lstrip(" \t").startswith("#"):
            break
        start = above
    newline, before = _newline(text), _line_above(text, start)
    gap = newline if index and before is not None and not text[before:start].strip() else ""
    item = newline.join([f"{indent}- {lines[0]}", *(f"{indent}  {line}" for line in lines[1:])])
    return Edit(Span(start, start), f"{item}{newline}{gap}")


@lru_cache(maxsize=64)
def load(text: str) -> Any:
    """The plain data of a YAML file, to be read only. Raises YamlRefusal."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise YamlRefusal(f"not readable as YAML: {str(error).splitlines()[0]}") from error


def differences(before: Any, after: Any, address: str = "") -> Iterator[str]:
    """The addresses at which two trees of plain data differ; lists of other lengths differ as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            inner = f"{address}.{key}" if address else str(key)
            if key in before and key in after:
                yield from differences(before[key], after[key], inner)
            else:
                yield inner
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from differences(left, right, f"{address}[{index}]")
    elif before != after:
        yield address


def edited(text: str, edits: list[Edit], intended: set[str]) -> str:
    """`text` with `edits` made.

    Raises:
        YamlRefusal: read again, anything but the `intended` addresses changed: an anchor is shared, say.
    """
    result = apply_edits(text, edits)
    changed = set(differences(load(text), load(result)))
    if changed != intended:
        raise YamlRefusal(
            "the edit would also change " + ", ".join(sorted(changed - intended) or ["nothing"])
        )
    return result


class Embedded(Struct, frozen=True):
    """The text of a scalar, and where each of its characters stands in the file."""

    text: str
    offsets: tuple[int, ...]

    def span(self, start: int, end: int) -> Span:
        """The file's span for a part of the text that lies on one line."""
        return Span(self.offsets[start], self.offsets[end - 1] + 1)


def embedded(text: str, node: Node) -> Embedded:
    """The content of a scalar node with its offsets. Folded line breaks come out as blanks.

    Raises:
        YamlRefusal: escapes that stand for something else than themselves.
    """
    pairs = list((_block if _style(node) in ("|", ">") else _flow)(text, node))
    return Embedded("".join(character for character, _ in pairs), tuple(offset for _, offset in pairs))


def _style(node: Node) -> str | None:
    return node.style if isinstance(node, ScalarNode) else None


def _block(text: str, node: Node) -> Iterator[tuple[str, int]]:
    start, end = node.start_mark.index, node.end_mark.index
    header = text.find("\n", start) + 1
    lines, position = [], header
    while header and position < end:
        stop = text.find("\n", position)
        stop = len(text) if stop < 0 else stop + 1
        lines.append((position, stop))
        position = stop
    indent = next((_indent(text[a:b]) for a, b in lines if text[a:b].strip()), 0)
    explicit = re.match(r"[|>][+-]?(\d)", text[start:header])
    if explicit:
        indent = min(indent, node.start_mark.column and indent)
    for a, b in lines:
        if text[a:b].strip() and _indent(text[a:b]) < indent:
            return  # a comment behind the block
        for offset in range(a + (indent if text[a:b].strip() else 0), b):
            if text[offset] == "\r":
                continue
            folded = _style(node) == ">" and text[offset] == "\n" and text[a:b].strip()
            yield (" " if folded else text[offset]), offset


def _flow(text: str, node: Node) -> Iterator[tuple[str, int]]:
    span = span_of(node)
    inner = range(span.start + 1, span.end - 1) if _style(node) else range(span.start, span.end)
    offsets = iter(inner)
    for offset in offsets:
        character = text[offset]
        if _style(node) == '"' and character == "\\":
            following = text[offset + 1]
            if following not in '"\\/':
                raise YamlRefusal("an escape in a quoted text")
            next(offsets)
            yield following, offset + 1
        elif _style(node) == "'" and character == "'":
            next(offsets)
            yield character, offset + 1
        elif character != "\r":
            yield (" " if character == "\n" else character), offset


def _descend(node: Node, address: str) -> Node | None:
    if not address:
        return node
    index = re.match(r"\[(\d+)\]", address)
    if index:
        number = int(index[1])
        if not isinstance(node, SequenceNode) or number >= len(node.value):
            return None
        return _descend(node.value[number], address[index.end() :])
    if not isinstance(node, MappingNode):
        return None
    rest = address.removeprefix(".")
    for name, value in node.value:
        key = str(name.value)
        if rest.startswith(key) and rest[len(key) : len(key) + 1] in ("", ".", "["):
            found = _descend(value, rest[len(key) :])
            if found is not None:
                return found
    return None


def _is_one_line(text: str, node: Node) -> bool:
    return (
        isinstance(node, ScalarNode)
        and _style(node) not in ("|", ">")
        and node.start_mark.line == node.end_mark.line
    )


def _line_above(text: str, start: int) -> int | None:
    return text.rfind("\n", 0, start - 1) + 1 if start else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
