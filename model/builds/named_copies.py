"""`COPY . .` as a COPY for each file and folder that the build context has at its root."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phasewise.model.builds.dockerignore import is_ignored
from phasewise.model.builds.needless import Context
from phasewise.model.dockerfile import Instruction
from phasewise.model.phase import FileEdit
from phasewise.model.text import Edit, apply_edits

_PLAIN = re.compile(r"[\w@+][\w.@+-]*|\.[\w@+-][\w.@+-]*")


def can_be_named(context: Context) -> bool:
    """Whether every COPY of all can be written as COPYs of plain names: a link at the root would become its target."""
    roots = {name.split("/")[0] for name in context.files}
    linked = {
        name for name, path in context.files.items() if "/" not in name and path not in context.view.paths
    }
    copies = all(each.instruction.keyword == "COPY" and each.path == "." for each in context.whole)
    single = all(len(context.view.dockerfile.words(each.instruction)) == 2 for each in context.whole)
    return copies and single and bool(roots) and not linked and all(map(_PLAIN.fullmatch, roots))


def copies_named(context: Context, ignored: str) -> FileEdit:
    """The Dockerfile with what the text `ignored` of its ignore file lets in, by name."""
    dockerfile = context.view.dockerfile
    edits = [
        Edit(each.instruction.span, "\n".join(_named(context, each.instruction, ignored)))
        for each in context.whole
    ]
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    after = apply_edits(
        dockerfile.text, [Edit(edit.span, edit.replacement.replace("\n", newline)) for edit in edits]
    )
    return FileEdit(dockerfile.path, dockerfile.text, after)


def _named(context: Context, copy: Instruction, ignored: str) -> Iterator[str]:
    """One COPY for the files at the root and one for each folder, with the flags of `copy`."""
    text = context.view.dockerfile.text
    flags = "".join(f"{flag.span.of(text)} " for flag in copy.flags)
    target = context.view.dockerfile.words(copy)[-1].span.of(text).rstrip("/") or "/"
    target = f"{target.rstrip('/')}/"
    packaged = any(name.endswith("pyproject.toml") for name in context.files)
    unread = {".dockerignore", ".gitattributes", *(() if packaged else (".gitignore",))}
    coming = [name for name in context.files if not is_ignored(ignored, name) and name not in unread]
    single = [name for name in coming if "/" not in name]
    if single:
        yield f"COPY {flags}{' '.join(single)} {target}"
    for folder in dict.fromkeys(name.split("/")[0] for name in coming if "/" in name):
        yield f"COPY {flags}{folder} {target}{folder}"
