"""Which commands of a RUN may leave something under a directory, beside what they are known to put there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phasewise.model.debian.apt import is_upkeep
from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.paths import overlap, within
from phasewise.model.shell import Command, Script
from phasewise.model.stages.recursion import absolute
from phasewise.model.stages.written_files import may_write

_READS = re.compile(
    r"|cd|export|unset|local|umask|exit|break|continue|return|shift|read|sleep|date|ls|head|tail|grep|cut|sort|uniq"
    r"|wc|tr|awk|du|df|stat|readelf|ldd|file|which|command|type|printf|dirname|basename|uname|id|nproc|cat|strip"
    r"|update-ca-certificates|locale-gen|dpkg|dpkg-query|apt-mark|apt-cache|expr|seq|wait|compileall"
)
"""Commands that leave nothing behind, or only where Debian's packages do; redirects are looked at apart."""
_ASKS = re.compile(
    r"--version|-V|list|freeze|check|show|cache|config|debug|index|lock|export|env|version|uninstall|help"
)
"""What pip, uv and poetry are asked for that installs nothing."""
_INSTALLERS = re.compile(r"pip[\d.]*|uv|uvx|poetry|pdm|pipenv|pipx|rye|conda|mamba|micromamba|hatch")
_FETCHES = frozenset({"curl", "wget", "tar", "unzip", "gunzip", "git"})
_MODULES = r"(re|shutil|sys|os|site|sysconfig|platform|json|pathlib|importlib|subprocess)\b"
_PROGRAM = re.compile(rf"(\s*(import|from)\s+{_MODULES}[^\n;]*[;\n]?)+")
_FOREIGN = re.compile(rf"(?m)(^\s*|;\s*)(import|from)\s+(?!{_MODULES})")
_WRITES = re.compile(
    r"open\(|write|download|copy|move|mkdir|link_?to|rename|retrieve|save|system\(|run\(|exec\(|call\(|check_|[pP]open"
)
_SMOKE_TEST = re.compile(r"\s*import [\w., ]+(;\s*(print|assert)\b[^;]*)*;?\s*")


def may_leave(dockerfile: Dockerfile, script: Script, command: Command, path: str) -> bool:
    """Whether the command may write anything under `path` that is not known."""
    step = script.instruction
    if _redirects(dockerfile, script, command, path):
        return True
    if _READS.fullmatch(command.name) or is_upkeep(command):
        return False
    argv = command.argv
    if _INSTALLERS.fullmatch(command.name) or argv[1:3] == ("-m", "pip"):
        verb = _verb(argv[2:] if "-m" in argv[1:2] else argv)
        return (verb not in ("wheel", "download") and not _ASKS.fullmatch(verb)) or _names(
            dockerfile, step, argv, path
        )
    if command.name.startswith("python"):
        return not _is_harmless(argv)
    if command.name == "find":
        return bool({"-exec", "-execdir", "-ok", "-fprint", "-fls"} & set(argv)) and not (
            {"rm", "strip", "chmod", "chown", "echo"} & {word.rpartition("/")[2] for word in argv}
        )
    if command.name == "xargs":
        plain = [word.rpartition("/")[2] for word in argv[1:] if not word.startswith("-")]
        return not {"rm", "strip", "chmod", "chown", "pip", "python", "python3"} & set(plain)
    if command.name == "sed":
        return any(word.startswith(("-i", "--in-place")) for word in argv) and _names(
            dockerfile, step, argv, path
        )
    if command.name in _FETCHES:
        return (
            (command.name == "git" and argv[1:2] not in (("clone",), ("--version",)))
            or _names(dockerfile, step, argv, path)
            or any(within(place, path) for place in _directories(dockerfile, script, command))
        )
    if command.name in ("cp", "mv", "ln", "install"):
        return (
            any("$" in word for word in argv)
            or _names(dockerfile, step, argv, path)
            or any(within(place, path) for place in _directories(dockerfile, script, command))
        )
    return may_write(dockerfile, step, command, path)


def _verb(argv: tuple[str, ...]) -> str:
    words = [word for word in argv[1:] if not word.startswith("-") and word not in ("pip", "self")]
    return words[0] if words else "--version"


def _is_harmless(argv: tuple[str, ...]) -> bool:
    """Whether a call of Python only reports, compiles, takes files away, or installs where packages are anyway."""
    match argv[1:]:
        case [flag, *_] if flag in ("--version", "-V", "-VV"):
            return True
        case ["-m", "compileall" | "site" | "sysconfig" | "py_compile", *_]:
            return True
        case ["-m", "spacy", "download", *_]:
            return True
        case ["-c", program, *_]:
            known = _PROGRAM.match(program) is not None and not _FOREIGN.search(program)
            return _SMOKE_TEST.fullmatch(program) is not None or (known and not _WRITES.search(program))
    return False


def _redirects(dockerfile: Dockerfile, script: Script, command: Command, path: str) -> bool:
    """Whether a redirect of the command may write under `path`; a RUN that strips writes files back."""
    strips = any(each.name == "strip" for each in script.commands)
    for redirect in command.redirects:
        match = re.match(r"[\d&]*>[>|]?\s*(?!&)(?P<target>.+)", redirect, re.S)
        if not match:
            continue
        target = match["target"].strip("'\"")
        where = absolute(dockerfile, script.instruction, target)
        if where is None:
            if not strips:
                return True
        elif within(where, path):
            return True
    return False


def _names(dockerfile: Dockerfile, step: Instruction, argv: tuple[str, ...], path: str) -> bool:
    """Whether any word names a place under `path` or above it, or one that is not known."""
    for word in argv[1:]:
        value = word.partition("=")[2] if word.startswith("--") else word
        if "/" not in value or "://" in value or value.startswith(("-", "git@")):
            continue
        where = absolute(dockerfile, step, value)
        if where is None or overlap(where, path):
            return True
    return False


def _directories(dockerfile: Dockerfile, script: Script, command: Command) -> Iterator[str]:
    """The directories that the command may run in: WORKDIR, and where the script has gone to before."""
    yield dockerfile.workdir(script.instruction)
    for other in script.commands:
        if other.name in ("cd", "pushd") and other.span < command.span:
            yield absolute(dockerfile, script.instruction, (*other.argv, "~")[1]) or "/"
