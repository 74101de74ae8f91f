"""The tools that download packages, and where each keeps them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from phasewise.model.dockerfile import Instruction
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script


@dataclass(frozen=True, slots=True)
class Tool:
    """Where a tool keeps its downloads."""

    variable: str
    """The variable that moves the folder."""
    folder: str
    """Relative to the user's home."""
    parts: tuple[str, ...] = ("",)
    """What is mounted of it. Poetry keeps environments in the same folder, which must not vanish."""
    off: str = ""
    """The variable that switches the cache off."""
    cleaning: tuple[tuple[str, ...], ...] = ()


TOOLS = {
    "pip": Tool("PIP_CACHE_DIR", ".cache/pip", off="PIP_NO_CACHE_DIR", cleaning=(("pip", "cache"),)),
    "uv": Tool("UV_CACHE_DIR", ".cache/uv", off="UV_NO_CACHE", cleaning=(("uv", "cache"),)),
    "poetry": Tool(
        "POETRY_CACHE_DIR", ".cache/pypoetry", ("cache", "artifacts"), cleaning=(("poetry", "cache"),)
    ),
    "npm": Tool("npm_config_cache", ".npm", cleaning=(("npm", "cache"),)),
}


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a tool keeps its downloads."""

    targets: tuple[str, ...]
    options: str
    """Of the mount: the owner."""
    assignment: str
    """What tells the tool, in front of its command."""


def downloader(command: Command) -> str | None:
    """The tool that downloads packages in this command."""
    argv = (command.name, *command.argv[1:])
    if re.fullmatch(r"python[\d.]*", argv[0]) and argv[1:3] == ("-m", "pip"):
        argv = argv[2:]
    match argv:
        case [pip, "install" | "wheel" | "download", *_] if re.fullmatch(r"pip[\d.]*", pip):
            return "pip"
        case ["uv", "sync", *_] | ["uv", "pip", "install" | "sync", *_]:
            return "uv"
        case ["poetry", "install" | "sync", *_]:
            return "poetry"
        case ["npm", "ci" | "install" | "i", *_]:
            return "npm"
    return None


def folders_of(
    view: RepoView, instruction: Instruction, name: str, commands: Sequence[Command]
) -> Folders | None:
    """Where the tool keeps its downloads in this RUN; None where the user's id is not known.

    Another user than root gets a folder outside of its home: what a mount creates on the way to its target belongs
    to root, and a home with a `.cache` that its user cannot write to would stay in the image.
    """
    tool = TOOLS[name]
    variables = view.dockerfile.variables(instruction) | dict(commands[0].assignments)
    user = view.dockerfile.user(instruction).partition(":")[0]
    base = variables.get(tool.variable, "")
    options = assignment = ""
    if user in ("", "root", "0"):
        base = base or posixpath.join(variables.get("HOME", "/root"), tool.folder)
    else:
        uid = user if user.isdigit() else _uid(view, instruction, user)
        if uid is None or (tool.parts != ("",) and not base):
            return None
        options = f",uid={uid},gid={uid}"
        if not base:
            base = posixpath.join("/var/cache", posixpath.basename(tool.folder).removeprefix("."))
            assignment = f"{tool.variable}={base} "
    if not base.startswith("/") or "$" in base:
        return None
    targets = tuple(posixpath.normpath(posixpath.join(base, part)) for part in tool.parts)
    return Folders(targets, options, assignment)


def _uid(view: RepoView, instruction: Instruction, user: str) -> str | None:
    """The numeric id that `useradd --uid` gave the user in this Dockerfile."""
    for stage in view.dockerfile.lineage(view.dockerfile.stages[instruction.stage or 0]):
        for each in stage.instructions:
            script = Script.of(view.dockerfile, each) if each.keyword == "RUN" else None
            for command in script.commands if script else ():
                if command.name not in ("useradd", "adduser") or user not in command.argv:
                    continue
                for word, following in zip(command.argv, (*command.argv[1:], ""), strict=True):
                    if word in ("-u", "--uid") and following.isdigit():
                        return following
                    if word.startswith("--uid=") and word[6:].isdigit():
                        return word[6:]
    return None
