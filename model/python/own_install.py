"""Steps that install nothing but the project itself with pip, and what its pyproject.toml says about the build."""

from __future__ import annotations

import re
import tomllib

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.shell import Command, Script
from phasewise.model.syntax.shell_nodes import Chain, Simple, Tree

_PIP = re.compile(r"(?P<folder>/\S+/)?pip3?")
_PYTHON = re.compile(r"(?P<folder>/\S+/)?python3?")
_SPEAKS = frozenset(
    {
        "-q",
        "--quiet",
        "-v",
        "--verbose",
        "--no-input",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
    }
)
_TO_ITSELF = frozenset({"--no-cache-dir", "--no-compile", "--upgrade", "-U", "--force-reinstall"})
"""What changes nothing about the one package that is installed, or only pip's own cache."""
_ANSWERED_BY_UV = frozenset({"dev-dependencies", "default-groups"})
"""Settings of `[tool.uv]` that do not touch how a project is built."""


class OwnInstall(Struct, frozen=True):
    """A RUN that is `pip install --no-deps .`, or several of them joined by `||`."""

    instruction: Instruction
    commands: tuple[Command, ...]
    """The attempts, in their order."""
    folder: str
    """Where its pip or python is called from, with a slash at the end; empty where PATH finds it."""
    hidden: bool
    """What fails or speaks is hidden: `|| true`, or a redirect."""
    alone: bool
    """Every attempt leaves the dependencies alone."""

    @property
    def isolated(self) -> bool:
        """Whether the last attempt builds the project in an environment of its own."""
        return "--no-build-isolation" not in self.commands[-1].argv

    @property
    def tries_without(self) -> bool:
        """Whether an attempt before it takes what is in the image."""
        return any("--no-build-isolation" in command.argv for command in self.commands[:-1])

    @property
    def compiles(self) -> bool:
        """Whether pip compiles what it installs to bytecode."""
        return any("--no-compile" not in command.argv for command in self.commands)


def own_install(dockerfile: Dockerfile, instruction: Instruction) -> OwnInstall | None:
    """The step, where the RUN does nothing else; None for every other RUN, and for a heredoc."""
    script = Script.of(dockerfile, instruction)
    if script is None or script.tree is None or instruction.heredocs or len(script.tree.items) != 1:
        return None
    attempts = _attempts(script.tree.items[0])
    given_up = bool(attempts) and _words(attempts[-1]) in (("true",), (":",))
    attempts = attempts[:-1] if given_up else attempts
    commands = [command for command in script.commands if command.name not in ("true", ":")]
    if not attempts or any(background is not None for background in script.tree.background):
        return None
    found = [_installs_itself(each) for each in attempts]
    folders = {folder for folder in found if folder is not None}
    if None in found or len(folders) != 1 or len(commands) != len(attempts):
        return None
    return OwnInstall(
        instruction,
        tuple(commands),
        folders.pop(),
        given_up or any(each.redirects for each in attempts),
        all("--no-deps" in command.argv for command in commands),
    )


class Build(Struct, frozen=True):
    """What a pyproject.toml says about how its project is built."""

    name: str
    """Of the distribution, normalised."""
    requires: tuple[str, ...]
    """The normalised names of what the build needs."""


def build_of(text: str) -> Build | None:
    """The build of a pyproject.toml, where nothing but its backend and released packages take part in it.

    None where the name or the backend is not written there, the backend lies in the repository, a
    requirement has an address, or `[tool.uv]` has a say.
    """
    try:
        tables = tomllib.loads(text)
        system, tool = tables["build-system"], tables.get("tool", {})
        name = tables.get("project", {}).get("name") or tool["poetry"]["name"]
        requires = [Requirement(line) for line in system["requires"]]
        odd = set(tool.get("uv", {})) - _ANSWERED_BY_UV
        if not isinstance(system["build-backend"], str) or not isinstance(name, str):
            return None
    except (tomllib.TOMLDecodeError, InvalidRequirement, KeyError, TypeError, AttributeError):
        return None
    if odd or "backend-path" in system or not requires or any(each.url for each in requires):
        return None
    names = tuple(str(canonicalize_name(each.name)) for each in requires)
    return Build(str(canonicalize_name(name)), names) if re.fullmatch(r"[\w.-]+", name) else None


def _attempts(tree: Tree) -> list[Simple]:
    """The commands of `a || b || c`, or the one command; empty for anything else."""
    if isinstance(tree, Simple):
        return [tree]
    if not isinstance(tree, Chain) or any(operator.value != "||" for operator in tree.operators):
        return []
    simple = [item for item in tree.items if isinstance(item, Simple)]
    return simple if len(simple) == len(tree.items) else []


def _words(simple: Simple) -> tuple[str, ...]:
    return tuple(word.value for word in simple.words)


def _installs_itself(simple: Simple) -> str | None:
    """The folder of its pip or python, where it is `pip install` of `.` with options that are understood."""
    words = _words(simple)
    if len(words) > 2 and words[1:3] == ("-m", "pip"):
        match, rest = _PYTHON.fullmatch(words[0]), words[3:]
    else:
        match, rest = (_PIP.fullmatch(words[0]), words[1:]) if words else (None, ())
    if match is None or simple.inner or rest[:1] != ("install",):
        return None
    plain = [word for word in rest[1:] if not word.startswith("-")]
    known = _SPEAKS | _TO_ITSELF | {"--no-deps", "--no-build-isolation"}
    options = {word for word in rest[1:] if word.startswith("-")}
    return (match["folder"] or "") if plain in (["."], ["./"]) and options <= known else None
