"""The images that shell scripts, makefiles and justfiles build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from phasewise.model.builds import purpose
from phasewise.model.builds.script_builds import commands, image_build, pushed
from phasewise.model.repo import BuildReference, Purpose

_SHELL = re.compile(r".+\.(?:sh|bash)")
_MAKE = re.compile(r"(?:GNUm|M|m)akefile|.+\.mk|[.]?[Jj]ustfile")
_SETTING = re.compile(r"^(?:export\s+)?([A-Za-z_]\w*)\s*(?:[:?]?=)\s*(.*?)\s*(?:#.*)?$")
_TARGET = re.compile(r"^([A-Za-z0-9_][\w./-]*)[^=:\t]*:(?!=)")
_REFERENCE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}|\{\{\s*(\w+)\s*\}\}")


def is_script(path: str) -> bool:
    """Whether a file is a shell script, a makefile or a justfile, by its name."""
    name = path.rpartition("/")[2]
    return bool(_SHELL.fullmatch(name) or _MAKE.fullmatch(name))


def references(path: str, source: str) -> Iterator[BuildReference]:
    """The builds of one file; a script is taken to run from the repository's root, a makefile from its folder."""
    if _SHELL.fullmatch(path.rpartition("/")[2]):
        yield from _references(path, source, source, 0, ".", path.rpartition("/")[2])
        return
    folder = path.rpartition("/")[0] or "."
    settings: dict[str, str] = {}
    target = ""
    for number, line in _logical_lines(source):
        if not line.startswith((" ", "\t")):
            setting, rule = _SETTING.match(line), _TARGET.match(line)
            if setting:
                settings[setting[1]] = setting[2].strip("\"'")
            target = rule[1] if rule else target
        elif "build" in line:
            recipe = _filled(line.strip().lstrip("@-+"), settings).replace("$$", "$")
            yield from _references(path, source, recipe, number, folder, target)


def _references(
    path: str, source: str, script: str, first: int, folder: str, name: str
) -> Iterator[BuildReference]:
    found = commands(script, folder, lambda word: None if "{{" in word or "$(" in word else word, {})
    pushes = any(pushed(command.argv) is not None for command in found)
    lines = source.split("\n")
    for command in found:
        build = image_build(command, lambda word: None if "{{" in word else word)
        if build is None:
            continue
        number = (
            first + script.count("\n", 0, command.offset)
            if first
            else script.count("\n", 0, command.offset) + 1
        )
        what_for = Purpose.DEPLOY if build.pushes or pushes else purpose.by_names([name])
        yield build.found_at(path, lines, number, what_for, name)


def _logical_lines(source: str) -> Iterator[tuple[int, str]]:
    """The lines with their 1-based numbers, continued ones joined."""
    pending, start = "", 0
    for number, line in enumerate(source.split("\n"), 1):
        line = line.removesuffix("\r")
        start = start if pending else number
        if line.endswith("\\"):
            pending += f"{line[:-1]} "
            continue
        yield start, pending + line
        pending = ""


def _filled(text: str, settings: Mapping[str, str]) -> str:
    """The text with make's and just's variables filled in, as far as they are known."""
    for _ in range(5):
        filled = _REFERENCE.sub(lambda match: settings.get(match[1] or match[2] or match[3], match[0]), text)
        if filled == text:
            break
        text = filled
    return text
