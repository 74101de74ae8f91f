"""The images that GitLab CI jobs build in their scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml.nodes import Node, SequenceNode

from phasewise.model.builds import purpose
from phasewise.model.builds.script_builds import ImageBuild, commands, image_build, pushed
from phasewise.model.builds.yaml_edit import YamlRefusal, compose
from phasewise.model.builds.yaml_tree import get, items, line, pairs, text
from phasewise.model.repo import BuildReference, Purpose

_PATH = re.compile(r"(?:.*/)?\.gitlab-ci\.ya?ml|\.gitlab/ci/.+\.ya?ml")
_NO_JOBS = {"default", "include", "stages", "variables", "workflow", "spec"}


def is_gitlab(path: str) -> bool:
    """Whether GitLab runs this file."""
    return bool(_PATH.fullmatch(path))


def references(path: str, source: str) -> Iterator[BuildReference]:
    """The builds of one file."""
    try:
        root = compose(source)
    except YamlRefusal:
        return
    for name, job in items(root):
        if name not in _NO_JOBS:
            yield from _job(path, source.split("\n"), root, name, job)


def _job(path: str, lines: list[str], root: Node, name: str, job: Node) -> Iterator[BuildReference]:
    script = get(job, "script")
    nodes = script.value if isinstance(script, SequenceNode) else [script] if script is not None else []
    parts = [(index, node, text(node) or "") for index, node in enumerate(nodes)]
    variables = {**dict(pairs(get(root, "variables"))), **dict(pairs(get(job, "variables")))}
    # The items of a script run in one shell: a `cd` holds for those behind it.
    whole = "\n".join(part for _, _, part in parts)
    found = commands(whole, ".", lambda word: word, variables)
    argvs = [command.argv for command in found]
    for command in found:
        build = image_build(command, lambda word: word)
        if build is None:
            continue
        index, node, inside = _part_at(parts, command.offset)
        number = _line_in(lines, node, inside)
        purpose = _purpose(build, name, text(get(job, "stage")) or "", argvs)
        yield build.found_at(path, lines, number, purpose, f"{name}.script[{index}]")


def _purpose(build: ImageBuild, name: str, stage: str, argvs: list[tuple[str, ...]]) -> Purpose:
    if build.pushes or any(pushed(argv) is not None for argv in argvs):
        return Purpose.DEPLOY
    if any(map(purpose.scans, argvs)):
        return Purpose.SCAN
    named = purpose.by_names([name, stage])
    if named is not Purpose.UNKNOWN:
        return named
    return Purpose.TEST if any(map(purpose.runs_tests, argvs)) else Purpose.UNKNOWN


def _part_at(parts: list[tuple[int, Node, str]], offset: int) -> tuple[int, Node, int]:
    """The script's item that holds an offset, and how many line breaks of the item come before it."""
    for index, node, part in parts:
        if offset <= len(part):
            return index, node, part.count("\n", 0, offset)
        offset -= len(part) + 1
    raise ValueError("an offset behind the script")


def _line_in(lines: list[str], node: Node, inside: int) -> int:
    first = line(node)
    if getattr(node, "style", None) in ("|", ">"):
        first += 1 + inside
    return min(first, len(lines))
