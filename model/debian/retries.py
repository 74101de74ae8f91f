"""What makes an install try again, or stop, when it fails: loops around it, and `|| exit 1` behind it."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.debian.apt import APT_TOOLS, is_upkeep
from phasewise.model.shell import Script
from phasewise.model.syntax.shell_nodes import Chain, Compound, Kind, Simple, Tree, nodes, simples
from phasewise.model.text import Span

_GIVES_UP = frozenset({"exit", "false", "sleep", "echo", "printf"})
_GOES_ON = _GIVES_UP | {"break", "continue", "[", "test", "true", ":"}


def kept_for_retries(script: Script) -> frozenset[Span] | None:
    """The commands that a copy of the script's installs needs to fail, and to be tried again, as the original does.

    None where a loop around an install does something else, too, so that it cannot be copied without.
    """
    if script.tree is None:
        return frozenset()
    kept: set[Simple] = set()
    loops = [loop for loop in _loops(script.tree) if any(map(_installs, simples(loop)))]
    for loop in loops:
        inside = [*simples(loop)]
        if not all(
            _installs(step) or _is_plain(step, _GOES_ON) or _removes_lists(script, step) for step in inside
        ):
            return None
        kept.update(inside)
    if loops:
        kept.update(step for step in simples(script.tree) if _is_counter(step))
    kept.update(step for chain in _chains(script.tree) for step in _alternatives(chain))
    return frozenset(script.source.span(step.start, step.stop) for step in kept)


def _alternatives(chain: Chain) -> Iterator[Simple]:
    """What runs when an install of the chain fails, where it does nothing but give up."""
    for operator, item in zip(chain.operators, chain.items[1:], strict=True):
        steps = [*simples(item)]
        ends = any(step.words and step.words[0].value in ("exit", "false") for step in steps)
        if operator.value == "||" and ends and all(_is_plain(step, _GIVES_UP) for step in steps):
            yield from steps


def _loops(tree: Tree) -> Iterator[Compound]:
    return (node for node in nodes(tree) if isinstance(node, Compound) and node.kind is Kind.LOOP)


def _chains(tree: Tree) -> Iterator[Chain]:
    return (node for node in nodes(tree) if isinstance(node, Chain))


def _installs(step: Simple) -> bool:
    return any(word.value.rpartition("/")[2] in APT_TOOLS for word in step.words[:2])


def _removes_lists(script: Script, step: Simple) -> bool:
    span = script.source.span(step.start, step.stop)
    return any(command.span == span and is_upkeep(command) for command in script.commands)


def _is_plain(step: Simple, names: frozenset[str]) -> bool:
    """Whether the command is one of `names` that writes no file, or sets nothing but variables."""
    if step.inner or any(
        "&" not in redirect.value and "/dev/" not in redirect.value for redirect in step.redirects
    ):
        return False
    return not step.words or step.words[0].value in names


def _is_counter(step: Simple) -> bool:
    return not step.words and not step.inner and not step.redirects
