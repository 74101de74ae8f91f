"""Neighbouring RUNs that only install Debian packages, made one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from phasewise.model.debian.apt import AptCommand, apt_commands, is_upkeep
from phasewise.model.debian.tidying import needed_scripts, without_recommended
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.edits import drop_instruction
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span

HARMLESS = frozenset({"-y", "-q", "-qq", "-yq", "-yqq", "-qy", "-qqy", "--yes", "--no-install-recommends"})
"""Options that change nothing about what an install leaves behind, recommendations aside."""

_LISTS = ("/var/lib/apt", "/var/cache/apt", "/var/cache/debconf")
_PRAGMA = "hadolint ignore"


def mergeable(view: RepoView, dockerfile: Dockerfile) -> tuple[Edit, ...]:
    """The edits that make the first two neighbours one; empty when there are none."""
    scripts = {script.instruction.span: script for script in needed_scripts(view, dockerfile)}
    for first, second in pairwise(dockerfile.instructions):
        one, other = scripts.get(first.span), scripts.get(second.span)
        if one and other and first.stage == second.stage and (edits := _merged(dockerfile, one, other)):
            return edits
    return ()


def _merged(dockerfile: Dockerfile, one: Script, other: Script) -> tuple[Edit, ...]:
    first, second = _plain_install(one), _plain_install(other)
    if first is None or second is None or not apt_commands(one, "update"):
        return ()
    if _options(first) != _options(second):
        return ()
    pragmas = {c.span.of(dockerfile.text) for c in one.instruction.comments}
    comments = [comment.span.of(dockerfile.text) for comment in other.instruction.comments]
    if any(_PRAGMA in comment and comment not in pragmas for comment in comments):
        return ()
    comments = [comment for comment in comments if _PRAGMA not in comment]
    last = first.packages[-1].span
    added = _added(dockerfile.text, first, second, comments)
    return Edit(Span(last.end, last.end), added), drop_instruction(dockerfile, other.instruction)


def _plain_install(script: Script) -> AptCommand | None:
    """The only install of a RUN that does nothing but installing; None for any other RUN."""
    installs = apt_commands(script, "install")
    if len(installs) != 1 or script.instruction.flags or script.instruction.heredocs:
        return None
    (apt,) = installs
    if not all(_serves(command) for command in script.commands if command.span != apt.command.span):
        return None
    if not apt.packages or any(command.failure_ignored for command in script.commands):
        return None
    if apt.command.assignments or apt.command.redirects or not script.certain(apt.command):
        return None
    first = apt.packages[0].span.start
    return apt if all(w.span.start < first or w in apt.packages for w in apt.command.words) else None


def _serves(command: Command) -> bool:
    """Whether it can go with the RUN: it updates, or removes what only apt left."""
    paths = [word for word in command.argv[1:] if not word.startswith("-")]
    return is_upkeep(command) and (command.name != "rm" or all(path.startswith(_LISTS) for path in paths))


def _added(text: str, first: AptCommand, second: AptCommand, comments: list[str]) -> str:
    """The second list as it reads behind the first one, on lines of their own where either has such lines."""
    newline = "\r\n" if "\r\n" in text else "\n"
    last = first.packages[-1].span
    line = text[text.rfind("\n", 0, last.start) + 1 : last.start]
    there = {word.value for word in first.packages}
    inner = text[_operand_end(second) : second.packages[-1].span.end]
    names = [word.value for word in second.packages if word.value not in there]
    if "#" not in inner and not comments and line.strip():
        return "".join(f" {name}" for name in names)
    indent = line if not line.strip() and line else "    "
    listed = _list_lines(inner) if "#" in inner else names
    items = _continued([*comments, *listed], there, f"{newline}{indent}")
    return "".join(f" \\{newline}{indent}{item}" for item in items)


def _continued(items: list[str], there: set[str], gap: str) -> Iterator[str]:
    """Comment lines joined to the item behind them, since a comment takes no continuation; what is there goes."""
    comments: list[str] = []
    for item in items:
        if item.startswith("#"):
            comments.append(item)
            continue
        if item not in there:
            yield gap.join([*comments, item])
        comments = []


def _list_lines(inner: str) -> list[str]:
    """The lines of a package list: comments, and packages without their continuation."""
    lines = (line.strip().rstrip("\\").strip() for line in inner.replace("\r", "").split("\n"))
    return [line for line in lines if line]


def _operand_end(apt: AptCommand) -> int:
    """Where the last word before the first package ends."""
    before = [word for word in apt.command.words if word.span.end <= apt.packages[0].span.start]
    return before[-1].span.end


def _options(apt: AptCommand) -> tuple[frozenset[str], bool]:
    words = frozenset(word for word in apt.command.argv if word.startswith("-") and word not in HARMLESS)
    return words, without_recommended(apt)
