"""Adds a step to a workflow behind the one that builds an image, and finds the name that image has there."""

from __future__ import annotations

import re

from phasewise.model.builds.build_commands import build_commands
from phasewise.model.builds.yaml_edit import (
    YamlRefusal,
    add_item_before,
    compose,
    edited,
    embedded,
    node_at,
    quoted,
    scalar,
    value_of,
)
from phasewise.model.repo import BuildReference
from phasewise.model.text import Edit, Span

_LITERAL = re.compile(r"[a-z0-9][\w./:@-]*")
_LEAVES_NO_IMAGE = frozenset({"--push", "--output", "-o", "--call", "--check"})


def local_tag(text: str, build: BuildReference) -> str | None:
    """The tag under which the step's image lies in the runner's engine; None where it does not, or is computed."""
    try:
        step = node_at(compose(text), build.where)
        run = value_of(step, "run")
        if run is None:
            return _action_tag(text, build)
        script = embedded(text, run)
    except YamlRefusal:
        return None
    commands = build_commands(script.text)
    if len(commands) != 1:
        return None
    options = commands[0].options
    line = script.text[: commands[0].build.span.start].rpartition("\n")[2]
    names = {name for name, _ in options}
    if names & _LEAVES_NO_IMAGE or ("buildx" in line and "--load" not in names):
        return None
    return _first([value for name, value in options if name in ("-t", "--tag")])


def _action_tag(text: str, build: BuildReference) -> str | None:
    step = node_at(compose(text), build.where)
    inputs = value_of(step, "with")
    if inputs is None or (scalar(inputs, "load") or "").lower() != "true":
        return None
    return _first(re.split(r"[,\s]+", scalar(inputs, "tags") or ""))


def _first(tags: list[str]) -> str | None:
    return tags[0] if tags and _LITERAL.fullmatch(tags[0]) else None


def with_step_behind(text: str, build: BuildReference, title: str, script: tuple[str, ...]) -> str:
    """The workflow with a step that runs `script`, line by line, behind the step of `build`.

    Raises:
        YamlRefusal: the steps are not a list with one step a line.
    """
    job, _, index = build.where.rstrip("]").rpartition(".steps[")
    steps = node_at(compose(text), f"{job}.steps")
    lines = (f"name: {quoted(title)}", "run: |", *(f"  {line}" for line in script))
    following = int(index) + 1
    if following < len(steps.value):
        edit = add_item_before(text, steps, following, lines)
    else:
        edit = _item_at_the_end(
            text, add_item_before(text, steps, following - 1, lines), steps.end_mark.index
        )
    return edited(text, [edit], {f"{job}.steps"})


def _item_at_the_end(text: str, before: Edit, end: int) -> Edit:
    """The edit that adds an item in front of the last one, made to add it behind that one."""
    indent = len(before.replacement) - len(before.replacement.lstrip(" "))
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text[:end].split("\n")
    if text[:end].endswith("\n") or not lines[-1].strip():
        lines.pop()
        end = len("\n".join(lines)) + 1 if lines else 0
    while lines and (not lines[-1].strip() or _is_comment_at(lines[-1], indent)):
        end -= len(lines.pop()) + 1
    gap = "" if end == 0 or text[end - 1 : end] == "\n" else newline
    item = before.replacement.rstrip("\r\n")
    return Edit(Span(end, end), f"{gap}{item}{newline}")


def _is_comment_at(line: str, indent: int) -> bool:
    """Whether the line is a comment that stands no deeper than the items: it is about what follows."""
    return line.lstrip().startswith("#") and len(line) - len(line.lstrip()) <= indent
