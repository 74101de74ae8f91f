"""The apt commands of a RUN: which packages they name, and the edits that change the lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from msgspec import Struct

from phasewise.model.debian.packages import base_name
from phasewise.model.dockerfile import Dockerfile, Instruction, Word
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span, apply_edits

APT_TOOLS = frozenset({"apt", "apt-get", "aptitude"})
_WITH_VALUE = frozenset({"-o", "--option", "-t", "--target-release", "-c", "--config-file", "-a"})
_LEFTOVERS = ("/var/lib/apt", "/var/cache/apt", "/var/cache/debconf", "/tmp", "/var/tmp", "/var/log")
_COMMENT_LINE = re.compile(r"\n[ \t]*#")
_OF_BUILDS = re.compile(r"build|compil|header|toolchain|\bdev", re.I)
"""Comments that speak of a build are wrong above the libraries that come in place of headers."""


class AptCommand(Struct, frozen=True):
    """`apt-get install gcc curl`, or purge, with the words that name packages."""

    instruction: Instruction
    command: Command
    verb: str
    """`install`, `purge`, `remove`, ..."""
    packages: tuple[Word, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The packages without versions and architectures, as written otherwise."""
        return tuple(base_name(word.value) for word in self.packages)


Choice = Callable[[str], tuple[str, ...]]
"""What to write for a package: itself, nothing, or other packages."""


def apt_commands(script: Script, *verbs: str) -> tuple[AptCommand, ...]:
    """The script's apt commands with one of `verbs`, in order."""
    found = (_apt_command(script.instruction, command) for command in script.commands)
    return tuple(apt for apt in found if apt and apt.verb in verbs)


def installed(script: Script) -> frozenset[str]:
    """The packages that the script's installs name."""
    return frozenset(name for apt in apt_commands(script, "install") for name in apt.names)


def installed_and_gone(script: Script) -> frozenset[str]:
    """The packages that the script installs and purges again, so that no layer holds them."""
    gone = {name for apt in apt_commands(script, "purge", "remove", "autoremove") for name in apt.names}
    return installed(script) & gone


def is_upkeep(command: Command) -> bool:
    """Whether the command only serves the installs beside it: updates lists, removes them, sets shell options."""
    apt = _verb(command)
    if apt is not None:
        return apt in ("update", "clean", "autoclean", "autoremove")
    if command.name == "rm":
        paths = [word for word in command.argv[1:] if not word.startswith("-")]
        return bool(paths) and all(path.startswith(_LEFTOVERS) for path in paths)
    return command.name in ("set", "true", ":")


def rewritten(
    dockerfile: Dockerfile, script: Script, choose: Choice, without: Collection[Command] = ()
) -> str | None:
    """The RUN's text with `choose` applied to every package it installs or purges, and without some commands.

    A command whose list is empty goes, and with the last one what only served them. None when nothing is
    left that does anything.
    """
    dropped = {command.span for command in without}
    edits: list[Edit] = []
    remaining = 0
    changed = apt_commands(script, "install", "purge", "remove")
    for apt in changed:
        if apt.command.span in dropped:
            continue
        written = list(_chosen(apt, choose))
        if apt.packages and not any(words for _, words in written):
            dropped.add(apt.command.span)
            continue
        remaining += apt.verb == "install"
        edits += _list_edits(dockerfile.text, apt, dict(written))
    if changed and not remaining:
        upgrades = apt_commands(script, "upgrade", "dist-upgrade", "full-upgrade")
        dropped |= set() if upgrades else {c.span for c in script.commands if _serves_apt(c)}
    left = [c for c in script.commands if c.span not in dropped and not is_upkeep(c)]
    if not left:
        return None
    removed = script.without([c for c in script.commands if c.span in dropped]) if dropped else ()
    if removed is None:
        return None
    gone = [edit.span for edit in removed if not edit.replacement]
    kept = [edit for edit in edits if not any(span.covers(edit.span) for span in gone)]
    return edited(dockerfile.text, script.instruction.span, [*kept, *removed])


def edited(text: str, span: Span, edits: Collection[Edit]) -> str:
    """The part of `text` under `span` with `edits` made; their spans are offsets into `text`."""
    within = [edit for edit in edits if span.covers(edit.span)]
    return apply_edits(
        span.of(text),
        [Edit(Span(e.span.start - span.start, e.span.end - span.start), e.replacement) for e in within],
    )


def _serves_apt(command: Command) -> bool:
    return is_upkeep(command) and command.name != "set"


def _verb(command: Command) -> str | None:
    words = _operands(command)
    return words[0].value if words else None


def _operands(command: Command) -> list[Word]:
    """The words behind `apt-get` that are no options; empty for another command."""
    words = list(command.words)
    if words and words[0].value == "sudo":
        words.pop(0)
    if not words or words[0].value.rpartition("/")[2] not in APT_TOOLS:
        return []
    operands = []
    rest = iter(words[1:])
    for word in rest:
        if word.value in _WITH_VALUE:
            next(rest, None)
        elif not word.value.startswith("-"):
            operands.append(word)
    return operands


def _apt_command(instruction: Instruction, command: Command) -> AptCommand | None:
    operands = _operands(command)
    return AptCommand(instruction, command, operands[0].value, tuple(operands[1:])) if operands else None


def _chosen(apt: AptCommand, choose: Choice) -> Iterator[tuple[Span, tuple[str, ...]]]:
    """What is written in place of each package, every package once; as written where it stays."""
    seen = {name for name in apt.names if choose(name) == (name,)}
    for word, name in zip(apt.packages, apt.names, strict=True):
        wanted = choose(name)
        if wanted == (name,):
            yield word.span, (word.value,)
        else:
            fresh = tuple(dict.fromkeys(other for other in wanted if other not in seen))
            seen |= set(fresh)
            yield word.span, fresh


def _list_edits(text: str, apt: AptCommand, written: dict[Span, tuple[str, ...]]) -> Iterator[Edit]:
    """Replaces and removes words of the list.

    A comment line stays as long as a word below it stays as it is, or all have others in their place.
    """
    words = list(apt.command.words)
    for block in _blocks(text, words):
        staying = [index for index in block if written.get(words[index].span, ("",))]
        original = [i for i in block if written.get(words[i].span, (words[i].value,)) == (words[i].value,)]
        above = text[words[block[0] - 1].span.end : words[block[0]].span.start]
        replaced = len(staying) == len(block) and not _OF_BUILDS.search(above)
        if staying and not original and not replaced:
            span = Span(words[block[0] - 1].span.end, words[block[0]].span.start)
            yield Edit(span, re.sub(r"\n[ \t]*#[^\n]*", "", above))
        for index in block:
            word = words[index]
            wanted = written.get(word.span)
            if wanted is None or wanted == (word.value,):
                continue
            if wanted:
                gap = text[words[index - 1].span.end : word.span.start]
                separator = " " if _COMMENT_LINE.search(gap) else gap
                yield Edit(word.span, separator.join(wanted))
            elif staying and index < staying[0]:
                yield Edit(Span(word.span.start, words[index + 1].span.start), "")
            else:
                yield Edit(Span(words[index - 1].span.end, word.span.end), "")


def _blocks(text: str, words: list[Word]) -> list[list[int]]:
    """The indices of the words in groups, each begun by a comment line; the first by the command itself."""
    blocks: list[list[int]] = [[0]]
    for index in range(1, len(words)):
        gap = text[words[index - 1].span.end : words[index].span.start]
        if _COMMENT_LINE.search(gap):
            blocks.append([])
        blocks[-1].append(index)
    return blocks
