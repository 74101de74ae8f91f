"""Runs a command in front of an install, so that its failure ends the build."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.python.installs import Install
from phasewise.model.text import Edit, Span


def prepended(dockerfile: Dockerfile, install: Install, command: str) -> Iterator[Edit]:
    """The edits that run `command` and then the install: joined with `&&`, in parentheses where that is needed."""
    text, span = dockerfile.text, install.command.span
    newline = "\r\n" if "\r\n" in text else "\n"
    line = text[text.rfind("\n", 0, span.start) + 1 : span.start]
    indent = line[: len(line) - len(line.lstrip())] or "    "
    behind = text[: span.start].rstrip().removesuffix(dockerfile.escape).rstrip().endswith("&&")
    joint = f" && {dockerfile.escape}{newline}{indent}" if behind and not line.strip() else None
    joint = joint or f" {dockerfile.escape}{newline}{indent}&& "
    if is_alone(text, install):
        yield Edit(Span(span.start, span.start), f"{command}{joint}")
    else:
        yield Edit(Span(span.start, span.start), f"({command}{joint}")
        yield Edit(Span(span.end, span.end), ")")


def is_alone(text: str, install: Install) -> bool:
    """Whether another command can be added with `&&`: a failure of the first must still end the build.

    After `;`, in an `if` or a heredoc, `set -e` would not see it; in a subshell it does.
    """
    arguments, command = install.instruction.arguments, install.command.span
    before = text[arguments.start : command.start].strip(" \t\r\n\\")
    after = text[command.end : arguments.end].strip(" \t\r\n\\")
    joined = (not before or before.endswith("&&")) and (not after or after.startswith("&&"))
    return joined and not install.instruction.heredocs and ";" not in before and "||" not in after
