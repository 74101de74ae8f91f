"""Reads an image's CMD, ENTRYPOINT and HEALTHCHECK: which programs they start, and which application. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHELLS = {"sh", "bash", "ash", "dash"}
_OPERATORS = {"&&", "||", ";", "|", "&", "(", ")", ";;"}
_WRAPPERS = {"exec", "time", "nohup", "command"}
_BUILTINS = {
    "cd",
    "export",
    "set",
    "exit",
    "true",
    "false",
    "echo",
    "test",
    "[",
    "umask",
    ":",
    "source",
    ".",
    "ulimit",
}
_KEYWORDS = {
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "for",
    "while",
    "do",
    "done",
    "case",
    "esac",
    "in",
    "!",
    "{",
    "}",
}
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_OBJECT = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\([^()]*\))?$")
_OBJECT_SERVERS = {"uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress-serve"}
_FILE_SERVERS = {("fastapi", "run"), ("fastapi", "dev"), ("streamlit", "run"), ("chainlit", "run")}
_OPTIONS_BEFORE_SCRIPT = {"-W", "-X"}


@dataclass(frozen=True, slots=True)
class Application:
    """What the command serves or runs."""

    kind: str
    """`object` (`app.main:app`), `module` (`python -m app`) or `file` (`python main.py`)."""
    value: str
    directory: str = ""
    """Where modules are looked for first; empty for the working directory."""


def start_command(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What a container of the image executes: ENTRYPOINT with CMD behind it."""
    return (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))


def health_command(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the health check executes; empty when there is none."""
    kind, *words = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if kind == "CMD-SHELL":
        return ("/bin/sh", "-c", *words)
    return tuple(words) if kind == "CMD" else ()


def programs(argv: Sequence[str]) -> tuple[str, ...]:
    """The programs that `argv` starts, in order, those of a shell's script included; each once."""
    return tuple(dict.fromkeys(words[0] for words in commands(argv)))


def commands(argv: Sequence[str]) -> Iterator[list[str]]:
    """`argv` itself, then the simple commands of the script when it is a shell's `-c`."""
    if not argv:
        return
    yield list(argv)
    if argv[0].rpartition("/")[2] in _SHELLS and len(argv) > 2 and re.fullmatch(r"-\w*c", argv[1]):
        yield from _of_script(argv[2])


def _of_script(script: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(script.replace("\n", " ; "), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    try:
        for token in [*lexer, ";"]:
            if token in _OPERATORS:
                yield from _simple(words)
                words = []
            else:
                words.append(token)
    except ValueError:
        # Quotes that do not close as shlex sees them: what came before still counts.
        return


def _simple(words: list[str]) -> Iterator[list[str]]:
    while words and (_ASSIGNMENT.match(words[0]) or words[0] in _KEYWORDS or words[0] in _WRAPPERS):
        words = words[1:]
    if words and words[0] not in _BUILTINS and not words[0].startswith(("$", "<", ">", "-")):
        yield words


def application(argv: Sequence[str]) -> Application | None:
    """The application that `argv` starts, where it names one; None for anything else."""
    found = (_application(words) for words in commands(argv))
    return next((application for application in found if application), None)


def _application(words: Sequence[str]) -> Application | None:
    program, rest = words[0].rpartition("/")[2], list(words[1:])
    if re.fullmatch(r"python[\d.]*", program):
        return _of_python(rest)
    if program in _OBJECT_SERVERS:
        value = next((word for word in rest if _OBJECT.match(word)), None)
        return (
            Application("object", value, _option(rest, "--app-dir") or _option(rest, "--chdir"))
            if value
            else None
        )
    if program == "celery":
        value = _option(rest, "-A") or _option(rest, "--app")
        return Application("object", value) if value else None
    if (program, rest[0] if rest else "") in _FILE_SERVERS:
        value = next((word for word in rest[1:] if word.endswith(".py")), None)
        return Application("file", value) if value else None
    return None


def _of_python(rest: list[str]) -> Application | None:
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c"):
        rest = rest[2:] if rest[0] in _OPTIONS_BEFORE_SCRIPT else rest[1:]
    if not rest or rest[0] == "-c":
        return None
    if rest[0] == "-m" and len(rest) > 1:
        return _application(rest[1:]) or Application("module", rest[1])
    return Application("file", rest[0]) if rest[0].endswith(".py") else None


def _option(words: Sequence[str], name: str) -> str:
    """The value of `--name value` or `--name=value`; empty without one."""
    for index, word in enumerate(words):
        if word == name and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""
