"""Which commands a running container calls: in its start commands, scripts and code, or from outside."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache, lru_cache
from itertools import pairwise

from msgspec import Struct

from phasewise.model.dockerfile import Instruction, Stage
from phasewise.model.downloads.mounts import is_lent
from phasewise.model.repo import RepoView, normalise
from phasewise.model.shell import Script

_STARTS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")
_TOKEN = re.compile(r"[\w.+-]+")
WORDS = frozenset(
    {
        "ar",
        "as",
        "cc",
        "cpp",
        "ed",
        "ex",
        "flex",
        "go",
        "joe",
        "ld",
        "lex",
        "make",
        "mc",
        "nm",
        "opt",
        "patch",
        "strip",
    }
    | {"tree", "view"}
)
"""Commands that are words as well: they count only where a command is expected."""
_COMMAND_PLACE = r"(?:^|[;&|(\[`\"'!]|\bexec\b|\bthen\b|\bdo\b|\bsudo\b)\s*"
_LEADS = frozenset({"-exec", "-execdir", "xargs", "sudo", "env", "exec", "time", "nice", "timeout"})
_CALL = re.compile(
    r"(?:system|popen\w*|run|call|check_\w+|get\w*output|which|spawn\w*|exec\w*|create_subprocess_\w+|local)"
    r"\(\s*\[?\s*[rf]?$",
    re.I,
)
_LIST = re.compile(r"\[\s*$")
_CONTEXT = 60
"""How many characters in front of a string tell whether it is a command."""
CALLERS = (
    "subprocess",
    "os.system",
    "os.popen",
    "os.exec",
    "os.spawn",
    "shutil",
    "pexpect",
    "plumbum",
    "invoke",
    "from sh import",
    "import sh\n",
    "bash_command",
)
"""What names of modules and functions tell that code starts processes."""
_HINTS = {"git": ("git",), "g++": ("torch", "cpp"), "gcc": ("pyximport", "triton", "ffi")}
_LIBRARIES = {
    "git": re.compile(r"^\s*(import git\b|from git(\.\w+)* import)", re.M),
    "g++": re.compile(r"torch\.compile\(|torch\.utils\.cpp_extension|^\s*import (cppimport|cppyy)\b", re.M),
    "gcc": re.compile(r"^\s*import (pyximport|triton)\b|^\s*from (pyximport|triton)\b|\bffi\.verify\(", re.M),
}
"""Python packages that call a command without its name standing in the code."""
_LOADS = re.compile(r"""(?:CDLL|LoadLibrary|dlopen)\(\s*['"](lib[\w+-]+)\.so['"]""")
_OUTSIDE = re.compile(r"\b(docker|podman|kubectl|nerdctl)\b.*\b(run|exec)\b")
_PROBE = re.compile(r"^\s*(-\s*)?(command|entrypoint|test|exec|args|startCommand|healthcheck\w*)\b", re.I)
_RUNNERS = re.compile(
    r"\.ya?ml$|(^|/)(railway|fly|render|app|apprunner|devcontainer)\.(toml|json)$|(^|/)Procfile$"
)
_NOT_SHIPPED = re.compile(
    r"(^|/)(tests?|docs?|\.venv|venv|node_modules|examples?|benchmarks?)/|(^|/)(test_\w+|conftest|noxfile|setup)\.py$"
)


class Use(Struct, frozen=True):
    """One place that calls a command at run time."""

    command: str
    path: str
    line: int
    """1-based. Not as evidence: git would be asked who wrote what is seldom shown."""

    @property
    def place(self) -> str:
        """`Dockerfile:3`."""
        return f"{self.path}:{self.line}"


def runtime_uses(
    view: RepoView, commands: Collection[str], skip: Collection[Instruction] = ()
) -> dict[str, Use]:
    """The first place for each of `commands` that the target's containers call.

    Looked at: CMD, ENTRYPOINT and HEALTHCHECK of the stage and of what it inherits, its other RUNs except
    `skip`, the scripts that these name, compose services and other files that say how it is run, and the
    Python code in the build context. What is called only by hand cannot be seen.
    """
    wanted = frozenset(commands)
    found: dict[str, Use] = {}
    if wanted:
        for use in _uses(view, wanted, {instruction.span for instruction in skip}):
            found.setdefault(use.command, use)
    return found


def start_text(view: RepoView, stage: Stage) -> str:
    """The arguments of the commands that a container of `stage` starts with."""
    return "\n".join(
        instruction.value for instruction in view.dockerfile.making(stage) if instruction.keyword in _STARTS
    )


def named_scripts(view: RepoView, text: str) -> tuple[str, ...]:
    """The tracked files in the build context that `text` names, and that those name in turn."""
    by_name = _by_name(view.paths)
    seen: dict[str, None] = {}
    waiting = [text]
    while waiting:
        for token in _TOKEN.findall(waiting.pop()):
            for path in by_name.get(token, ()):
                if path not in seen and _is_script(view, path, token):
                    seen[path] = None
                    waiting.append(view.files[path])
    return tuple(seen)


@lru_cache(maxsize=64)
def _by_name(paths: frozenset[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        found.setdefault(path.rpartition("/")[2], []).append(path)
    return found


def unversioned_loads(view: RepoView) -> dict[str, Use]:
    """Libraries that the code loads as `libmagic.so`: only the -dev package has a file of that name."""
    found: dict[str, Use] = {}
    for path in shipped_code(view):
        text = view.files.get(path, "")
        for match in _LOADS.finditer(text) if ".so" in text else ():
            line = text.count("\n", 0, match.start()) + 1
            found.setdefault(match[1], Use(match[1], path, line))
    return found


def shipped_code(view: RepoView) -> Iterator[str]:
    """The Python files in the build context that may be in the image."""
    yield from _shipped(view.paths, normalise(view.target.context))


@lru_cache(maxsize=64)
def _shipped(paths: frozenset[str], context: str) -> tuple[str, ...]:
    code = (path for path in paths if path.endswith(".py") and _is_within(context, path))
    return tuple(sorted(path for path in code if not _NOT_SHIPPED.search(path)))


def _is_script(view: RepoView, path: str, name: str) -> bool:
    if path == view.target.dockerfile or not _in_context(view, path) or path not in view.files:
        return False
    return name.endswith((".sh", ".bash")) or view.files[path].startswith("#!")


def _in_context(view: RepoView, path: str) -> bool:
    return _is_within(normalise(view.target.context), path)


def _is_within(context: str, path: str) -> bool:
    return context == "." or path.startswith(f"{context}/")


def _uses(view: RepoView, wanted: frozenset[str], skip: Collection[object]) -> Iterator[Use]:
    dockerfile = view.dockerfile
    for instruction in dockerfile.making(view.stage):
        if instruction.keyword in _STARTS:
            for command in mentioned(instruction.value, wanted):
                yield Use(command, dockerfile.path, instruction.line)
        elif instruction.keyword == "RUN" and instruction.span not in skip:
            yield from _run_uses(view, instruction, wanted)
    outside = [*outside_commands(view)]
    for path, line, text in outside:
        for command in mentioned(text, wanted):
            yield Use(command, path, line)
    started = "\n".join([start_text(view, view.stage), *(text for _, _, text in outside)])
    for path in named_scripts(view, started):
        for line, text in enumerate(view.files[path].split("\n"), 1):
            for command in mentioned(without_comment(text) if line > 1 else "", wanted):
                yield Use(command, path, line)
    for path in shipped_code(view):
        yield from _python_uses(view, path, wanted)


def _run_uses(view: RepoView, instruction: Instruction, wanted: frozenset[str]) -> Iterator[Use]:
    """What a RUN of the final image's own stages calls while it is built."""
    script = Script.of(view.dockerfile, instruction)
    for command in script.commands if script else ():
        if command.name in ("apt-get", "apt", "apt-mark", "dpkg") or is_lent(
            instruction, "".join(command.argv[:1])
        ):
            continue
        words = command.argv
        plain = [word for word in words if word in _LEADS or not word.startswith("-")]
        led = {word.rpartition("/")[2] for before, word in pairwise(plain) if before in _LEADS}
        named = {word for word in words if word not in WORDS} | led | {command.name}
        for name in sorted(named & wanted):
            yield Use(name, view.dockerfile.path, view.dockerfile.line_of(command.span.start))


def without_comment(line: str) -> str:
    """A line of a shell script without its comment; `$#` begins none."""
    return "" if line.lstrip().startswith("#") else re.split(r"\s#", line, maxsplit=1)[0]


def outside_commands(view: RepoView) -> Iterator[tuple[str, int, str]]:
    """(path, line, text) of what compose files, workflows, manifests and platforms run in the image."""
    for path in view.matching(_RUNNERS):
        for number, text in _commands_in(path, view.files.get(path, "")):
            yield path, number, text


# Rules and targets ask the same of the same files.
@lru_cache(maxsize=1024)
def _commands_in(path: str, text: str) -> tuple[tuple[int, str], ...]:
    workflow = path.startswith(".github/")
    lines = text.split("\n")
    return tuple(
        (number, _with_continuation(lines, number).partition(" #")[0])
        for number, line in enumerate(lines, 1)
        if _OUTSIDE.search(line) or (not workflow and _PROBE.search(line)) or path.endswith("Procfile")
    )


def _with_continuation(lines: list[str], number: int) -> str:
    """A line with those that continue it: after a backslash, or indented more, as a list or block is."""
    first = lines[number - 1]
    depth = len(first) - len(first.lstrip())
    parts = [first]
    for line in lines[number : number + 20]:
        deeper = len(line) - len(line.lstrip()) > depth or line.lstrip().startswith("- ")
        if not (parts[-1].endswith("\\") or (first.rstrip().endswith((":", "|", ">", "[")) and deeper)):
            break
        parts.append(line)
    return " ".join(parts)


def _python_uses(view: RepoView, path: str, wanted: frozenset[str]) -> Iterator[Use]:
    text = view.files.get(path, "")
    for command in sorted(_LIBRARIES.keys() & wanted):
        hinted = any(hint in text for hint in _HINTS[command])
        if hinted and (match := _LIBRARIES[command].search(text)):
            yield Use(command, path, text.count("\n", 0, match.end()) + 1)
    if not _starts_processes(text):
        return
    for match in _strings(wanted).finditer(text):
        before = text[max(0, match.start() - _CONTEXT) : match.start()]
        if _CALL.search(before) or (match[1] not in WORDS and _LIST.search(before)):
            yield Use(match[1], path, text.count("\n", 0, match.start()) + 1)


# Rules and targets ask the same of the same thousands of files.
@lru_cache(maxsize=4096)
def _starts_processes(text: str) -> bool:
    return any(caller in text for caller in CALLERS)


@cache
def _strings(wanted: frozenset[str]) -> re.Pattern[str]:
    """A string that begins with one of the commands, alone or with arguments."""
    names = "|".join(map(re.escape, sorted(wanted)))
    return re.compile(rf"""['"](?:[\w./-]*/)?({names})(?=['"\s])""")


def mentioned(text: str, wanted: frozenset[str]) -> list[str]:
    """Those of `wanted` that a command line names; one that is a word as well, only where a command stands."""
    tokens = [token for token in dict.fromkeys(_TOKEN.findall(text)) if token in wanted]
    return [
        token
        for token in tokens
        if token not in WORDS
        or re.search(rf"{_COMMAND_PLACE}(?:[\w./-]*/)?{re.escape(token)}(?=[\s\"'\],;)]|$)", text)
    ]
