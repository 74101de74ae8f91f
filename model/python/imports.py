"""Which packages an application imports: always, when it starts, or only when it needs them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from phasewise.model.ci.check_requirements_ci import Read, imports


class Use(Struct, frozen=True):
    """One place that imports a module."""

    path: str
    line: int
    """1-based."""
    module: str
    """As imported: `torch.nn`."""


def at_start(starts: Iterable[str], paths: Collection[str], read: Read) -> dict[str, Use]:
    """The first place that imports each top-level module when `starts` are imported, uncaught.

    Follows the imports of the repository's own modules. An import inside a function, under an `if` or in
    a `try` that catches ImportError does not count.
    """
    found: dict[str, Use] = {}
    for path, line, module in imports(starts, paths, read):
        found.setdefault(module.partition(".")[0], Use(path, line, module))
    return found


def anywhere(modules: Collection[str], paths: Iterable[str], read: Read) -> dict[str, Use]:
    """The first place in `paths`, in order, that imports each of the top-level `modules`, guarded or not."""
    found: dict[str, Use] = {}
    for path in sorted(paths):
        text = read(path) if path.endswith(".py") else ""
        for line, module in _all_imports(text) if any(name in text for name in modules) else ():
            top = module.partition(".")[0]
            if top in modules:
                found.setdefault(top, Use(path, line, module))
    return found


def imported_by_code(code: str) -> frozenset[str]:
    """The top-level modules that a piece of Python imports; none when it does not parse."""
    return frozenset(module.partition(".")[0] for _, module in _all_imports(code))


@lru_cache(maxsize=4096)
def _all_imports(text: str) -> tuple[tuple[int, str], ...]:
    return tuple(_walk(text))


def _walk(text: str) -> Iterator[tuple[int, str]]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
