"""The tools that download packages, and where each keeps them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from phasewise.model.dockerfile import Instruction
from phasewise.model.downloads.mounts import mounts
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.syntax.scopes import is_root


class Tool(Struct, frozen=True):
    """Where a tool keeps its downloads."""

    variable: str
    """The variable that moves the folder."""
    folder: str
    """Relative to the user's home."""
    parts: tuple[str, ...] = ("",)
    """What is mounted of it. Poetry keeps environments in the same folder, which must not vanish."""
    off: str = ""
    """The variable that switches the cache off."""
    on: str = ""
    """What it must be for the cache to be used: pip takes every word for off, "0" too, and uv accepts no empty one."""
    off_options: tuple[str, ...] = ()
    """Abbreviations that the tool takes, too."""
    cleaning: tuple[tuple[str, ...], ...] = ()


TOOLS = {
    "pip": Tool(
        "PIP_CACHE_DIR",
        ".cache/pip",
        off="PIP_NO_CACHE_DIR",
        off_options=("--no-cache-dir", "--no-cache"),
        cleaning=(("pip", "cache"),),
    ),
    "uv": Tool(
        "UV_CACHE_DIR",
        ".cache/uv",
        off="UV_NO_CACHE",
        on="0",
        off_options=("--no-cache", "--no-cache-dir", "-n"),
        cleaning=(("uv", "cache"),),
    ),
    "poetry": Tool(
        "POETRY_CACHE_DIR",
        ".cache/pypoetry",
        ("cache", "artifacts"),
        off_options=("--no-cache",),
        cleaning=(("poetry", "cache"),),
    ),
    "npm": Tool("npm_config_cache", ".npm", cleaning=(("npm", "cache"),)),
}


class Folders(Struct, frozen=True):
    """Where a tool keeps its downloads."""

    targets: tuple[str, ...]
    options: str
    """Of the mount: the owner."""
    assignment: str
    """What tells the tool, in front of its command."""


def downloader(command: Command) -> str | None:
    """The tool that downloads packages in this command; None also where it is told to fetch nothing."""
    argv = (command.name, *command.argv[1:])
    if {"--no-index", "--offline"} & {*argv} or _takes_only_what_is_there(argv):
        return None
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


def _takes_only_what_is_there(argv: Sequence[str]) -> bool:
    """Whether it installs the project itself, with what its build needs in place already."""
    operands = (
        [word for word in argv[argv.index("install") + 1 :] if word[0:1] != "-"] if "install" in argv else []
    )
    return {"--no-deps", "--no-build-isolation"} <= {*argv} and all(word[0:1] in "./" for word in operands)


def _own_mount(view: RepoView, instruction: Instruction, folder: str) -> str | None:
    """Where the RUN mounts the tool's folder of a home already, and gives it to its user."""
    for mount in mounts(view, instruction):
        if mount.is_cache and "uid" in mount.options and mount.target.endswith(f"/{folder}"):
            return mount.target
    return None


def _links_to_its_cache(variables: Mapping[str, str], commands: Sequence[Command]) -> bool:
    """Whether uv leaves symbolic links to a cache that the image would not have."""
    words = {word for command in commands for word in command.argv}
    return variables.get("UV_LINK_MODE") == "symlink" or bool({"symlink", "--link-mode=symlink"} & words)


def folders_of(
    view: RepoView, instruction: Instruction, name: str, commands: Sequence[Command]
) -> Folders | None:
    """Where the tool keeps its downloads in this RUN; None where the user's id is not known.

    Another user than root gets a folder outside of its home: what a mount creates on the way to its target belongs
    to root, and a home with a `.cache` that its user cannot write to would stay in the image.
    """
    tool = TOOLS[name]
    if own := _own_mount(view, instruction, tool.folder):
        return Folders((own,), "", "")
    variables = view.dockerfile.variables(instruction) | dict(commands[0].assignments)
    if name == "uv" and _links_to_its_cache(variables, commands):
        return None
    user = view.dockerfile.user(instruction).partition(":")[0]
    base = variables.get(tool.variable, "")
    options = assignment = ""
    if is_root(user):
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
    for each in view.dockerfile.making(view.dockerfile.stages[instruction.stage or 0]):
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
