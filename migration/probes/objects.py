"""Looks at every ELF file of an image: would the dynamic loader take it and find what it needs? Prints JSON."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from typing import Any

from phasewise.migration.probes.census import Census, distributions
from phasewise.migration.probes.libraries import Loader

_SHOWN = 200
_SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/")
_INTERPRETER = re.compile(r"/lib-dynload/|/bin/python[\d.]*$|/lib/libpython3[^/]*$")


def main(root: str = "/") -> None:
    """Prints the findings by group: a distribution's name, `python`, `system`, or `app` for the rest."""
    census = Census(root)
    census.walk()
    _, owners = distributions(census)
    loader = Loader(root, os.environ.get("LD_LIBRARY_PATH", ""))
    groups: dict[str, Any] = defaultdict(lambda: {"files": 0, "refused": [], "missing": []})
    for path, elf in sorted(census.elves):
        group = groups[owners.get(path) or _group(path)]
        group["files"] += 1
        if elf.misaligned or elf.truncated:
            group["refused"].append(path)
        group["missing"] += [[name, path] for name in loader.missing(elf, path)]
    for group in groups.values():
        group["refused"], group["missing"] = group["refused"][:_SHOWN], group["missing"][:_SHOWN]
    print(json.dumps(groups))


def _group(path: str) -> str:
    if _INTERPRETER.search(path):
        return "python"
    in_site = "/site-packages/" in path or "/dist-packages/" in path
    return "system" if path.startswith(_SYSTEM) and not in_site else "app"
