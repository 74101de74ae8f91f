"""The cache mounts that a RUN gets, and what else has to change in it for them to work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct, field

from phasewise.model.dockerfile import Instruction
from phasewise.model.downloads.apt import APT_CACHES, fetches_and_installs, without_docker_clean
from phasewise.model.downloads.cleaning import without_cleaning
from phasewise.model.downloads.mounts import mounts
from phasewise.model.downloads.tools import TOOLS, downloader, folders_of
from phasewise.model.edits import drop_word
from phasewise.model.hadolint import pragma
from phasewise.model.paths import overlap, within
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span

_ASKS_THE_OPPOSITE = {"pip": "DL3042", "apt": "DL3009"}
"""What hadolint says of a cache that is not emptied, by tool."""


class Mounting(Struct):
    """What changes in one RUN."""

    instruction: Instruction
    tools: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def mounting(view: RepoView, instruction: Instruction, apt: bool) -> Mounting | None:
    """The edits of one RUN; None where it downloads nothing that could be kept."""
    script = Script.of(view.dockerfile, instruction)
    if script is None or script.tree is None or instruction.flag("network") == "none":
        return None
    plan = Mounting(instruction)
    targets: list[str] = []
    calls: dict[str, list[Command]] = {}
    for command in script.commands:
        if tool := downloader(command):
            calls.setdefault(tool, []).append(command)
    for tool, commands in calls.items():
        folders = folders_of(view, instruction, tool, commands)
        if folders is None:
            plan.reasons.append(
                f"line {instruction.line}: the id of its user is not known, or it links to its cache"
            )
            continue
        plan.tools.append(tool)
        targets += folders.targets
        plan.mounts += [
            f"--mount=type=cache,target={target}{folders.options}"
            for target in folders.targets
            if not _mounted(view, instruction, target)
        ]
        plan.edits += _switched_on(view, instruction, tool, commands, folders.assignment)
    if apt and fetches_and_installs(script):
        plan.tools.append("apt")
        targets += APT_CACHES
        plan.mounts += [
            f"--mount=type=cache,target={target},sharing=locked"
            for target in APT_CACHES
            if not _mounted(view, instruction, target)
        ]
        plan.edits += _locked(view, instruction)
        plan.edits += without_docker_clean(view, instruction, script)
    if not plan.tools:
        return plan if plan.reasons else None
    plan.edits += without_cleaning(view, instruction, script, targets, plan.tools)
    if _conflicting(plan.edits):
        return Mounting(instruction, reasons=[f"line {instruction.line}: its cleaning cannot be taken apart"])
    if plan.mounts:
        place = instruction.arguments.start
        newline = "\r\n" if "\r\n" in view.dockerfile.text else "\n"
        lines = "".join(f"{mount} {view.dockerfile.escape}{newline}    " for mount in plan.mounts)
        plan.edits.insert(0, Edit(Span(place, place), lines))
    if plan.edits:
        codes = [_ASKS_THE_OPPOSITE[tool] for tool in plan.tools if tool in _ASKS_THE_OPPOSITE]
        plan.edits += pragma(view, instruction, codes)
    return plan


def _conflicting(edits: Sequence[Edit]) -> bool:
    spans = sorted(edit.span for edit in edits)
    return any(one.end > other.start for one, other in pairwise(spans))


def _mounted(view: RepoView, instruction: Instruction, target: str) -> bool:
    """Whether the RUN mounts something at `target` or above it already."""
    return any(mount.target and within(target, mount.target) for mount in mounts(view, instruction))


def _locked(view: RepoView, instruction: Instruction) -> Iterator[Edit]:
    """Keeps two builds from writing to apt's caches at once: apt itself would fail."""
    for mount in mounts(view, instruction):
        of_apt = any(overlap(mount.target, cache) for cache in APT_CACHES)
        if mount.is_cache and of_apt and "sharing" not in mount.options:
            yield Edit(Span(mount.flag.span.end, mount.flag.span.end), ",sharing=locked")


def _switched_on(
    view: RepoView, instruction: Instruction, name: str, commands: Sequence[Command], assignment: str
) -> Iterator[Edit]:
    """Takes out what switches the tool's cache off, and tells it where the cache is."""
    off = TOOLS[name].off
    variables = view.dockerfile.variables(instruction)
    for command in commands:
        for word in command.words:
            if word.value in TOOLS[name].off_options:
                yield drop_word(view.dockerfile.text, word.span)
        assigned = dict(command.assignments)
        switched = f"{off}={TOOLS[name].on} " if off and variables.get(off) and off not in assigned else ""
        if switched or assignment:
            start = command.span.start
            yield Edit(Span(start, start), f"{switched}{assignment}")
