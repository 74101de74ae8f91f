"""Moves the copies of code behind the installs of dependencies, within one stage."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from phasewise.model.builds.dockerignore import ignore_file, is_ignored
from phasewise.model.debian.apt import is_upkeep
from phasewise.model.dockerfile import Instruction, Stage
from phasewise.model.edits import drop_instruction, insert_after
from phasewise.model.paths import overlap
from phasewise.model.python import environments
from phasewise.model.python.install_inputs import (
    NotKnown,
    installs_something,
    is_install,
    needs,
)
from phasewise.model.python.installs import Install, installs, origin_of
from phasewise.model.repo import RepoView, normalise
from phasewise.model.shell import Command, Script
from phasewise.model.stages.context_copies import (
    brings_code,
    brings_lists,
    conflict,
    is_absolute,
    named_files,
    target_of,
)
from phasewise.model.stages.roles import only_tools
from phasewise.model.text import Edit, Span

_METADATA = frozenset(
    {"ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "USER"}
)
_HARMLESS = frozenset(
    {"apk", "apt", "apt-get", "echo", "groupadd", "useradd", "addgroup", "adduser", "mkdir"}
)


class CodeLast(Struct, frozen=True):
    """What changes in one stage."""

    copies: tuple[Instruction, ...]
    """They bring code, and move behind `last`."""
    last: Instruction
    """The last RUN that installs dependencies."""
    manifests: tuple[tuple[str, str], ...]
    """(path in the build context, folder in the image) of what the installs read and nothing else brings."""
    projects: tuple[tuple[Instruction, Command, str], ...]
    """The commands that get an option to leave the project out, and run again without it behind the code."""


def code_last(view: RepoView, stage: Stage) -> CodeLast | None:
    """What to move in a stage; None when nothing is to be.

    Raises:
        NotKnown: code is copied before an install, and it cannot be told whether that has to be so.
    """
    copies: list[Instruction] = []
    reached: list[Instruction] = []
    manifests: dict[str, str] = {}
    projects: list[tuple[Instruction, Command, str]] = []
    last: Instruction | None = None
    counted = 0
    pip = [install for install in installs(view) if install.instruction.stage == stage.index]
    obstacle = ""
    for instruction in stage.instructions:
        if brings_code(view, instruction) and not brings_lists(view, instruction, pip):
            copies.append(instruction)
            continue
        if not copies or instruction.keyword in _METADATA:
            reached.append(instruction)
            continue
        obstacle = obstacle or _obstacle(view, instruction, copies)
        mine = [install for install in pip if install.instruction is instruction]
        if not installs_something(view, instruction, pip) and not _installs_by_name(mine):
            reached.append(instruction)
            continue
        if obstacle:
            if last is None:
                raise NotKnown(obstacle)
            break
        try:
            needed, project = needs(view, instruction, mine)
        except NotKnown:
            if last is None:
                raise
            break
        manifests |= needed
        projects += project
        last, counted = instruction, len(copies)
    if last is None:
        return None
    copies = copies[:counted]
    _check_writes(view, copies, last, stage)
    missing = {path: folder for path, folder in manifests.items() if _stays(view, path, folder, last, copies)}
    return CodeLast(tuple(copies), last, tuple(missing.items()), tuple(projects))


def _obstacle(view: RepoView, instruction: Instruction, copies: Sequence[Instruction]) -> str:
    """Why the copies must stay in front of `instruction`; empty when they need not."""
    where = f"line {instruction.line}"
    if instruction.keyword == "RUN":
        script = Script.of(view.dockerfile, instruction)
        if script is None or any(flag.name != "mount" for flag in instruction.flags):
            return f"{where} may read the code"
        for command in script.commands:
            if not _is_harmless(command):
                return f"{where} may read the code: {' '.join(command.argv[:4])}"
        return ""
    if instruction.keyword in ("COPY", "ADD"):
        if any(conflict(view, instruction, copy) for copy in copies):
            return f"{where} copies to where the code goes"
        return ""
    if instruction.keyword == "WORKDIR" and all(is_absolute(view, copy) for copy in copies):
        return ""
    return f"{where}: {instruction.keyword} stands between the code and the install"


def _installs_by_name(installs: Sequence[Install]) -> bool:
    """Whether a RUN installs packages that it names itself, more than installers."""
    return any(install.named and not only_tools(install.command) for install in installs)


def _is_harmless(command: Command) -> bool:
    """Whether the command reads no file of the application: it installs, or prepares an install."""
    argv = command.argv
    return (
        command.name in _HARMLESS
        or is_upkeep(command)
        or argv[1:3] in (("-m", "venv"), ("-m", "pip"))
        or command.name == "virtualenv"
        or argv[:2] == ("uv", "venv")
        or argv[:2] == ("poetry", "config")
        or (is_install(command) and not _reads_local_files(command))
    )


def _reads_local_files(command: Command) -> bool:
    """Whether an install takes archives of the build context, by name or from a folder of them."""
    places = {after for flag, after in pairwise(command.argv) if flag in ("-f", "--find-links")}
    places |= {word.partition("=")[2] for word in command.argv if word.startswith("--find-links=")}
    places |= {word for word in command.argv if word.endswith((".whl", ".gz", ".zip"))}
    return any("://" not in place for place in places)


def _check_writes(view: RepoView, copies: Sequence[Instruction], last: Instruction, stage: Stage) -> None:
    """Refuses where an install writes below a folder that the code is copied to, and the copy may hold that too."""
    ignored = view.files.get(ignore_file(view, view.target.dockerfile, view.target.context), "")
    for install in environments.installs(view.dockerfile, stage):
        for copy in copies:
            target = target_of(view, copy)
            inside = posixpath.relpath(install.environment, target)
            if install.instruction.span > last.span or inside.startswith("..") or target == "/":
                continue
            if not is_ignored(ignored, inside):
                then = "; explicit_context does, and then this can follow" if inside == ".venv" else ""
                raise NotKnown(
                    f"{install.environment} lies where the code goes, and .dockerignore does not keep {inside} out"
                    f"{then}"
                )
    for copy in copies:
        between = [
            i for i in stage.instructions if copy.span < i.span < last.span and i.keyword in ("ENV", "ARG")
        ]
        if between and "$" in copy.value:
            raise NotKnown(f"line {copy.line} copies to a place that a later {between[0].keyword} may change")


def _stays(view: RepoView, path: str, folder: str, last: Instruction, copies: Sequence[Instruction]) -> bool:
    """Whether a file has to be copied of its own: only the moved copies bring it."""
    origin = origin_of(view, posixpath.join(folder, posixpath.basename(path)), last)
    if origin and origin.named and not any(copy.span.covers(origin.named) for copy in copies):
        return False
    stage = view.dockerfile.stages[last.stage or 0]
    for each in stage.instructions:
        if each.keyword == "COPY" and each not in copies and each.span < last.span and not each.flag("from"):
            for word in view.dockerfile.words(each)[:-1]:
                source = view.context_path(word.value)
                brought = path == source or path.startswith(f"{source}/") or path in named_files(view, source)
                if brought and overlap(target_of(view, each), folder):
                    return False
    return True


def edits(view: RepoView, move: CodeLast) -> Iterator[Edit]:
    """The copies of the lists in place of the first copy of code, that copy and the others behind the installs."""
    dockerfile = view.dockerfile
    text = dockerfile.text
    first = move.copies[0]
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = "".join(f"{line}{newline}" for line in _manifest_lines(view, move))
    moved = ""
    for copy in move.copies:
        span = dockerfile.lines(copy)
        moved += span.of(text)
        dropped = drop_instruction(dockerfile, copy)
        yield Edit(span if copy is first and lines else dropped.span, lines if copy is first else "")
    for instruction, command, option in move.projects:
        verb = command.words[1].span
        yield Edit(Span(verb.end, verb.end), f" {option}")
        flags = "".join(f"{flag.span.of(text)} " for flag in instruction.flags)
        moved += f"RUN {flags}{command.span.of(text)}{newline}"
    # A comment that stood apart still does.
    apart = moved.startswith("#") and text[: dockerfile.lines(first).start].endswith(("\n\n", "\n\r\n"))
    yield insert_after(dockerfile, move.last, ("\n" * apart + moved).replace("\r\n", "\n"))


def _manifest_lines(view: RepoView, move: CodeLast) -> Iterator[str]:
    """A COPY for each folder of lists, with the flags of the first copy of code."""
    first = move.copies[0]
    workdir = view.dockerfile.workdir(first)
    context = view.context_path(".")
    flags = "".join(
        f"{flag.span.of(view.dockerfile.text)} "
        for flag in first.flags
        if flag.name in ("chown", "chmod", "link")
    )
    by_folder: dict[str, list[str]] = {}
    for path, folder in sorted(move.manifests):
        relative = path if context == "." else posixpath.relpath(path, context)
        by_folder.setdefault(folder, []).append(relative)
    for folder, paths in by_folder.items():
        inside = posixpath.relpath(folder, workdir)
        outside = inside.startswith("..") or is_absolute(view, first)
        target = f"{folder.rstrip('/')}/" if outside else f"{normalise(inside)}/"
        yield f"COPY {flags}{' '.join(paths)} {target}"
