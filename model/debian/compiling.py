"""Which commands of a build step may compile something, and which tools the others call."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise

from phasewise.model.debian.packages import COMMANDS, is_downloader
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.python.built_packages import MayCompile
from phasewise.model.python.imports import imported_by_code
from phasewise.model.shell import Command
from phasewise.model.stages.runtime_use import mentioned

BINUTILS = frozenset(COMMANDS["binutils"])
"""Commands that look into what was compiled, or change it."""
_APT = re.compile(r"apt(-get|-mark|-cache|-key)?|aptitude|dpkg(-query)?|update-ca-certificates|locale-gen")
_PLAIN = re.compile(
    r"|[:.\[]|cd|export|unset|set|source|test|true|false|echo|printf|exit|read|shift|local|break|continue|return|umask"
    r"|sleep|mkdir|rm|rmdir|mv|cp|ln|install|touch|chmod|chown|chgrp|cat|tee|head|tail|grep|cut|sort|uniq|wc|tr|sed"
    r"|awk|find|xargs|du|df|ls|stat|ldd|ldconfig|file|which|command|type|date|dirname|basename|uname|id|nproc|seq|wait|expr"
    r"|tar|unzip|gunzip|gzip|useradd|groupadd|adduser|addgroup|usermod|virtualenv"
)
"""Commands that compile nothing themselves."""
_GZIPPED = re.compile(r"^-?[cfptvx]*z[cfptvx]*$|\.t?gz$")
"""For other archives tar calls bzip2 or xz, which come with dpkg-dev."""
_MODULES = frozenset({"venv", "ensurepip", "compileall", "py_compile", "site", "sysconfig"})
_PIP = re.compile(r"pip[\d.]*|uv")
_PIP_VERBS = frozenset(
    {"uninstall", "list", "freeze", "check", "show", "cache", "config", "venv", "--version"}
)
_COMPILING_MODULES = frozenset({"ctypes", "distutils", "runpy"})
"""Modules of the standard library that call a compiler, or other code."""


def calls(dockerfile: Dockerfile, command: Command, wanted: frozenset[str]) -> set[str]:
    """Those of the commands `wanted` that a command calls or may call.

    Raises:
        MayCompile: it may compile something.
    """
    name, argv, line = command.name, command.argv, dockerfile.line_of(command.span.start)
    if _APT.fullmatch(name) or (name == "sudo" and _APT.fullmatch("".join(argv[1:2]))):
        return set()
    reads_in = name in (".", "source") and not argv[-1].endswith("/bin/activate")
    known = _is_plain(name) or _is_harmless_python(command)
    if reads_in or not known or not all(map(_is_plain, _started_by(command))):
        raise MayCompile(f"line {line} calls {argv[0]}, which may compile something")
    if name == "tar" and not any(_GZIPPED.search(word) for word in argv):
        raise MayCompile(f"line {line} calls tar, which may call what came along with them")
    if name in ("echo", "printf"):
        return set()
    code = [value for flag, value in pairwise(argv) if flag == "-c"]
    words = {word.rpartition("/")[2] for word in argv if word not in code}
    return (words & wanted).union(*(mentioned(text, wanted) for text in code))


def _is_plain(name: str) -> bool:
    return bool(_PLAIN.fullmatch(name)) or name in BINUTILS or is_downloader(name)


def _started_by(command: Command) -> Iterator[str]:
    """The names of the commands that find and xargs start."""
    words = command.argv[1:]
    if command.name == "find":
        yield from (
            after.rpartition("/")[2] for flag, after in pairwise(words) if flag.startswith(("-exec", "-ok"))
        )
    elif command.name == "xargs":
        first = (w for w in words if not w.startswith("-") and not w.isdigit() and "{}" not in w)
        yield next(first, "").rpartition("/")[2]


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
