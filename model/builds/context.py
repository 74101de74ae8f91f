"""Which folder is the build context of a Dockerfile that nothing in the repository builds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase

from phasewise.model.builds.places import join
from phasewise.model.dockerfile import Dockerfile

_ELSEWHERE = re.compile(r"\w+://|git@")


def guess(dockerfile: Dockerfile, paths: Collection[str]) -> str:
    """The folder that has what COPY and ADD name: the Dockerfile's own, else the nearest one above it.

    Where none has everything, the one that has most of it; where nothing is named, the Dockerfile's own.
    """
    folder = dockerfile.path.rpartition("/")[0] or "."
    candidates = list(_upwards(folder))
    wanted = list(dict.fromkeys(_sources(dockerfile)))
    known = _with_folders(paths)
    counts = [sum(_exists(candidate, source, known) for source in wanted) for candidate in candidates]
    return candidates[counts.index(max(counts))]


def _sources(dockerfile: Dockerfile) -> Iterator[str]:
    """What is copied from the context, as far as the names are known and tell one folder from another."""
    for instruction in dockerfile.instructions:
        if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from") is not None:
            continue
        for word in dockerfile.words(instruction)[:-1]:
            source = dockerfile.expand(word.value, instruction)
            if source and not source.startswith("<<") and not _ELSEWHERE.match(source):
                source = source.strip("/").removeprefix("./")
                if source not in ("", ".", "*", "..") and "$" not in source:
                    yield source


def _upwards(folder: str) -> Iterator[str]:
    while folder != ".":
        yield folder
        folder = folder.rpartition("/")[0] or "."
    yield "."


def _with_folders(paths: Collection[str]) -> frozenset[str]:
    known = set(paths)
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in known:
            known.add(folder)
            folder = folder.rpartition("/")[0]
    return frozenset(known)


def _exists(context: str, source: str, known: frozenset[str]) -> bool:
    place = join(context, source)
    if place is None:
        return False
    if not re.search(r"[*?\[]", place):
        return place in known
    depth = place.count("/")
    return any(path.count("/") == depth and fnmatchcase(path, place) for path in known)
