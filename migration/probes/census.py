"""Walks a file system once and prints what is in it, as JSON: by directory, by distribution, by package."""

from __future__ import annotations

import json
import os
import platform
import re
import stat
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from phasewise.migration.probes.elf import Elf, may_be_elf, read_elf
from phasewise.migration.probes.environments import (
    built_where,
    data_of,
    distributions_in,
    imports_of,
    is_library,
    is_site_folder,
    normalised,
    origin_of,
    recorded_files,
)
from phasewise.migration.probes.libraries import Loader, resolve

_NOT_OF_THE_IMAGE = ("/proc", "/sys", "/dev")
_HEADERS = (
    ".h",
    ".hh",
    ".hpp",
    ".hxx",
    ".cuh",
    ".c",
    ".cc",
    ".cpp",
    ".cxx",
    ".cu",
    ".f",
    ".f90",
    ".pyx",
    ".pxd",
)
_KINDS = (
    "bytecode",
    "legacy_bytecode",
    "test",
    "test_bytecode",
    "test_legacy_bytecode",
    "header",
    "static_library",
    "strippable",
)
_MISALIGNED_SHOWN = 50


class Folder:
    """One folder of the walk, with what its files inherit from the folders above."""

    def __init__(
        self, path: str, prefix: str, in_site: bool = False, in_tests: bool = False, in_libs: bool = False
    ) -> None:
        self.path, self.prefix = path, prefix
        self.in_site, self.in_tests, self.in_libs = in_site, in_tests, in_libs

    def child(self, name: str) -> Folder:
        """The folder `name` inside of this one."""
        path = self.path.rstrip("/") + "/" + name
        starts_site = not self.in_site and name in ("site-packages", "dist-packages")
        in_site = self.in_site or starts_site
        return Folder(
            path,
            path if starts_site else prefix_of(path, self.prefix),
            in_site,
            self.in_tests or (self.in_site and name in ("test", "tests")),
            self.in_libs or (self.in_site and name.endswith(".libs")),
        )


def prefix_of(path: str, inherited: str) -> str:
    """The directory that stands for `path` in the tables; a virtual environment replaces it when found, and
    the folder of an environment's packages stands for itself."""
    parts = path.strip("/").split("/")
    if len(parts) == 1 or (len(parts) == 2 and (parts[0] == "opt" or parts == ["usr", "local"])):
        return path
    if parts[-1] == ".local" and parts[0] in ("home", "root"):
        return path
    return inherited


class Census:
    """The walk's results."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.file_bytes = 0
        self.kinds: dict[str, dict[str, int]] = {kind: defaultdict(int) for kind in _KINDS}
        self.sizes: dict[str, int] = {}
        self.sites: list[str] = []
        self.elves: list[tuple[str, Elf]] = []
        self._seen: set[tuple[int, int]] = set()
        self._device = os.stat(self.root or "/").st_dev

    def walk(self) -> None:
        """Visits every folder of this file system."""
        waiting = [Folder("/", "/")]
        while waiting:
            waiting.extend(self._visit(waiting.pop()))

    def _visit(self, folder: Folder) -> list[Folder]:
        try:
            with os.scandir(self.root + folder.path) as listing:
                entries = list(listing)
        except OSError:
            return []
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names:
            folder.prefix = folder.path
        if is_site_folder(folder.path):
            self.sites.append(folder.path)
        folders = []
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                child = folder.child(entry.name)
                if status.st_dev == self._device and child.path not in _NOT_OF_THE_IMAGE:
                    folders.append(child)
            elif stat.S_ISREG(status.st_mode):
                self._file(folder, entry.name, names, status)
        return folders

    def _file(self, folder: Folder, name: str, names: set[str], status: os.stat_result) -> None:
        if status.st_nlink > 1:
            if (status.st_dev, status.st_ino) in self._seen:
                return
            self._seen.add((status.st_dev, status.st_ino))
        path = folder.path.rstrip("/") + "/" + name
        self.file_bytes += status.st_size
        self.sizes[path] = status.st_size
        for kind in self._kinds_of(folder, name, names):
            self.kinds[kind][folder.prefix] += status.st_size
        if may_be_elf(name, status.st_mode) and status.st_size > 64:
            elf = read_elf(self.root + path)
            if elf:
                self.elves.append((path, elf))
                if elf.strippable_bytes and not folder.in_libs:
                    self.kinds["strippable"][folder.prefix] += elf.strippable_bytes

    @staticmethod
    def _kinds_of(folder: Folder, name: str, names: set[str]) -> Iterator[str]:
        kind = ""
        if name.endswith(".pyc"):
            cached = folder.path.endswith("/__pycache__")
            kind = "bytecode" if cached else "legacy_bytecode" if name[:-1] in names else ""
        if folder.in_tests:
            yield f"test_{kind}" if kind else "test"
        if kind:
            yield kind
        elif name.endswith(".a"):
            yield "static_library"
        elif name.endswith(_HEADERS):
            yield "header"


def distributions(census: Census) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every installed distribution, and which distribution owns which file."""
    found = []
    owners: dict[str, str] = {}
    for site in sorted(census.sites):
        for distribution in distributions_in(census.root + site):
            name = normalised(distribution.metadata["Name"])
            files = _files(census, site, distribution)
            owners.update(dict.fromkeys(files, name))
            found.append((name, site, distribution, files))
    bytecode, legacy = _bytecode_by_owner(census, owners)
    elves = dict(census.elves)
    described = [
        {
            "name": name,
            "version": distribution.version,
            "location": site,
            "size_bytes": sum(census.sizes.get(path, 0) for path in files)
            + bytecode.get((name, site), 0)
            + legacy.get((name, site), 0),
            "legacy_bytecode_bytes": legacy.get((name, site), 0),
            "imports": imports_of(distribution),
            "requires": list(distribution.requires or ()),
            "data": data_of(site, files & set(census.sizes)),
            "built": built_where(distribution, _compilers(census, elves, files)),
            "origin": origin_of(distribution),
        }
        for name, site, distribution, files in found
    ]
    return described, owners


def _compilers(census: Census, elves: dict[str, Elf], files: set[str]) -> list[list[str]]:
    """What each compiled one of `files` says of its compilers; nothing on another system than Debian."""
    if not os.path.isdir(census.root + "/var/lib/dpkg"):
        return []
    compiled = (path for path in files if path in elves or is_library(path))
    return [elves[path].compilers if path in elves else [] for path in compiled]


def _files(census: Census, site: str, distribution: metadata.Distribution) -> set[str]:
    """The distribution's files as absolute paths; without a record, all that its top-level names cover."""
    recorded = recorded_files(distribution)
    if recorded is not None:
        return {os.path.normpath(site + "/" + path) for path in recorded}
    starts = tuple(f"{site}/{name}{end}" for name in imports_of(distribution) for end in ("/", ".py"))
    return {path for path in census.sizes if starts and path.startswith(starts)}


def _bytecode_by_owner(
    census: Census, owners: dict[str, str]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Bytes of bytecode that no RECORD lists (uv's, compileall's), by the owner and folder of its source: what is
    in `__pycache__`, and what lies beside the sources."""
    cached: dict[tuple[str, str], int] = defaultdict(int)
    legacy: dict[tuple[str, str], int] = defaultdict(int)
    for path, size in census.sizes.items():
        if not path.endswith(".pyc") or path in owners:
            continue
        folder, name = os.path.split(path)
        if folder.endswith("/__pycache__"):
            source, found = os.path.dirname(folder) + "/" + name.split(".")[0] + ".py", cached
        else:
            source, found = path[:-1], legacy
        if source in owners:
            found[owners[source], _site_of(path, census.sites)] += size
    return cached, legacy


def _site_of(path: str, sites: list[str]) -> str:
    return max((site for site in sites if path.startswith(site + "/")), key=len, default="")


def scripts(census: Census, owners: dict[str, str]) -> list[dict[str, str]]:
    """The Python scripts in the bin folders of the environments, with their first line."""
    folders = {os.path.normpath(re.sub(r"/lib(64)?/.*$", "/bin", site)) for site in census.sites}
    found = []
    for path in sorted(census.sizes):
        if os.path.dirname(path) in folders or (path in owners and "/bin/" in path):
            first = _first_line(census.root + path)
            if first.startswith("#!") and ("python" in first or path in owners):
                found.append(
                    {"path": path, "shebang": first[2:].strip(), "distribution": owners.get(path, "")}
                )
    return found


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.readline(512).decode("utf-8", "replace")
    except OSError:
        return ""


def apt_packages(root: str) -> dict[str, dict[str, str]]:
    """The fields of each installed Debian package, from dpkg's status."""
    folder = root + "/var/lib/dpkg/status.d"
    pieces = [root + "/var/lib/dpkg/status"]
    if os.path.isdir(folder):
        pieces += [folder + "/" + name for name in os.listdir(folder)]
    paragraphs = (paragraph for piece in pieces for paragraph in _read(piece).split("\n\n"))
    found = (dict(re.findall(r"^([A-Z][\w-]+): (.*)$", paragraph, re.M)) for paragraph in paragraphs)
    return {
        fields["Package"]: fields
        for fields in found
        if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed")
    }


def apt_bytes(
    census: Census, packages: dict[str, dict[str, str]], package_of: dict[str, str]
) -> dict[str, int]:
    """The bytes of each package's files that are there: slim images leave out manuals and translations.

    Installed-Size, which is in kibibytes, in an image without dpkg's lists of files.
    """
    found: dict[str, int] = defaultdict(int)
    for path, size in census.sizes.items():
        if path in package_of:
            found[package_of[path]] += size
    return {
        name: found[name] if package_of else int(fields.get("Installed-Size", 0)) * 1024
        for name, fields in packages.items()
    }


def apt_needs(packages: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """What is installed of that which each package depends on or recommends; of alternatives, all that is."""
    providers: dict[str, set[str]] = defaultdict(set)
    for name, fields in packages.items():
        for provided in (name, *_named(fields.get("Provides", ""))):
            providers[provided].add(name)
    found = {}
    for name, fields in packages.items():
        wanted = ", ".join(fields.get(kind, "") for kind in ("Pre-Depends", "Depends", "Recommends"))
        needed = {provider for each in _named(wanted) for provider in providers.get(each, ())} - {name}
        if needed:
            found[name] = sorted(needed)
    return found


def _named(relations: str) -> list[str]:
    """The names in `libc6 (>= 2.36), git-man:all | perl`, without versions and architectures."""
    words = (re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", part) for part in re.split(r"[,|]", relations))
    return [word[1] for word in words if word]


def apt_automatic(root: str) -> list[str]:
    """The packages that apt installed only because others needed them."""
    paragraphs = _read(root + "/var/lib/apt/extended_states").split("\n\n")
    names = (re.search(r"^Package: (.*)$", each, re.M) for each in paragraphs if "Auto-Installed: 1" in each)
    return sorted(name[1] for name in names if name)


def _read(path: str) -> str:
    """The file's text; empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def library_packages(
    census: Census, owners: dict[str, str], package_of: dict[str, str]
) -> dict[str, list[str]]:
    """Debian packages whose libraries files outside of Debian's packages need, with who needs them."""
    loader = Loader(census.root or "/")
    found: dict[str, set[str]] = defaultdict(set)
    for path, elf in census.elves:
        if path in package_of:
            continue
        for name in elf.needed:
            library = loader.find(name, elf, path)
            package = library and (package_of.get(_real(census.root, library)) or package_of.get(library))
            if package:
                found[package].add(owners.get(path) or _without_owner(path))
    return {package: sorted(needing) for package, needing in sorted(found.items())}


def _real(root: str, path: str) -> str:
    """The path inside of the image that `path` leads to."""
    return resolve(root, path)[len(root) :] if root else os.path.realpath(path)


def _without_owner(path: str) -> str:
    """The interpreter's own files as one; anything else by its path."""
    interpreter = "/lib-dynload/" in path or re.search(r"/(bin/python3[.\d]*|lib/libpython3[^/]*)$", path)
    return "python" if interpreter else path


def _package_by_file(root: str) -> dict[str, str]:
    folder = root + "/var/lib/dpkg/info"
    found = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if name.endswith(".list"):
            package = name[: -len(".list")].partition(":")[0]
            with open(folder + "/" + name, encoding="utf-8", errors="replace") as file:
                for path in file.read().splitlines():
                    found[path] = package
                    if path.startswith(("/lib", "/bin", "/sbin")):
                        found["/usr" + path] = package
    return found


def users(root: str) -> dict[str, int]:
    """uid by user name."""
    try:
        with open(root + "/etc/passwd", encoding="utf-8", errors="replace") as file:
            fields = [line.split(":") for line in file.read().splitlines()]
    except OSError:
        return {}
    return {field[0]: int(field[2]) for field in fields if len(field) > 2 and field[2].isdigit()}


def marker_environment() -> dict[str, str]:
    """The values that environment markers ask for (PEP 508)."""
    return {
        "implementation_name": sys.implementation.name,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "platform_release": platform.release(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def take(root: str) -> dict[str, Any]:
    """The census of the file system bound at `root`, as plain data."""
    census = Census(root)
    census.walk()
    described, owners = distributions(census)
    packages, package_of = apt_packages(census.root), _package_by_file(census.root)
    return {
        "file_bytes": census.file_bytes,
        **{kind: dict(by_prefix) for kind, by_prefix in census.kinds.items()},
        "distributions": described,
        "markers": marker_environment(),
        "scripts": scripts(census, owners),
        "apt_packages": apt_bytes(census, packages, package_of),
        "apt_needs": apt_needs(packages),
        "apt_automatic": apt_automatic(census.root),
        "library_packages": library_packages(census, owners, package_of),
        "users": users(census.root),
        "misaligned": [path for path, elf in census.elves if elf.misaligned][:_MISALIGNED_SHOWN],
    }


def main(root: str = "/") -> None:
    """Prints the census."""
    print(json.dumps(take(root)))
