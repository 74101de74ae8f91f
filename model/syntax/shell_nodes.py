"""What shell text consists of: commands, lists, pipelines and compound commands.

All offsets are offsets of characters in the text that was parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from msgspec import Struct


class Token(Struct, frozen=True):
    """One word of a command."""

    value: str
    """Quotes removed, variables as written."""
    start: int
    end: int


class Simple(Struct, frozen=True):
    """A simple command."""

    start: int
    end: int
    """With the bodies of its heredocs."""
    stop: int
    """Without them."""
    words: tuple[Token, ...]
    assignments: tuple[tuple[str, str], ...]
    redirects: tuple[Token, ...]
    """As written."""
    inner: tuple[Tree, ...]
    """What runs in its command and process substitutions."""


class Negated(Struct, frozen=True):
    """`! command`."""

    start: int
    end: int
    item: Tree


class Chain(Struct, frozen=True):
    """Items joined by `&&` and `||`."""

    start: int
    end: int
    items: tuple[Tree, ...]
    operators: tuple[Token, ...]


class Pipeline(Struct, frozen=True):
    """Items joined by `|`."""

    start: int
    end: int
    items: tuple[Tree, ...]


class Role(Enum):
    """What a part of a compound command is for."""

    CONDITION = "condition"
    BODY = "body"
    ELSE = "else"
    OPTIONAL = "optional"
    """A body that may be empty: a case's."""


class Kind(Enum):
    """Compound commands, by what remains when their bodies are empty."""

    GROUP = "group"
    IF = "if"
    LOOP = "loop"
    CASE = "case"
    FUNCTION = "function"


class Sequence(Struct, frozen=True):
    """Items separated by `;`, `&` or newlines."""

    start: int
    end: int
    items: tuple[Tree, ...]
    background: tuple[int | None, ...]
    """For each item, where the `&` behind it ends."""


class Part(Struct, frozen=True):
    """A sequence within a compound command."""

    role: Role
    start: int
    """Where its keyword stands: `then`, `elif`, `else`."""
    follower: int
    """Where the keyword behind it stands; -1 where there is none."""
    body: Sequence


class Compound(Struct, frozen=True):
    """`{ }`, `( )`, if, loops, case, functions."""

    start: int
    end: int
    kind: Kind
    parts: tuple[Part, ...]
    inner: tuple[Tree, ...]
    """What runs in substitutions of its head or redirects."""


Tree = Simple | Negated | Chain | Pipeline | Compound | Sequence


def nodes(tree: Tree) -> Iterator[Tree]:
    """It, and all that is in it, what runs in substitutions too; what holds others comes before them."""
    yield tree
    inside: tuple[Tree, ...]
    match tree:
        case Simple():
            inside = tree.inner
        case Negated():
            inside = (tree.item,)
        case Compound():
            inside = (*tree.inner, *(part.body for part in tree.parts))
        case _:
            inside = tree.items
    for each in inside:
        yield from nodes(each)


def simples(tree: Tree) -> Iterator[Simple]:
    """All simple commands in it, those in substitutions too."""
    return (node for node in nodes(tree) if isinstance(node, Simple))
