"""apt's package lists: fetched in the RUN that installs, and removed in it."""

from __future__ import annotations

import re

from phasewise.model.cleaning.commands import appended
from phasewise.model.debian.apt import apt_commands
from phasewise.model.debian.tidying import Tidied, installs_unseen, needed_scripts, runs_behind
from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.edits import drop_instruction
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.runtime_use import runtime_uses
from phasewise.model.text import Edit, Span

_REMOVAL = "rm -rf /var/lib/apt/lists/*"
_PLACES = ("/var/lib/apt/lists", "/var/lib/apt")
_INSTALLS = ("install", "upgrade", "dist-upgrade", "full-upgrade")


def join_updates(view: RepoView, dockerfile: Dockerfile) -> Tidied:
    """`apt-get update` of a RUN of its own goes in front of the installs that use its lists."""
    alone = [script for script in needed_scripts(view, dockerfile) if _only_updates(script)]
    if not alone:
        return Tidied()
    written = {apt_commands(script, "update")[0].command.span.of(dockerfile.text) for script in alone}
    update = written.pop()
    if written or "\n" in update:
        return Tidied(kept=("the RUNs that only update do it in different ways",))
    edits = {drop_instruction(dockerfile, script.instruction) for script in alone}
    for script in alone:
        for instruction in runs_behind(dockerfile, script.instruction):
            line = f"line {instruction.line}"
            if installs_unseen(view, dockerfile, instruction):
                return Tidied(kept=(f"{line} may use the lists that line {script.instruction.line} fetched",))
            found = _installs_without_lists(dockerfile, instruction)
            if found is None:
                continue
            if not _may_update(found, script):
                return Tidied(kept=(f"{line} needs the lists that another RUN fetched",))
            place = apt_commands(found, *_INSTALLS)[0].command.span.start
            edits.add(Edit(Span(place, place), f"{update} && "))
    if _installs_at_run_time(view):
        return Tidied(kept=("the running container installs packages itself",))
    return Tidied(
        tuple(sorted(edits)),
        "`apt-get update` in a RUN of its own is cached while the install behind it changes: it joins the install.",
    )


def remove_lists(view: RepoView, dockerfile: Dockerfile) -> Tidied:
    """The lists go in the RUN that fetched them, unless a later step uses them or a mount keeps them."""
    edits, kept = [], []
    for script in needed_scripts(view, dockerfile):
        if (
            not apt_commands(script, "update")
            or _removes_lists(script)
            or _mounts_lists(script.instruction)
            or _only_updates(script)
        ):
            continue
        if needs := _needed_later(view, dockerfile, script.instruction):
            kept.append(f"line {script.instruction.line}: {needs}")
        elif edit := appended(dockerfile.text, script, _REMOVAL):
            edits.append(_in_style(dockerfile.text, script, edit))
    return Tidied(
        tuple(edits),
        "apt's lists are removed in the layer that fetched them; later they would only be hidden.",
        tuple(kept),
    )


def _only_updates(script: Script) -> bool:
    updates = apt_commands(script, "update")
    return len(updates) == 1 and all(
        command.name == "set" or command.span == updates[0].command.span for command in script.commands
    )


def _installs_without_lists(dockerfile: Dockerfile, instruction: Instruction) -> Script | None:
    """The script of a RUN that installs with lists of another one."""
    script = Script.of(dockerfile, instruction)
    installs = script is not None and apt_commands(script, *_INSTALLS)
    return script if script and installs and not apt_commands(script, "update") else None


def _may_update(script: Script, updating: Script) -> bool:
    """Whether the RUN can fetch the lists itself, just as the other one did."""
    first = apt_commands(script, *_INSTALLS)[0].command
    same = {str(flag.value) for flag in updating.instruction.flags} <= {
        str(flag.value) for flag in script.instruction.flags
    }
    return same and script.tree is not None and script.certain(first)


def _installs_at_run_time(view: RepoView) -> bool:
    return bool(runtime_uses(view, {"apt-get", "apt"}))


def _needed_later(view: RepoView, dockerfile: Dockerfile, writer: Instruction) -> str:
    """Who installs without fetching lists, behind the RUN that fetched them; empty: nobody."""
    for instruction in runs_behind(dockerfile, writer):
        if _installs_without_lists(dockerfile, instruction):
            return "a later step uses its lists"
        script = Script.of(dockerfile, instruction)
        fetches = script is not None and apt_commands(script, "update")
        if not fetches and installs_unseen(view, dockerfile, instruction):
            return f"line {instruction.line} may use its lists"
    return "the running container installs packages itself" if _installs_at_run_time(view) else ""


def _in_style(text: str, script: Script, edit: Edit) -> Edit:
    """`&&` at the start of the line where the RUN has it so."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if re.search(r"\n[ \t]+&& ", script.instruction.span.of(text)):
        return Edit(edit.span, f" \\{newline}    && {_REMOVAL}")
    return edit


def _removes_lists(script: Script) -> bool:
    return any(
        command.name == "rm" and any(word.startswith(_PLACES) for word in command.argv)
        for command in script.commands
    )


def _mounts_lists(instruction: Instruction) -> bool:
    return any("/var/lib/apt" in mount for mount in instruction.flags_named("mount"))
