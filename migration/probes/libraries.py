"""Finds shared libraries as the dynamic loader does (ld.so(8)), without running anything."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from phasewise.migration.probes.elf import Elf

_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_MULTIARCH = {"armv7l": "arm-linux-gnueabihf", "ppc64le": "powerpc64le-linux-gnu", "i686": "i386-linux-gnu"}
_HEADER_BYTES, _ENTRY = 48, struct.Struct("<iIIIQ")


class Loader:
    """The directories and the cache of one file system, `/` or an image bound somewhere else."""

    def __init__(self, root: str = "/", library_path: str = "") -> None:
        self._root = root.rstrip("/")
        self._library_path = [path for path in library_path.split(":") if path]
        self._cache = read_cache(self._root + "/etc/ld.so.cache")
        self._present: dict[str, bool] = {}

    def missing(self, elf: Elf, path: str) -> list[str]:
        """The names that `elf` needs and that the loader would not find; `path` is its place in the image."""
        return [name for name in elf.needed if not self.find(name, elf, path)]

    def find(self, name: str, elf: Elf, path: str) -> str | None:
        """Where the library `name` that `elf` needs lies; None when nowhere."""
        if "/" in name:
            return name if self._exists(name) else None
        for directory in self._directories(elf, path):
            candidate = os.path.normpath(directory + "/" + name)
            if self._exists(candidate):
                return candidate
        cached = self._cache.get(name)
        if cached and self._exists(cached):
            return cached
        for directory in _default_directories():
            if self._exists(directory + "/" + name):
                return directory + "/" + name
        return None

    def _directories(self, elf: Elf, path: str) -> Iterator[str]:
        """RPATH (unless there is a RUNPATH), LD_LIBRARY_PATH, RUNPATH, in the loader's order."""
        origin = os.path.dirname(path)
        yield from (_expanded(entry, origin) for entry in ([] if elf.runpath else elf.rpath))
        yield from self._library_path
        yield from (_expanded(entry, origin) for entry in elf.runpath)

    def _exists(self, path: str) -> bool:
        if path not in self._present:
            self._present[path] = os.path.exists(resolve(self._root, path))
        return self._present[path]


def resolve(root: str, path: str) -> str:
    """Where `path` of the file system bound at `root` lies, its links followed inside of `root`."""
    if not root:
        return path
    resolved, waiting, links = "", [part for part in path.split("/") if part not in ("", ".")], 0
    while waiting:
        part = waiting.pop(0)
        if part == "..":
            resolved = os.path.dirname(resolved).rstrip("/")
            continue
        step = resolved + "/" + part
        if links < 40 and os.path.islink(root + step):
            links += 1
            link = os.readlink(root + step)
            resolved = "" if link.startswith("/") else resolved
            waiting = [part for part in link.split("/") if part not in ("", ".")] + waiting
        else:
            resolved = step
    return root + resolved


def _expanded(entry: str, origin: str) -> str:
    return entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) or origin


def _default_directories() -> Iterator[str]:
    for directory in ("/lib", "/usr/lib"):
        yield f"{directory}/{_MULTIARCH.get(os.uname().machine, os.uname().machine + '-linux-gnu')}"
        yield directory + "64"
        yield directory


def read_cache(path: str) -> dict[str, str]:
    """Library paths by name from ld.so.cache; empty without one (musl, distroless)."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return {}
    start = data.find(_CACHE_MAGIC)
    if start < 0:
        return {}
    count = struct.unpack_from("<I", data, start + len(_CACHE_MAGIC))[0]
    found: dict[str, str] = {}
    for index in range(count):
        offset = start + _HEADER_BYTES + index * _ENTRY.size
        if offset + _ENTRY.size > len(data):
            break
        _flags, key, value, _version, _hardware = _ENTRY.unpack_from(data, offset)
        found.setdefault(_text(data, start + key), _text(data, start + value))
    return found


def _text(data: bytes, offset: int) -> str:
    return os.fsdecode(data[offset : data.find(b"\0", offset)])
