"""Asks the application's own Python what it can do: import, answer for metadata, find commands. Prints JSON."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import sys
import sysconfig
import tempfile
import time
import traceback
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from phasewise.migration.probes import commands
from phasewise.migration.probes.environments import imports_of, normalised

_AT_ONCE = 2
_ONE_IMPORT_SECONDS = 120.0
_ALL_IMPORTS_SECONDS = 900.0
_ERROR_CHARACTERS = 4000
_SCRIPT_BYTES = 100_000
_FEWEST_IMPORTS, _MOST_IMPORTS = 3, 5
_REPEATING_SECONDS = 4.0
"""More than the fewest imports are timed only while they take no longer than this together."""

_SWITCHED = "PHASEWISE_PROBE_SWITCHED"

INSTALLERS = {"pip", "setuptools", "wheel", "uv", "ensurepip", "distribute", "virtualenv"}
"""What installs packages is not what the application runs on, unless something installed requires it."""


def main(request: str) -> None:
    """Answers `request`, JSON with the keys that `answer` takes, on standard output."""
    wanted = json.loads(request)
    started = commands.programs(wanted["start"], os.environ, script_text)
    switch_to_the_applications_python([*started, *wanted["programs"]])
    print(json.dumps(answer(**wanted)))


def answer(
    programs: list[str],
    start: list[str],
    imports: list[str],
    distributions: list[str],
    scripts: list[str],
) -> dict[str, Any]:
    """What this Python and this user find; the last three lists name what to look for besides what is found."""
    installed = _installed()
    entry_points = {
        entry.name for distribution in installed.values() for entry in _console_scripts(distribution)
    }
    modules = {name for distribution in installed.values() for name in _imports(distribution)}
    # Timed before bytecode is shared, and before anything else runs beside it.
    application_found = describe_start(start)
    _share_bytecode(installed.values())
    return {
        "python": sys.executable,
        "version": ".".join(map(str, sys.version_info[:3])),
        "user": [os.getuid(), os.getgid()],
        "programs": {name: describe_program(name) for name in programs},
        "distributions": {
            name: describe_metadata(name, installed.get(name))
            for name in sorted({*installed, *distributions})
        },
        "scripts": {name: describe_program(name) for name in sorted(entry_points | set(scripts))},
        "application": application_found,
        "imports": import_each(sorted(modules | set(imports))),
    }


# -- which Python ------------------------------------------------------------------------------------------


def switch_to_the_applications_python(programs: Iterable[str]) -> None:
    """Goes on as the Python that the image's command runs under, when that is another one than this."""
    if os.environ.pop(_SWITCHED, ""):
        return
    for program in programs:
        python = python_of(program)
        if python and not _same_environment(python):
            with open("/proc/self/cmdline", "rb") as file:
                arguments = [os.fsdecode(part) for part in file.read().split(b"\0")[1:-1]]
            os.environ[_SWITCHED] = "1"
            os.execv(python, [python, *arguments])
        if python:
            return


def python_of(program: str) -> str | None:
    """The Python that runs `program`: itself, or the one its first line names; None when neither is one."""
    path = shutil.which(program)
    if path is None:
        return None
    if _is_python(path):
        return path
    interpreter = shebang_of(path)
    return (
        interpreter[0]
        if interpreter and _is_python(interpreter[0]) and os.path.exists(interpreter[0])
        else None
    )


def _is_python(path: str) -> bool:
    return bool(re.match(r"^python[\d.]*$", os.path.basename(path)))


def _same_environment(python: str) -> bool:
    """Whether `python` has the same packages as this one: a virtual environment's is a link to its base's."""
    here = os.path.dirname(os.path.abspath(sys.executable))
    there = os.path.dirname(os.path.abspath(python))
    return os.path.realpath(here) == os.path.realpath(there) and os.path.realpath(python) == os.path.realpath(
        sys.executable
    )


# -- programs ----------------------------------------------------------------------------------------------


def describe_program(name: str) -> dict[str, str]:
    """Where a program is, and why it would not start: `path`, `error`."""
    path = shutil.which(name)
    if path is None:
        there = "/" in name and os.path.exists(name)
        return {"path": "", "error": "not executable" if there else "not found"}
    interpreter = shebang_of(path)
    if interpreter and not os.path.exists(interpreter[0]):
        return {"path": path, "error": f"its interpreter {interpreter[0] or interpreter[1]} is missing"}
    return {"path": path, "error": ""}


def shebang_of(path: str) -> tuple[str, str] | None:
    """(path of the interpreter, what the first line says); None without `#!`, path empty when it is not found."""
    try:
        with open(path, "rb") as file:
            first = file.readline(1024).decode("utf-8", "replace")
            second = file.readline(1024).decode("utf-8", "replace") if first.startswith("#!/bin/sh") else ""
    except OSError:
        return None
    words = first[2:].split() if first.startswith("#!") else []
    if not words:
        return None
    # Installers write this when the interpreter's path is too long, or has spaces, for a first line.
    long = re.match(r"""'''exec' "?([^"]+?)"? "\$0" "\$@\"""", second)
    if long:
        return long[1], long[1]
    if os.path.basename(words[0]) == "env":
        named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
        return shutil.which(named) or "", named
    return words[0], words[0]


# -- metadata ----------------------------------------------------------------------------------------------


def _installed() -> dict[str, metadata.Distribution]:
    """What is on this Python's path, by normalised name, without installers that nothing requires."""
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        try:
            name = normalised(distribution.metadata["Name"])
        except Exception:
            continue
        if name:
            found.setdefault(name, distribution)
    needed = {
        normalised(re.split(r"[^\w.-]", line, maxsplit=1)[0])
        for distribution in found.values()
        for line in distribution.requires or ()
        if "extra ==" not in line
    }
    return {name: found[name] for name in found if name not in INSTALLERS or name in needed}


def describe_metadata(name: str, distribution: metadata.Distribution | None) -> dict[str, Any]:
    """The version that importlib.metadata gives, the entry points whose module is missing, or the error."""
    if distribution is None:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return {"version": "", "error": "no metadata", "entry_points": []}
    try:
        version = metadata.version(distribution.metadata["Name"])
        broken = [
            entry.name
            for entry in _entry_points(distribution)
            if not module_exists(entry.value.partition(":")[0])
        ]
    except Exception as error:
        return {"version": "", "error": repr(error), "entry_points": []}
    return {
        "version": version or "",
        "error": "" if version else "no version",
        "entry_points": sorted(broken),
    }


def _entry_points(distribution: metadata.Distribution) -> list[Any]:
    try:
        return [entry for entry in distribution.entry_points if entry.value]
    except Exception:
        return []


def _console_scripts(distribution: metadata.Distribution) -> list[Any]:
    return [
        entry for entry in _entry_points(distribution) if entry.group in ("console_scripts", "gui_scripts")
    ]


def _imports(distribution: metadata.Distribution) -> list[str]:
    try:
        return imports_of(distribution)
    except Exception:
        return []


def module_exists(module: str) -> bool:
    """Whether a module's file or folder is on the path; nothing is executed."""
    relative = module.split(" ")[0].split("[")[0].strip().replace(".", "/")
    if module in sys.builtin_module_names:
        return True
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
    endings = ("", ".py", ".pyc", ".so", ".abi3.so", suffix)
    return any(
        os.path.exists(os.path.join(folder, relative) + ending) for folder in sys.path for ending in endings
    )


# -- imports -----------------------------------------------------------------------------------------------


def _share_bytecode(installed: Iterable[metadata.Distribution]) -> None:
    """Lets the many imports to come compile each module once: the image has no bytecode and may not keep any."""
    folders = [
        str(distribution.locate_file(name)) for distribution in installed for name in _imports(distribution)
    ]
    packages = [folder for folder in folders if os.path.isdir(folder)]
    compiled = [folder for folder in packages if os.path.isdir(os.path.join(folder, "__pycache__"))]
    if 2 * len(compiled) > len(packages):
        return
    try:
        sys.pycache_prefix = tempfile.mkdtemp(prefix="phasewise-bytecode-")
    except OSError:
        return
    sys.dont_write_bytecode = False


def import_each(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Imports every module in a process of its own, a few at a time: `error` (empty when it went well), `seconds`."""
    waiting, running = list(names), {}  # type: list[str], dict[int, Child]
    results: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + _ALL_IMPORTS_SECONDS
    while waiting or running:
        while waiting and len(running) < _AT_ONCE and time.monotonic() < deadline:
            child = Child(waiting[0], _import(waiting.pop(0)))
            running[child.pid] = child
        if not running:
            results.update(
                (name, {"error": "out of time", "seconds": 0.0, "skipped": True}) for name in waiting
            )
            return results
        for pid, child in list(running.items()):
            if child.ended():
                results[child.name] = child.result()
                del running[pid]
        time.sleep(0.005)
    return results


def _import(name: str) -> Any:
    return lambda: importlib.import_module(name)


class Child:
    """A forked process that does one thing, silently, within its time."""

    def __init__(self, name: str, action: Any, seconds: float = _ONE_IMPORT_SECONDS) -> None:
        self.name = name
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._status: int | None = None
        self._late = False
        self._pipe, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _act(action, write)
        os.close(write)

    def ended(self) -> bool:
        """Whether it has ended; it is killed when its time is up."""
        if not self._late and time.monotonic() > self._deadline:
            self._late = True
            os.kill(self.pid, signal.SIGKILL)
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self._status = status
        return bool(pid)

    def result(self) -> dict[str, Any]:
        """What went wrong, and the seconds it took."""
        with os.fdopen(self._pipe, "rb") as pipe:
            said = pipe.read().decode("utf-8", "replace")
        seconds = time.monotonic() - self._started
        status = self._status or 0
        if self._late:
            said = f"took longer than {self._deadline - self._started:.0f} s"
        elif os.WIFSIGNALED(status):
            said = f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
        elif not said and os.WEXITSTATUS(status):
            said = f"ended the process with status {os.WEXITSTATUS(status)}"
        return {"error": said, "seconds": round(seconds, 3)}


def _act(action: Any, write: int) -> None:
    """Runs in the child: does it with all output switched off, writes the error, and never returns."""
    status = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        action()
        status = 0
    except BaseException as error:
        os.write(write, _message(error).encode("utf-8", "replace"))
    finally:
        os._exit(status)


def _message(error: BaseException) -> str:
    """The error and what caused it, innermost last, short enough for a pipe."""
    lines, seen = [], set()  # type: list[str], set[int]
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append("".join(traceback.format_exception_only(type(current), current)).strip())
        current = current.__cause__ or current.__context__
    return "\n".join(lines)[:_ERROR_CHARACTERS]


# -- the application ---------------------------------------------------------------------------------------


def describe_start(start: list[str]) -> dict[str, Any]:
    """What `describe_application` says of the application that the command `start` names, with its `kind` and
    `value`; or `unknown`, the reason why none is known."""
    named = commands.application(start, os.environ, script_text)
    if named is None:
        return {"unknown": commands.no_application(start, os.environ, script_text)}
    application = {"kind": named.kind, "value": named.value, "directory": named.directory}
    return {**application, **describe_application(application)}


def script_text(path: str) -> str:
    """The text of the file that a command names, found as a shell finds it; empty for what is no text."""
    try:
        with open(path if os.path.exists(path) else shutil.which(path) or path, "rb") as file:
            content = file.read(_SCRIPT_BYTES)
    except OSError:
        return ""
    return "" if b"\0" in content else content.decode("utf-8", "replace")


def describe_application(application: dict[str, str]) -> dict[str, Any]:
    """Whether what the image's command names is there: an object of a module, a module, or a file."""
    value = application["value"]
    if application["kind"] == "file":
        return {"error": "" if os.path.isfile(value) else f"no file {os.path.abspath(value)}", "seconds": 0.0}
    sys.path.insert(0, os.path.abspath(application.get("directory") or "."))
    try:
        if application["kind"] == "module":
            return {"error": "" if module_exists(value) else f"no module {value}", "seconds": 0.0}
        found = _load_once(value)
        return found if found["error"] else {**found, "import_seconds": _timed_imports(value)}
    finally:
        sys.path.pop(0)


def _timed_imports(value: str) -> list[float]:
    """The seconds of a few imports, one after the other, each as a new container makes it."""
    began, timed = time.monotonic(), []  # type: float, list[float]
    while len(timed) < _FEWEST_IMPORTS or (
        len(timed) < _MOST_IMPORTS and time.monotonic() - began < _REPEATING_SECONDS
    ):
        found = _load_once(value)
        if found["error"]:
            break
        timed.append(found["seconds"])
        if time.monotonic() - began > 5 * _REPEATING_SECONDS:
            break
    return timed


def _load_once(value: str) -> dict[str, Any]:
    child = Child(value, lambda: _load(value))
    while not child.ended():
        time.sleep(0.005)
    return child.result()


def _load(value: str) -> None:
    # What one import compiles must not serve the next: every container starts without it.
    sys.dont_write_bytecode = True
    module, _, path = value.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.partition("(")[0].split("."):
        found = getattr(found, name) if name else found
