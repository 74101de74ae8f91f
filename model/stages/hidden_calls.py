"""What a final image may call unseen: scripts that are not in the repository, tools and packages that call others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from phasewise.model.debian.packages import is_downloader
from phasewise.model.dockerfile import Instruction
from phasewise.model.python.callers import calling
from phasewise.model.python.environments import installs
from phasewise.model.repo import RepoView
from phasewise.model.script_calls import called_file
from phasewise.model.shell import Script
from phasewise.model.stages.roles import only_tools, started_by
from phasewise.model.stages.runtime_use import (
    CALLERS,
    WORDS,
    Use,
    mentioned,
    named_scripts,
    shipped_code,
    start_text,
)

_STARTS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")
_CALL_OTHERS = frozenset(
    {
        "make",
        "cmake",
        "just",
        "task",
        "npm",
        "yarn",
        "pnpm",
        "dvc",
        "pre-commit",
        "cargo",
        "go",
        "tox",
        "nox",
        "invoke",
    }
)
_READ_IN = re.compile(r"(^|/)(activate|env|os-release|\.?bashrc|\.?profile)$")
_SCRIPT = re.compile(r"[\w./-]+\.(?:sh|bash)\b")
_PROGRAMS = re.compile(r"(/[\w.-]+)*/s?bin/[\w.-]+$")
_WORKPLACES = re.compile(r"\b(jupyter(hub|lab)?|jupyter-\w+|code-server|sshd|ttyd|tmux)\b")
"""Programs in whose terminals somebody works."""


def reservation(view: RepoView) -> str:
    """Why it cannot be told what the final image calls; empty when it can."""
    dockerfile, stage = view.dockerfile, view.stage
    for found in installs(dockerfile, stage):
        if not only_tools(found.command):
            line = dockerfile.line_of(found.command.span.start)
            return f"line {line} installs Python packages in the final image itself, and may compile or fetch them"
    if use := started_by(view):
        return f"{use.place} starts the service with {use.command}, which may install"
    for instruction in dockerfile.making(stage):
        if reason := _opaque(view, instruction):
            return f"line {instruction.line} {reason}"
    if place := _WORKPLACES.search(start_text(view, stage)):
        return f"{place[0]} makes it a place to work in"
    for path in sorted(view.paths):
        if path.startswith(".devcontainer/") and "ockerfile" in view.files.get(path, ""):
            return f"{path} makes it a place to work in"
    return ""


def _opaque(view: RepoView, instruction: Instruction) -> str:
    if instruction.keyword == "ONBUILD":
        return "acts in another build"
    if instruction.keyword in _STARTS:
        return _unknown_start(view, instruction)
    if instruction.keyword != "RUN":
        return ""
    script = Script.of(view.dockerfile, instruction)
    if script is None:
        return "is no shell script that can be read"
    known = {
        path.rpartition("/")[2] for path in named_scripts(view, script.source.value or instruction.value)
    }
    for command in script.commands:
        if command.name in _CALL_OTHERS:
            return f"calls {command.name}, which calls others"
        called = called_file(command)
        if called and not _READ_IN.search(called) and called.rpartition("/")[2] not in known:
            return "runs a script that is not in the repository"
    return ""


def _unknown_start(view: RepoView, instruction: Instruction) -> str:
    """Why a start command hides what it calls; empty when it does not."""
    known = {path.rpartition("/")[2] for path in named_scripts(view, instruction.value)}
    scripts = {word.rpartition("/")[2] for word in _SCRIPT.findall(instruction.value)}
    first = instruction.exec_form[0] if instruction.exec_form else instruction.value.split(" ")[0]
    if first.startswith(("/", "./")) and not _PROGRAMS.match(first):
        scripts.add(first.rpartition("/")[2])
    return f"starts {min(scripts - known)}, which is not in the repository" if scripts - known else ""


def cautious_uses(view: RepoView, commands: Collection[str]) -> dict[str, Use]:
    """The first place for each of `commands` that may call it, though it does not look like a call.

    Looked at: scripts that RUNs call, files that the start commands name, requirements fetched with git at start, the
    measured image's distributions that download with it, and code that starts processes and holds the word.
    """
    found: dict[str, Use] = {}
    for use in _cautious(view, frozenset(commands)):
        found.setdefault(use.command, use)
    return found


def _cautious(view: RepoView, wanted: frozenset[str]) -> Iterator[Use]:
    for path in _files_in_play(view):
        for number, line in enumerate(view.files[path].split("\n"), 1):
            for command in mentioned(line.partition(" #")[0], wanted):
                yield Use(command, path, number)
            if "git" in wanted and "git+" in line:
                yield Use("git", path, number)
    for path in shipped_code(view):
        text = view.files.get(path, "")
        if any(caller in text for caller in CALLERS):
            for number, line in enumerate(text.split("\n"), 1):
                for command in sorted((wanted - WORDS) & set(re.findall(r"[\w+-]+", line.partition("#")[0]))):
                    yield Use(command, path, number)
    installed = {each.name for each in view.census.distributions} if view.census else frozenset()
    for command in sorted(wanted):
        # Triton comes with PyTorch, which calls gcc only where code asks for that: this is found in the code.
        if is_downloader(command) and installed & set(calling([command])):
            yield Use(command, view.dockerfile.path, view.stage.instructions[0].line)


def _files_in_play(view: RepoView) -> Iterator[str]:
    """Scripts that RUNs of the lineage name, and text files that a start command or a COPY names."""
    instructions = view.dockerfile.making(view.stage)
    runs = "\n".join(i.span.of(view.dockerfile.text) for i in instructions if i.keyword == "RUN")
    started = start_text(view, view.stage)
    yield from dict.fromkeys((*named_scripts(view, runs), *named_scripts(view, started)))
    starts = set(re.findall(r"[\w.+-]+", started))
    copied = {
        view.context_path(word.value)
        for i in instructions
        if i.keyword in ("COPY", "ADD") and not i.flag("from")
        for word in view.dockerfile.words(i)[:-1]
    }
    for path in sorted(view.files):
        code = path.endswith((".py", ".md", ".lock", ".txt", ".toml", ".csv"))
        if not code and (path in copied or path.rpartition("/")[2] in starts):
            yield path
