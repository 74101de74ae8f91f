"""Tells hadolint, where a repository lints with it, that something is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from phasewise.model.dockerfile import Instruction
from phasewise.model.repo import RepoView
from phasewise.model.text import Edit, Span

_LINTS = re.compile(r"\bhadolint\b")
_LINTING_FILES = re.compile(
    r"(^|/)(\.hadolint\.ya?ml|\.pre-commit-config\.ya?ml|Makefile|\.github/workflows/[^/]+)$"
)
_PRAGMA = re.compile(r"#\s*hadolint\s+ignore=(?P<codes>[\w, ]+)")


def pragma(view: RepoView, instruction: Instruction, codes: Sequence[str]) -> Iterator[Edit]:
    """Ignores `codes` on the instruction, beside those that are; nothing where the repository does not lint."""
    settings = view.matching(_LINTING_FILES)
    texts = {path: view.files.get(path, "") for path in settings}
    if not any(".hadolint" in path or _LINTS.search(text) for path, text in texts.items()):
        return
    ignored = "".join(text for path, text in texts.items() if ".hadolint" in path)
    codes = [code for code in codes if code not in ignored]
    text = view.dockerfile.text
    for comment in instruction.comments:
        if match := _PRAGMA.match(comment.span.of(text)):
            missing = [code for code in codes if code not in match["codes"]]
            end = comment.span.start + match.end()
            if missing:
                yield Edit(Span(end, end), "," + ",".join(missing))
            return
    if codes:
        newline = "\r\n" if "\r\n" in text else "\n"
        start = instruction.span.start
        yield Edit(Span(start, start), f"# hadolint ignore={','.join(codes)}{newline}")
