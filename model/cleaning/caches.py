"""Moves what empties the caches of apt and pip into the step that filled them."""

from __future__ import annotations

from phasewise.model.cleaning.commands import (
    Cleaning,
    appended,
    cleanings,
)
from phasewise.model.cleaning.move import Move
from phasewise.model.debian.apt import apt_commands
from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.edits import drop_instruction
from phasewise.model.python.environments import installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script


def is_cache(root: str) -> bool:
    """Whether a path is where tools keep what they can fetch or write again."""
    return (
        root.startswith(("/var/lib/apt", "/var/cache", "/var/log", "/tmp", "/var/tmp")) or "/.cache" in root
    )


def cache_move(view: RepoView, script: Script, found: tuple[Cleaning, ...]) -> Move | None:
    """The RUN that only empties caches, into the one RUN that filled them."""
    dockerfile, instruction = view.dockerfile, script.instruction
    roots = [root for each in found for root, _ in each.roots]
    of_apt = any(root.startswith(("/var/lib/apt", "/var/cache/apt")) for root in roots)
    of_pip = any("/.cache" in root for root in roots)
    if of_apt == of_pip:
        return None
    writers: list[Script] = []
    for run in dockerfile.making(view.stage):
        writer = Script.of(dockerfile, run)
        if writer is None or run is instruction:
            continue
        fills = bool(apt_commands(writer, "update", "install"))
        if of_pip:
            fills = any(found.instruction is run for found in installs(dockerfile, view.stage))
        if fills and run.span > instruction.span:
            return Move(
                instruction, found, reason=f"line {instruction.line}: a later step fills the cache again"
            )
        writers += [writer] if fills else []
    if not writers:
        return None
    if of_apt and (len(writers) > 1 or _used_later(dockerfile, writers[0].instruction)):
        return Move(instruction, found, reason=f"line {instruction.line}: another step still needs the lists")
    edits = [drop_instruction(dockerfile, instruction)]
    for writer in writers:
        if any("type=cache" in mount for mount in writer.instruction.flags_named("mount")):
            return Move(
                instruction,
                found,
                reason=f"line {instruction.line}: a cache mount keeps that out of the image",
            )
        words = {root for each in cleanings(writer) for root, _ in each.roots}
        missing = [
            each.span.of(dockerfile.text) for each in found if not {root for root, _ in each.roots} <= words
        ]
        newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
        edit = appended(dockerfile.text, writer, f" && \\{newline}    ".join(missing)) if missing else None
        if missing and edit is None:
            return None
        edits += [edit] if edit else []
    line = writers[-1].instruction.line
    why = f"Line {instruction.line} empties a cache that line {line} filled in an earlier layer. It moves there."
    return Move(instruction, found, tuple(edits), why)


def _used_later(dockerfile: Dockerfile, writer: Instruction) -> bool:
    """Whether a step of any stage on top installs without fetching the lists itself."""
    for run in dockerfile.instructions:
        script = Script.of(dockerfile, run) if run.span > writer.span else None
        if script and apt_commands(script, "install") and not apt_commands(script, "update"):
            return True
    return False
