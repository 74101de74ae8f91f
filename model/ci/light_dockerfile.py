"""A Dockerfile for CI made from production's by a few edits; everything else stays as it is there."""

from __future__ import annotations

import posixpath
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

from msgspec import Struct

from phasewise.model.ci.check_requirements_ci import package
from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.edits import drop_instruction, drop_word
from phasewise.model.python.imports import imported_by_code
from phasewise.model.python.installs import Install, Source, installs
from phasewise.model.python.prepend import is_alone
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.stripping import only_strips
from phasewise.model.text import Edit, Span, apply_edits
from phasewise.model.wording import listed

_DIRECTIVE = re.compile(r"(?:\ufeff?#\s*(?:syntax|escape|check)\s*=.*\n)*", re.I)


class NotDerivable(ValueError):
    """No CI Dockerfile can be made from this one; the message says why."""


class Derived(Struct, frozen=True):
    """The Dockerfile for CI, without its header."""

    text: str
    dropped: tuple[str, ...]
    """The commands that are left out there because they run what is not installed."""


def derive(
    view: RepoView, lists: Mapping[str, str], left_out: Collection[str], modules: Collection[str]
) -> Derived:
    """The target's Dockerfile with `lists` installed instead of what they were made from.

    `lists` has the CI requirements file by the key of its source; `left_out` the packages that are not
    installed, `modules` what they would be imported as.

    Raises:
        NotDerivable: an install cannot be changed safely.
    """
    dockerfile = view.dockerfile
    edits: set[Edit] = set()
    gone: dict[Instruction, list[Command]] = {}
    for install in installs(view):
        if installs_only(install, left_out):
            gone.setdefault(install.instruction, []).append(install.command)
        else:
            edits.update(_install_edits(dockerfile, install, lists, left_out))
    for instruction, command in users(dockerfile, modules):
        gone.setdefault(instruction, []).append(command)
    dropped = [" ".join(command.argv) for commands in gone.values() for command in commands]
    for instruction, commands in gone.items():
        script = Script.of(dockerfile, instruction)
        removal = script.without(commands) if script else None
        if removal is None:
            edits = {edit for edit in edits if not instruction.span.covers(edit.span)}
            edits.add(drop_instruction(dockerfile, instruction))
        else:
            edits.update(removal)
    edits.update(drop_instruction(dockerfile, each) for each in _strips(dockerfile) if each not in gone)
    return Derived(apply_edits(dockerfile.text, edits), tuple(dropped))


def headed(text: str, view: RepoView, lists: Mapping[str, str], gone: Collection[str]) -> str:
    """`text`, made from the target's Dockerfile, with the comment that says so; `gone` are Debian's packages."""
    newline = "\r\n" if "\r\n" in text else "\n"
    match = _DIRECTIVE.match(text)
    start = match.end() if match else 0
    if not start and text.startswith("\ufeff"):
        start = 1
    swaps = ", ".join(f"{posixpath.basename(new)} in place of {old}" for old, new in _by_name(lists))
    name = posixpath.basename(view.target.dockerfile)
    lines = [f"{name} for CI: {swaps}."]
    if gone:
        lines += textwrap.wrap(
            f"Without {listed(gone)}: all packages of the list come built. Should one have to be compiled some day,"
            f" the build fails here; then install them again as {name} does.",
            100,
            break_on_hyphens=False,
        )
    if _strips(view.dockerfile):
        lines.append("Nothing is stripped: that makes a build longer, and these images are not kept.")
    lines.append("The rest is the same, to be kept so. Its images are tested and scanned, never deployed.")
    header = "".join(f"# {line}{newline}" for line in lines)
    return f"{text[:start]}{header}{newline}{text[start:]}"


def _strips(dockerfile: Dockerfile) -> list[Instruction]:
    """The steps that only make an image smaller, and no test can tell."""
    return [instruction for instruction in dockerfile.instructions if only_strips(dockerfile, instruction)]


def _by_name(lists: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, new in lists.items():
        path, bracket, extras = key.partition("[")
        yield f"{posixpath.basename(path)}{bracket}{extras}", new


def installs_only(install: Install, left_out: Collection[str]) -> bool:
    """Whether the command names packages only, all of them left out."""
    names = [package(word.value) for word in install.named]
    return (
        bool(names)
        and not install.sources
        and not install.unknown
        and all(name in left_out for name in names)
    )


def _install_edits(
    dockerfile: Dockerfile, install: Install, lists: Mapping[str, str], left_out: Collection[str]
) -> Iterator[Edit]:
    for word in install.named:
        if package(word.value) in left_out:
            yield drop_word(dockerfile.text, word.span)
    for source in install.sources:
        new = lists.get(source.key)
        if new is None:
            continue
        if source.is_project:
            yield from _project_edits(dockerfile, install, source, posixpath.basename(new))
            continue
        if source.origin.named:
            yield _renamed(dockerfile.text, source.origin.named, source.path, new)
        if not source.origin.renamed:
            yield _renamed(dockerfile.text, source.word.span, source.path, new)


def _renamed(text: str, span: Span, path: str, new: str) -> Edit:
    """The word with the last `requirements.txt` in it renamed; quotes and folders stay."""
    before, found, after = span.of(text).partition(posixpath.basename(path))
    if not found:
        raise NotDerivable(f"{span.of(text)} does not name {posixpath.basename(path)}")
    return Edit(span, f"{before}{posixpath.basename(new)}{after}")


def _project_edits(dockerfile: Dockerfile, install: Install, source: Source, name: str) -> Iterator[Edit]:
    """The list first, then the project without its dependencies."""
    text, word, command = dockerfile.text, source.word.span, install.command
    if len(install.sources) > 1 or install.named or install.instruction.exec_form:
        raise NotDerivable(
            f"line {dockerfile.line_of(word.start)} installs a project in a form that cannot be split"
        )
    written = source.word.value.partition("[")[0]
    folder = "" if written.rstrip("/") == "." else f"{written.rstrip('/')}/"
    editable = re.search(r"(?:-e|--editable)\s+$", text[command.span.start : word.start])
    start = command.span.start + editable.start() if editable else word.start
    listed = f"{text[command.span.start : start]}-r {folder}{name}{text[word.end : command.span.end]}"
    alone = f"{text[command.span.start : start]}--no-deps {text[start : command.span.end]}"
    line = text[text.rfind("\n", 0, command.span.start) + 1 : command.span.start]
    indent = line[: len(line) - len(line.lstrip())] or "    "
    both = f"{listed} {dockerfile.escape}\n{indent}&& {alone}"
    yield Edit(command.span, both if is_alone(text, install) else f"({both})")
    named = source.origin.named
    if named is None:
        return
    raw = named.of(text)
    if source.origin.renamed or not raw.strip("\"'").endswith("pyproject.toml"):
        raise NotDerivable("pyproject.toml is mounted or renamed, so that the list cannot be put beside it")
    quote = raw[0] if raw[0] in "\"'" else ""
    beside = f"{quote}{raw.strip(quote or None).removesuffix('pyproject.toml')}{name}{quote}"
    yield Edit(Span(named.end, named.end), f"{', ' if quote == chr(34) else ' '}{beside}")


def users(dockerfile: Dockerfile, modules: Collection[str]) -> Iterator[tuple[Instruction, Command]]:
    """The commands that run Python code which imports one of `modules`: `python -c`, `python -m`."""
    for instruction in dockerfile.instructions:
        script = Script.of(dockerfile, instruction) if instruction.keyword == "RUN" else None
        for command in script.commands if script else ():
            runs_python = command.name.startswith("python")
            if runs_python and any(_imported(*pair) & set(modules) for pair in pairwise(command.argv)):
                yield instruction, command


def _imported(flag: str, value: str) -> frozenset[str]:
    """The top-level modules that `-m module` or `-c code` imports."""
    if flag == "-m":
        return frozenset({value.partition(".")[0]})
    return imported_by_code(value) if flag == "-c" else frozenset()
