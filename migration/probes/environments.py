"""Finds installed Python distributions on a file system, without importing any of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from importlib import metadata

_SIDE_SHOWS = {"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks"}
"""Top-level folders that some projects install by mistake; nobody imports them."""

_MODULE = re.compile(r"^([A-Za-z_]\w*)(\.py|(\.[\w-]+)*\.so|\.pyd)$")
_BINARY = re.compile(r"\.so(\.\d+)*$")
_ORIGINS = {"vcs_info": "vcs", "dir_info": "folder", "archive_info": "archive"}
_NOT_READ = ("bin", "include", "man", "doc", "docs")
_DOCUMENTS = re.compile(r"share/(man|doc|info)/")
_SITE_FOLDERS = ("site-packages", "dist-packages")


def is_site_folder(path: str) -> bool:
    """Whether distributions are installed in a folder of that name."""
    return os.path.basename(path) in _SITE_FOLDERS


def normalised(name: str | None) -> str:
    """The distribution's name as in PEP 503."""
    return re.sub(r"[-_.]+", "-", name or "").lower()


def distributions_in(folder: str) -> list[metadata.Distribution]:
    """The distributions installed in one folder, in a stable order; broken metadata is left out."""
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions(path=[folder]):
        name = _name(distribution)
        if name:
            found.setdefault(normalised(name), distribution)
    return [found[name] for name in sorted(found)]


def _name(distribution: metadata.Distribution) -> str | None:
    try:
        return distribution.metadata["Name"]
    except Exception:
        return None


def recorded_files(distribution: metadata.Distribution) -> list[str] | None:
    """The paths in its RECORD, relative to the folder; None when there is no record (Debian's packages)."""
    text = distribution.read_text("RECORD")
    if text is None:
        return None
    return [_path(line) for line in text.splitlines() if line.strip()]


def _path(line: str) -> str:
    """The path of a RECORD line; it is quoted when it holds a comma."""
    if line.startswith('"'):
        return line[1:].partition('",')[0].replace('""', '"')
    return line.rsplit(",", 2)[0]


def imports_of(distribution: metadata.Distribution) -> list[str]:
    """The names to import: top-level packages and modules, or the first ones inside a namespace package."""
    files = recorded_files(distribution)
    if files is None:
        listed = distribution.read_text("top_level.txt") or ""
        return sorted(name for name in listed.split() if name.isidentifier() and name not in _SIDE_SHOWS)
    return importable(files)


def importable(files: Iterable[str]) -> list[str]:
    """The outermost packages and modules among `files`, relative to a folder on sys.path, in dotted form."""
    packages: set[tuple[str, ...]] = set()
    modules: set[tuple[str, ...]] = set()
    for path in files:
        *folders, name = path.split("/")
        match = _MODULE.match(name)
        if not match or not all(folder.isidentifier() for folder in folders):
            continue
        if folders and folders[0] in _SIDE_SHOWS:
            continue
        (packages if match[1] == "__init__" else modules).add((*folders, match[1]))
    roots = {package[:-1] for package in packages}
    outermost = {root for root in roots if root and not _lies_in(root, roots)}
    outermost |= {
        module for module in modules if not _lies_in(module, roots) and module[0] not in _SIDE_SHOWS
    }
    return sorted(".".join(name) for name in outermost)


def _lies_in(name: tuple[str, ...], packages: set[tuple[str, ...]]) -> bool:
    return any(name[:length] in packages for length in range(1, len(name)))


def data_of(site: str, files: Iterable[str]) -> list[str]:
    """The directories or files, two levels below the environment, of `files` outside `site` and its commands."""
    prefix = re.sub(r"/lib(64)?/.*$", "", site)
    found = set()
    for path in files:
        if path.startswith(prefix + "/") and not path.startswith(site + "/"):
            parts = path[len(prefix) + 1 :].split("/")
            if parts[0] not in _NOT_READ and not _DOCUMENTS.match("/".join(parts)):
                found.add("/".join([prefix, *parts[:2]]))
    return sorted(found)


def built_where(distribution: metadata.Distribution, compilers: Iterable[Sequence[str]] = ()) -> str:
    """`pure`, or `here` or `elsewhere` where it has compiled files, by the tags of its wheel; empty: not known.

    PyPI takes wheels for Linux with manylinux and musllinux tags only, so that any other one was made here; unless it
    was renamed after it was built, and its metadata kept the first tag (lightgbm 4.6.0). Then `compilers` tell, those
    that each compiled file names, on Debian: what is linked there has a part of Debian's GCC in it, and the images
    that manylinux wheels are built in have Red Hat's.
    """
    tags = re.findall(r"^Tag: *\S+-(\S+)\s*$", distribution.read_text("WHEEL") or "", re.M)
    platforms = {platform for tag in tags for platform in tag.split(".")}
    if platforms == {"any"}:
        return "" if any(map(is_library, recorded_files(distribution) or (".so",))) else "pure"
    if not platforms or "any" in platforms:
        return ""
    files = [*compilers]
    foreign = all(names and all("(Red Hat " in name for name in names) for names in files)
    tagged = all(map(re.compile("manylinux|musllinux").match, platforms))
    return "elsewhere" if tagged or (files and foreign) else "here"


def is_library(path: str) -> bool:
    """Whether a file is compiled, by its name."""
    return bool(_BINARY.search(path))


def origin_of(distribution: metadata.Distribution) -> str:
    """`vcs`, `folder` or `archive`; empty for what a package index gave."""
    try:
        url = json.loads(distribution.read_text("direct_url.json") or "{}")
        return next((name for key, name in _ORIGINS.items() if key in url), "")
    except (ValueError, TypeError):
        return ""
