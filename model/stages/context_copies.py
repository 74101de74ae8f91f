"""What a COPY brings from the build context, where to, and whether two of them meet."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from fnmatch import fnmatchcase

from phasewise.model.dockerfile import Instruction
from phasewise.model.paths import overlap
from phasewise.model.python.installs import Install
from phasewise.model.repo import RepoView


def brings_code(view: RepoView, instruction: Instruction) -> bool:
    """Whether it copies a folder, or Python files, from the build context."""
    if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from") or instruction.heredocs:
        return False
    for word in view.dockerfile.words(instruction)[:-1]:
        path = view.context_path(view.dockerfile.expand(word.value, instruction) or word.value)
        files = [path] if path in view.paths else named_files(view, path)
        if (not files and "://" not in word.value) or any(file.endswith(".py") for file in files):
            return True
    return False


def named_files(view: RepoView, pattern: str) -> list[str]:
    """The tracked files that a name with wildcards stands for; none where it stands for a folder as well."""
    if not any(character in pattern for character in "*?["):
        return []
    depth = pattern.count("/")
    found = [path for path in view.paths if fnmatchcase("/".join(path.split("/")[: depth + 1]), pattern)]
    return [] if any(path.count("/") > depth for path in found) else found


def brings_lists(view: RepoView, copy: Instruction, pip: Sequence[Install]) -> bool:
    """Whether a folder holds nothing but lists of requirements: `COPY requirements/ requirements/`."""
    folders = [view.context_path(word.value) for word in view.dockerfile.words(copy)[:-1]]
    below = [path for path in view.paths if any(path.startswith(f"{folder}/") for folder in folders)]
    return bool(below) and all(path.endswith((".txt", ".in", ".lock")) for path in below) and bool(pip)


def target_of(view: RepoView, copy: Instruction) -> str:
    """The absolute path that a COPY writes to or below."""
    words = view.dockerfile.words(copy)
    last = view.dockerfile.expand(words[-1].value, copy) or words[-1].value
    return posixpath.normpath(posixpath.join(view.dockerfile.workdir(copy), last))


def conflict(view: RepoView, one: Instruction, other: Instruction) -> bool:
    """Whether two copies may write the same file, so that their order matters."""
    files, others = _brought(view, one), _brought(view, other)
    if files is None or others is None:
        return overlap(target_of(view, one), target_of(view, other))
    return bool(files & others)


def _brought(view: RepoView, copy: Instruction) -> frozenset[str] | None:
    """The paths in the image that a COPY writes, as far as tracked files go; None where that is not known."""
    if copy.flag("from") or copy.heredocs or copy.keyword == "ADD":
        return None
    target = target_of(view, copy)
    words = view.dockerfile.words(copy)
    found: set[str] = set()
    for word in words[:-1]:
        source = view.context_path(view.dockerfile.expand(word.value, copy) or word.value)
        if source in view.paths:
            into = words[-1].value.endswith(("/", ".")) or len(words) > 2
            found.add(posixpath.join(target, posixpath.basename(source)) if into else target)
            continue
        inside = [path for path in view.paths if source == "." or path.startswith(f"{source}/")]
        if not inside:
            return None
        found |= {
            posixpath.normpath(posixpath.join(target, posixpath.relpath(path, source))) for path in inside
        }
    return frozenset(found)


def is_absolute(view: RepoView, copy: Instruction) -> bool:
    """Whether the COPY names its target without the WORKDIR's help."""
    return view.dockerfile.words(copy)[-1].value.startswith("/")
