"""Takes compilers, headers and git out of the stages of a light Dockerfile where nothing is compiled."""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from collections.abc import Collection, Iterator
from itertools import pairwise

from msgspec import Struct

from phasewise.model.ci.built_packages import MayCompile, Packages
from phasewise.model.debian.apt import apt_commands, installed_and_gone, rewritten
from phasewise.model.debian.packages import COMMANDS, commands_of, is_build_tool, is_downloader, is_headers
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction
from phasewise.model.paths import overlap, within
from phasewise.model.python.imports import imported_by_code
from phasewise.model.python.installs import installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.common_ground import python_image
from phasewise.model.stages.runtime_use import mentioned
from phasewise.model.syntax.scopes import mount_sources
from phasewise.model.text import Edit, apply_edits

_BINUTILS = frozenset(COMMANDS["binutils"])
_FETCHES_CODE = frozenset({"git", "git-lfs"})
_APT = re.compile(r"apt(-get|-mark|-cache|-key)?|aptitude|dpkg(-query)?|update-ca-certificates|locale-gen")
_PLAIN = re.compile(
    r"|[:.\[]|cd|export|unset|set|source|test|true|false|echo|printf|exit|read|shift|local|break|continue|return|umask"
    r"|sleep|mkdir|rm|rmdir|mv|cp|ln|install|touch|chmod|chown|chgrp|cat|tee|head|tail|grep|cut|sort|uniq|wc|tr|sed"
    r"|awk|find|xargs|du|df|ls|stat|ldd|ldconfig|file|which|command|type|date|dirname|basename|uname|id|nproc|seq|expr"
    r"|tar|unzip|gunzip|gzip|useradd|groupadd|adduser|addgroup|usermod|virtualenv"
)
"""Commands that compile nothing themselves."""
_MODULES = frozenset({"venv", "ensurepip", "compileall", "py_compile", "site", "sysconfig"})
_PIP = re.compile(r"pip[\d.]*|uv")
_PIP_VERBS = frozenset(
    {"uninstall", "list", "freeze", "check", "show", "cache", "config", "venv", "--version"}
)
_COMPILING_MODULES = frozenset({"ctypes", "distutils", "runpy"})
"""Modules of the standard library that call a compiler, or other code."""
_SYSTEM = ("/usr", "/etc", "/lib", "/lib64", "/bin", "/sbin", "/var")
"""Where Debian's packages have their files."""


class Trimmed(Struct, frozen=True):
    """A light Dockerfile without the tools that it does not need."""

    text: str
    gone: tuple[str, ...] = ()
    """The Debian packages that no stage installs any more."""
    stay: tuple[str, ...] = ()
    reason: str = ""
    """A clause: why the tools that `stay` do."""


class _Install(Struct, frozen=True):
    """Build tools that one RUN installs."""

    instruction: Instruction
    script: Script
    tools: tuple[str, ...]
    stages: tuple[Stage, ...]
    """Its own, and those on top of it."""
    runs: tuple[Instruction, ...]
    """The RUNs that find the tools."""


def without_tools(view: RepoView, left_out: Collection[str]) -> Trimmed:
    """The view's Dockerfile without build tools in stages that no container runs, where all packages come built.

    `left_out` are the distributions of the baseline's image that this one lacks. Only the census tells what comes
    built: without one, all stays.
    """
    dockerfile = view.dockerfile
    found = tuple(_installs_of_tools(view))
    if not found or view.census is None:
        return Trimmed(dockerfile.text)
    packages = Packages.of(view.census, left_out)
    edits: list[Edit] = []
    gone: dict[str, None] = {}
    stay: dict[str, str] = {}
    for each in found:
        try:
            chosen = _chosen(view, each, packages)
        except MayCompile as reason:
            stay |= dict.fromkeys(each.tools, str(reason))
            continue
        edits.append(_without(dockerfile, each, chosen))
        gone |= dict.fromkeys(chosen)
    text = apply_edits(dockerfile.text, edits)
    left = _installed(Dockerfile.parse(text, dockerfile.path))
    return Trimmed(
        text, tuple(name for name in gone if name not in left), tuple(stay), next(iter(stay.values()), "")
    )


def _installed(dockerfile: Dockerfile) -> frozenset[str]:
    """The packages that any stage installs."""
    scripts = (Script.of(dockerfile, instruction) for instruction in dockerfile.instructions)
    return frozenset(
        name for script in scripts if script for apt in apt_commands(script, "install") for name in apt.names
    )


def _installs_of_tools(view: RepoView) -> Iterator[_Install]:
    """The RUNs that install tools, in stages that no container runs; or that take them away again themselves."""
    dockerfile = view.dockerfile
    shipped = _shipped(view)
    for stage in dockerfile.stages:
        official = python_image(dockerfile, stage) is not None
        heirs = tuple(
            other
            for other in dockerfile.stages
            if stage.index in {ancestor.index for ancestor in dockerfile.lineage(other)}
        )
        runs = tuple(i for heir in heirs for i in heir.instructions if i.keyword in ("RUN", "ONBUILD"))
        for instruction in stage.instructions:
            script = Script.of(dockerfile, instruction)
            if script is None or script.tree is None:
                continue
            names = dict.fromkeys(name for apt in apt_commands(script, "install") for name in apt.names)
            tools = tuple(name for name in names if _is_tool(name) and (official or name != "python3-dev"))
            passing = installed_and_gone(script)
            if tools and passing.issuperset(tools):
                yield _Install(instruction, script, tools, heirs, (instruction,))
            elif tools and stage.index not in shipped:
                yield _Install(instruction, script, tools, heirs, runs)


def _is_tool(name: str) -> bool:
    return is_build_tool(name) or is_headers(name) or is_downloader(name)


def _shipped(view: RepoView) -> frozenset[int]:
    """The stages that some container runs, and what those inherit: tests may call what is in them."""
    dockerfile = view.dockerfile
    built = {(build.stage or "").lower() for build in view.builds} | {(view.target.stage or "").lower()}
    run = [
        stage
        for stage in dockerfile.stages
        if not dockerfile.dependents(stage) or (stage.name or "0").lower() in built
    ]
    return frozenset(
        ancestor.index for stage in (*run, dockerfile.stages[-1]) for ancestor in dockerfile.lineage(stage)
    )


def _chosen(view: RepoView, tools: _Install, packages: Packages) -> dict[str, tuple[str, ...]]:
    """What is installed in place of each of the tools that go: binutils, or nothing. Raises MayCompile."""
    dockerfile = view.dockerfile
    _check_copies(dockerfile, tools)
    _check_apt(dockerfile, tools)
    wanted = frozenset(command for name in tools.tools for command in commands_of(name))
    known = {each.command.span: each for each in installs(view)}
    mine = [each for each in known.values() if each.instruction in tools.runs]
    called: set[str] = set()
    for instruction in tools.runs:
        script = Script.of(dockerfile, instruction)
        if script is None:
            raise MayCompile(f"what line {instruction.line} runs cannot be read")
        for command in script.commands:
            if command.span not in known:
                called |= _calls(dockerfile, command, wanted)
    if any(ancestor.platform for stage in tools.stages for ancestor in dockerfile.lineage(stage)):
        raise MayCompile("a stage is built for a platform of its own")
    fetches = packages.check(view, tools.stages, mine)
    chosen: dict[str, tuple[str, ...]] = {}
    for name in tools.tools:
        uses = called.intersection(commands_of(name))
        if fetches and name in _FETCHES_CODE:
            continue
        if not uses:
            chosen[name] = ()
        elif uses <= _BINUTILS and name != "binutils":
            chosen[name] = ("binutils",)
    if not chosen:
        raise MayCompile("other commands call them" if called else fetches)
    return chosen


def _check_copies(dockerfile: Dockerfile, tools: _Install) -> None:
    """Raises MayCompile where files of Debian's packages are taken out of the stages."""
    found = {stage.index for stage in tools.stages}
    names = {label.lower() for stage in tools.stages for label in (stage.label, str(stage.index))}
    for instruction in dockerfile.instructions:
        if instruction.keyword == "RUN" and names.intersection(map(str.lower, mount_sources(instruction))):
            raise MayCompile(f"line {instruction.line} mounts the stage")
        source = dockerfile.source_stage(instruction)
        if source is None or source.index not in found:
            continue
        for word in dockerfile.words(instruction)[:-1]:
            value = dockerfile.expand(word.value, instruction) or "/"
            path = posixpath.normpath(posixpath.join("/", re.split(r"[*?\[]", value)[0]))
            if not within(path, "/usr/local") and any(overlap(path, place) for place in _SYSTEM):
                raise MayCompile(f"line {instruction.line} copies {word.value} from the stage")


def _check_apt(dockerfile: Dockerfile, tools: _Install) -> None:
    """Raises MayCompile where another RUN needs what apt did in this one: the lists, or a package to remove."""
    for instruction in (i for stage in tools.stages for i in stage.instructions):
        script = Script.of(dockerfile, instruction)
        if script is None or instruction == tools.instruction:
            continue
        removed = {name for apt in apt_commands(script, "purge", "remove") for name in apt.names}
        if removed.intersection(tools.tools):
            raise MayCompile(f"line {instruction.line} removes them again")
        if apt_commands(script, "install", "build-dep") and not apt_commands(script, "update"):
            raise MayCompile(f"line {instruction.line} uses the package lists of another step")


def _calls(dockerfile: Dockerfile, command: Command, wanted: frozenset[str]) -> set[str]:
    """Those of the commands `wanted` that a command calls or may call.

    Raises:
        MayCompile: it may compile something.
    """
    name, argv = command.name, command.argv
    if _APT.fullmatch(name) or (name == "sudo" and _APT.fullmatch("".join(argv[1:2]))):
        return set()
    reads_in = name in (".", "source") and not argv[-1].endswith("/bin/activate")
    inspects = name in _BINUTILS or is_downloader(name)
    if reads_in or not (_PLAIN.fullmatch(name) or inspects or _is_harmless_python(command)):
        line = dockerfile.line_of(command.span.start)
        raise MayCompile(f"line {line} calls {argv[0]}, which may compile something")
    if name in ("echo", "printf"):
        return set()
    code = [value for flag, value in pairwise(argv) if flag == "-c"]
    words = {word.rpartition("/")[2] for word in argv if word not in code}
    return (words & wanted).union(*(mentioned(text, wanted) for text in code))


def _is_harmless_python(command: Command) -> bool:
    """Whether a call of Python, pip or uv makes environments, asks, removes, or runs its own library only."""
    argv = command.argv[1:]
    if command.name.startswith("python"):
        match argv:
            case ["-m", module, *rest]:
                if not _PIP.fullmatch(module):
                    return module in _MODULES
                argv = tuple(rest)
            case ["-c", code, *_]:
                return _uses_own_library(code)
            case _:
                return argv[:1] in (("--version",), ("-V",))
    elif not _PIP.fullmatch(command.name):
        return False
    verbs = [word for word in argv if word != "pip" and (not word.startswith("-") or word == "--version")]
    return bool(verbs) and verbs[0] in _PIP_VERBS


def _uses_own_library(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    modules = imported_by_code(code)
    return modules <= sys.stdlib_module_names - _COMPILING_MODULES and "importlib.import" not in code


def _without(dockerfile: Dockerfile, tools: _Install, chosen: dict[str, tuple[str, ...]]) -> Edit:
    """The RUN without the tools; nothing of it where all that it does is to install them."""
    script = tools.script
    left = {
        name
        for apt in apt_commands(script, "install")
        for one in apt.names
        for name in chosen.get(one, (one,))
    }
    served = [] if left else [command for command in script.commands if _prepares_apt(command)]
    text = rewritten(dockerfile, script, lambda name: chosen.get(name, (name,)), served)
    if text is None:
        return drop_instruction(dockerfile, tools.instruction)
    return Edit(tools.instruction.span, text)


def _prepares_apt(command: Command) -> bool:
    """Whether it only changes how apt works."""
    words = [word for word in command.argv[1:] if not word.startswith("-")]
    if command.name == "rm":
        return bool(words) and all(word.startswith("/etc/apt/") for word in words)
    return command.name in ("echo", "printf") and any("/etc/apt/" in each for each in command.redirects)
