"""Which packages of a lock file come as a wheel for one platform only, told from the file names in it."""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from msgspec import Struct
from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

_LOCAL = frozenset({"editable", "virtual", "directory"})


class Platform(Struct, frozen=True):
    """A machine and its Python, for wheels and markers."""

    machine: str
    """`aarch64`, as in the file names of wheels."""
    python: tuple[int, int] | None
    """None when it is not known: then a wheel for any Python will do."""
    libc: str = "manylinux"
    """What the platform tags begin with; `musllinux` on Alpine."""

    def takes(self, tags: Iterable[Tag]) -> bool:
        """Whether a wheel with one of these tags can be installed."""
        return any(self._is_mine(tag.platform) and self._runs(tag) for tag in tags)

    def _is_mine(self, platform: str) -> bool:
        return platform == "any" or (
            platform.startswith((self.libc, "linux_")) and platform.endswith(f"_{self.machine}")
        )

    def _runs(self, tag: Tag) -> bool:
        if self.python is None or tag.interpreter.startswith("py"):
            return True
        if not tag.interpreter.startswith("cp"):
            return False
        digits = tag.interpreter[2:]
        made_for = (int(digits[0]), int(digits[1:] or 0))
        return made_for == self.python or (tag.abi == "abi3" and made_for <= self.python)

    @property
    def environment(self) -> dict[str, str]:
        """What environment markers are compared with."""
        version = ".".join(map(str, self.python or (3, 12)))
        return {
            "extra": "",
            "implementation_name": "cpython",
            "implementation_version": f"{version}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{version}.0",
            "python_version": version,
            "sys_platform": "linux",
        }


class Unbuilt(Struct, frozen=True):
    """A locked package that has a wheel for one platform and none for the other."""

    name: str
    version: str
    has_source: bool
    """Whether it can be built from source there."""


def only_on(lock: str, here: Platform, there: Platform) -> tuple[Unbuilt, ...]:
    """The packages of a uv.lock or poetry.lock with a wheel for `here` and none for `there`, in their order.

    Only what is installed on `there`: dependencies whose markers exclude it, and those for development, are
    left out. Empty for a text that is no such lock.
    """
    try:
        tables = tomllib.loads(lock)
    except tomllib.TOMLDecodeError:
        return ()
    packages = [each for each in tables.get("package", []) if isinstance(each, dict)]
    is_uv = any(
        "source" in each and isinstance(each["source"], dict) and _is_local(each) for each in packages
    )
    installed = _of_uv(packages, there) if is_uv else _of_poetry(packages, there)
    return tuple(found for each in installed if (found := _unbuilt(each, here, there)))


def _unbuilt(package: Mapping[str, Any], here: Platform, there: Platform) -> Unbuilt | None:
    names = [posixpath.basename(unquote(each.get("url", ""))) for each in package.get("wheels", [])]
    names += [each.get("file", "") for each in package.get("files", [])]
    wheels = [tags for name in names if name.endswith(".whl") and (tags := _tags(name))]
    if not any(map(here.takes, wheels)) or any(map(there.takes, wheels)):
        return None
    has_source = "sdist" in package or any(name.endswith((".tar.gz", ".zip")) for name in names)
    return Unbuilt(package["name"], package.get("version", ""), has_source)


def _tags(name: str) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(name)[3]
    except (InvalidWheelFilename, ValueError):
        return frozenset()


def _of_uv(packages: list[dict[str, Any]], there: Platform) -> Iterator[dict[str, Any]]:
    """What the project and its extras need."""
    known: dict[str, list[dict[str, Any]]] = {}
    for each in packages:
        known.setdefault(each["name"], []).append(each)
    todo = [(each, extra) for each in packages if _is_local(each) for extra in ("", *_extras(each))]
    seen: set[tuple[int, str]] = set()
    while todo:
        package, extra = todo.pop()
        if (id(package), extra) in seen:
            continue
        seen.add((id(package), extra))
        wanted = _extras(package).get(extra, []) if extra else package.get("dependencies", [])
        for need in (need for need in wanted if _holds(need.get("marker"), there)):
            for found in known.get(need["name"], []):
                if need.get("version", found.get("version")) == found.get("version"):
                    todo += [(found, one) for one in ("", *need.get("extra", []))]
    reached = {number for number, _ in seen}
    return (each for each in packages if id(each) in reached)


def _of_poetry(packages: list[dict[str, Any]], there: Platform) -> Iterator[dict[str, Any]]:
    for each in packages:
        groups = each.get("groups", ["main"] if each.get("category", "main") == "main" else [])
        markers = each.get("markers")
        if isinstance(markers, dict):
            markers = markers.get("main")
        if "main" in groups and _holds(markers, there):
            yield each


def _is_local(package: Mapping[str, Any]) -> bool:
    source = package.get("source")
    return isinstance(source, dict) and bool(_LOCAL.intersection(source))


def _extras(package: Mapping[str, Any]) -> Mapping[str, list[dict[str, Any]]]:
    found: Mapping[str, list[dict[str, Any]]] = package.get("optional-dependencies", {})
    return found


def _holds(marker: object, there: Platform) -> bool:
    """Whether a marker lets a dependency in; one that cannot be read does."""
    if not isinstance(marker, str):
        return True
    try:
        return Marker(marker).evaluate(there.environment)
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return True
