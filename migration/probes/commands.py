"""Reads what a command starts: which programs, and which application, also behind shells and scripts."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

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
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^{}]*))?\})")
_ALL_ARGUMENTS = ("$@", "${@}", "$*", "${*}")
_SHELL_LINE = re.compile(r"#!\s*\S*/(?:env\s+(?:-S\s+)?)?(?:bash|dash|ash|sh)\b")
_OBJECT = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\([^()]*\))?$")
_OBJECT_SERVERS = {"uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress-serve"}
_FILE_SERVERS = {("fastapi", "run"), ("fastapi", "dev"), ("streamlit", "run"), ("chainlit", "run")}
_OPTIONS_BEFORE_SCRIPT = {"-W", "-X"}
_RUNNERS = {"tini": 0, "dumb-init": 0, "env": 0, "opentelemetry-instrument": 0, "ddtrace-run": 0}
_RUNNERS.update({"gosu": 1, "su-exec": 1, "poetry": 1, "uv": 1, "pipenv": 1, "pdm": 1})
"""Programs whose arguments are a command, and how many words of their own stand before it, options aside."""

_MOST_SCRIPTS_DEEP = 4


class Application(NamedTuple):
    """What the command serves or runs."""

    kind: str
    """`object` (`app.main:app`), `module` (`python -m app`) or `file` (`python main.py`)."""
    value: str
    directory: str = ""
    """Where modules are looked for first; empty for the working directory."""


class _Command(NamedTuple):
    words: list[str]
    directory: str
    """Where it is started; empty for the working directory."""
    stays: bool
    """Whether it takes the place of its shell, as what a script ends in does."""


def no_file(_path: str) -> str:
    """Reads nothing: for where the image's files are not at hand."""
    return ""


def programs(
    argv: Sequence[str],
    environment: Mapping[str, str] | None = None,
    read: Callable[[str], str] = no_file,
) -> tuple[str, ...]:
    """The programs that `argv` starts, in order, those of a shell's `-c` included; each once.

    Those of script files too, with `read`; much in them may be meant for other circumstances.
    """
    return tuple(dict.fromkeys(each.words[0] for each in _commands(argv, environment or {}, read)))


def application(
    argv: Sequence[str],
    environment: Mapping[str, str] | None = None,
    read: Callable[[str], str] = no_file,
) -> Application | None:
    """The application that `argv` names, itself or in a script that it runs; None for anything else.

    `read` gives the text of a file of the image, or nothing. Of several, what takes the shell's place and
    what comes late counts first: migrations run before the server does.
    """
    found = []
    for index, command in enumerate(_commands(argv, environment or {}, read)):
        named = _application(command.words)
        if named:
            rank = (named.kind == "object", command.stays, index)
            found.append((rank, _started_in(command.directory, named)))
    return max(found)[1] if found else None


def no_application(
    argv: Sequence[str], environment: Mapping[str, str], read: Callable[[str], str] = no_file
) -> str:
    """Why `application` found none, for people."""
    if not argv:
        return "the image has no command"
    for command in _commands(argv, environment, read):
        unset = [word for word in command.words[1:] if _VARIABLE.search(word)]
        if os.path.basename(command.words[0]) in _OBJECT_SERVERS and unset:
            return f"{command.words[0]} is given {unset[0]}, which the image does not set"
    return f"the command {' '.join(argv)[:80]} names no application, nor does a script that it runs"


def _started_in(directory: str, named: Application) -> Application:
    if not directory:
        return named
    if named.kind == "file":
        return named._replace(value=os.path.join(directory, named.value))
    return named._replace(directory=os.path.join(directory, named.directory).rstrip("/") or "/")


def _commands(
    argv: Sequence[str],
    environment: Mapping[str, str],
    read: Callable[[str], str],
    directory: str = "",
    stays: bool = True,
    depth: int = 0,
) -> Iterator[_Command]:
    """`argv` itself, then what it runs: a wrapper's command, a shell's `-c`, a script."""
    if not argv:
        return
    yield _Command(list(argv), directory, stays)
    if depth >= _MOST_SCRIPTS_DEEP:
        return
    inner = _inner(argv)
    if inner:
        yield from _commands(inner, environment, read, directory, stays, depth + 1)
        return
    script, arguments = _script(argv, read, directory)
    for command in _of_script(script, arguments, dict(environment), directory):
        within = stays and command.stays
        yield from _commands(command.words, environment, read, command.directory, within, depth + 1)


def _inner(argv: Sequence[str]) -> Sequence[str]:
    """The command that a wrapper is given; empty for any other program."""
    own = _RUNNERS.get(os.path.basename(argv[0]))
    if own is None or (
        os.path.basename(argv[0]) in ("poetry", "uv", "pipenv", "pdm") and "run" not in argv[:2]
    ):
        return ()
    rest = list(argv[1 + own :])
    if "--" in rest:
        return rest[rest.index("--") + 1 :]
    while rest and (rest[0].startswith("-") or _ASSIGNMENT.match(rest[0])):
        rest = rest[1:]
    return rest


def _script(argv: Sequence[str], read: Callable[[str], str], directory: str) -> tuple[str, Sequence[str]]:
    """The text of the shell script that `argv` runs, and the script's arguments; empty where it runs none."""
    rest = list(argv)
    shell = os.path.basename(argv[0]) in _SHELLS
    if shell:
        rest = rest[1:]
        while rest and rest[0].startswith("-"):
            if re.match(r"-\w*c$", rest[0]):
                return (rest[1] if len(rest) > 1 else ""), rest[3:]
            rest = rest[1:]
    if not rest:
        return "", ()
    text = read(os.path.join(directory, rest[0]) if "/" in rest[0] or shell else rest[0])
    return (text if shell or _SHELL_LINE.match(text) else ""), rest[1:]


def _of_script(
    script: str, arguments: Sequence[str], variables: dict[str, str], directory: str
) -> Iterator[_Command]:
    """The simple commands of a script, variables filled in as far as they are known."""
    arguments = list(arguments)
    for written in _simple_commands(script):
        words = []
        for word in written:
            words += arguments if word in _ALL_ARGUMENTS else [_filled(word, arguments, variables)]
        stays = "exec" in words[:2]
        while words and words[0] in _KEYWORDS | _WRAPPERS:
            words = words[1:]
        for word in words[1:] if words[:1] == ["export"] else words:
            set_here = _ASSIGNMENT.match(word)
            if not set_here:
                break
            variables[set_here[1]] = set_here[2]
        words = _past_assignments(words)
        if words[:2] == ["set", "--"]:
            arguments = words[2:]
        if words[:1] == ["cd"] and len(words) == 2 and "$" not in words[1]:
            directory = os.path.join(directory, words[1])
        if words and words[0] not in _BUILTINS and not words[0].startswith(("$", "<", ">", "-")):
            yield _Command(words, directory, stays)


def _past_assignments(words: list[str]) -> list[str]:
    """The words from the program on, without `NAME=value` and `exec` before it."""
    while words and (words[0] in _WRAPPERS or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    return words


def _simple_commands(script: str) -> Iterator[list[str]]:
    """The words between operators, line by line; what shlex cannot read ends a line."""
    for line in script.replace("\\\n", " ").split("\n"):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        try:
            for token in [*lexer, ";"]:
                if token in _OPERATORS:
                    yield words
                    words = []
                else:
                    words.append(token)
        except ValueError:
            # Quotes that do not close as shlex sees them: what came before still counts.
            continue


def _filled(word: str, arguments: Sequence[str], variables: Mapping[str, str]) -> str:
    """The word with variables at their values or defaults; those without one stay as written."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name.isdigit() and 0 < int(name) <= len(arguments):
            return str(arguments[int(name) - 1])
        return variables.get(name) or (match[0] if match[3] is None else match[3])

    return _VARIABLE.sub(value, word)


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
