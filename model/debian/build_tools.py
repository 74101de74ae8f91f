"""Sorts the packages that a final image inherits: what only a build needs, and what stays, with the reason."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from msgspec import Struct

from phasewise.model.debian.apt import AptCommand, apt_commands, installed_and_gone
from phasewise.model.debian.packages import (
    commands_of,
    is_build_tool,
    is_downloader,
    is_headers,
    release_of,
    runtime_libraries,
)
from phasewise.model.dockerfile import Instruction
from phasewise.model.python.callers import calling
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.runtime_use import Use, runtime_uses, unversioned_loads
from phasewise.model.stages.shipped_scripts import scheduler, script_uses

_COMPILER_LIBRARY: Mapping[str, tuple[str, ...]] = {"gfortran": ("libgfortran5",)}
_OPENMP = ("lightgbm", "lightfm", "--no-binary")
"""What is linked against the libgomp1 that comes with gcc, and brings none along."""

_WHEELS_CARRY = {
    "libpq-dev": (
        re.compile(r"\bpsycopg2-binary\b|\bpsycopg-binary\b|\bpsycopg\[[^\]]*binary"),
        re.compile(
            r"\bpsycopg2(?!-binary)\b|\bpsycopg(?!2)(?!-binary)(?!\[[^\]]*binary)\b|\bpsycopg-c\b|\bpq\b"
        ),
    ),
}
"""Headers whose library some wheels bring along: what names such a wheel, and what needs the library itself."""


_REQUIREMENTS = re.compile(
    r"(^|/)(requirements[^/]*\.(txt|in)|constraints[^/]*\.txt|pyproject\.toml|setup\.(py|cfg)|[^/]*\.lock|Pipfile)$"
    r"|(^|/)requirements/[^/]+$"
)


class Sorting(Struct, frozen=True):
    """Where each package goes that the lineage of the final image installs."""

    moved: tuple[str, ...]
    """Build tools, headers and downloaders that nothing needs at run time, in the order of the text."""
    libraries: Mapping[str, tuple[str, ...]]
    """What comes in place of each of the moved headers."""
    used: Mapping[str, Use]
    """Tools that stay, with the place that calls them at run time."""
    unsure: tuple[str, ...]
    """Headers that stay, because which library they stand for is not known."""
    commands: tuple[AptCommand, ...]
    """The installs that name any of the moved packages."""
    stays: frozenset[str]
    """Everything else that is asked for by name, libraries in place of headers included."""

    @property
    def worthwhile(self) -> bool:
        """Whether more than downloaders would leave."""
        return any(not is_downloader(package) for package in self.moved)

    @property
    def lost_commands(self) -> frozenset[str]:
        """The commands that the final image has no longer."""
        return frozenset(command for package in self.moved for command in commands_of(package))

    def clean(self, package: str) -> tuple[str, ...]:
        """What the final image installs in place of `package`."""
        return self.libraries.get(package, ()) if package in self.moved else (package,)

    def tools(self, package: str) -> tuple[str, ...]:
        """What the builder installs of it."""
        return (package,) if package in self.moved else ()


def sort_packages(
    view: RepoView, leaving: Collection[Instruction] = (), *, downloaders_alone: bool = False
) -> Sorting:
    """The packages of the target's lineage, sorted; `leaving` are RUNs that will not be in it any more.

    Where nothing among them is a build tool or headers, all stay, and no file is looked into; unless
    `downloaders_alone` asks for that.
    """
    installs = lasting_installs(view)
    names = tuple(dict.fromkeys(name for apt in installs for name in apt.names))
    looked_for = (is_build_tool, is_headers, *((is_downloader,) if downloaders_alone else ()))
    if not any(is_kind(name) for name in names for is_kind in looked_for):
        return Sorting((), {}, {}, (), (), frozenset(names))
    tools = [name for name in names if is_build_tool(name) or is_downloader(name)]
    headers = [name for name in names if is_headers(name)]
    commands = {command for name in tools for command in commands_of(name)}
    uses = {**script_uses(view, commands), **runtime_uses(view, commands, leaving)}
    used = {name: use for name in tools for use in [_use_of(name, uses)] if use}
    if line := scheduler(view) if any(map(is_downloader, tools)) else None:
        jobs = {name: Use(name, view.dockerfile.path, line) for name in tools if is_downloader(name)}
        used = {**jobs, **used}
    requirements = _requirements(view)
    for name in tools:
        if name not in used and (place := _needed_by_package(name, requirements)):
            used[name] = Use(name, place[0], place[1])
    loads = unversioned_loads(view) if headers else {}
    for name in headers:
        if use := next((use for stem, use in loads.items() if stem in name), None):
            used[name] = use
    text = "\n".join(line for _, _, line in requirements)
    libraries = {name: found for name in headers if (found := _libraries(view, name, text)) is not None}
    libraries |= _compiler_libraries([name for name in tools if name not in used], text)
    moved = tuple(
        name
        for name in names
        if name not in used and (name in libraries if name in headers else name in tools)
    )
    staying = {name for name in names if name not in moved}
    return Sorting(
        moved=moved,
        libraries={name: libraries[name] for name in moved if name in libraries},
        used=used,
        unsure=tuple(name for name in headers if name not in libraries),
        commands=tuple(apt for apt in installs if set(apt.names) & set(moved)),
        stays=frozenset(staying.union(*(libraries.get(name, ()) for name in moved))),
    )


def tool_commands(view: RepoView) -> frozenset[str]:
    """The commands of all build tools and downloaders that the target's lineage installs."""
    return frozenset(
        command
        for apt in lasting_installs(view)
        for name in apt.names
        if is_build_tool(name) or is_downloader(name)
        for command in commands_of(name)
    )


def lasting_installs(view: RepoView) -> tuple[AptCommand, ...]:
    """The installs of the lineage whose packages a layer really holds."""
    return tuple(
        apt
        for instruction in view.dockerfile.making(view.stage)
        if (script := Script.of(view.dockerfile, instruction))
        for apt in apt_commands(script, "install")
        if not installed_and_gone(script) & set(apt.names)
    )


def _use_of(package: str, uses: Mapping[str, Use]) -> Use | None:
    return next((uses[command] for command in commands_of(package) if command in uses), None)


def _needed_by_package(tool: str, requirements: Collection[tuple[str, int, str]]) -> tuple[str, int] | None:
    """Where the requirements name a package that calls the tool."""
    for package in calling(commands_of(tool)):
        named = re.compile(rf"(?<![\w.-]){re.escape(package)}(?![\w-])", re.I)
        for path, number, line in requirements:
            if named.search(line):
                return path, number
    return None


def _compiler_libraries(tools: Collection[str], requirements: str) -> dict[str, tuple[str, ...]]:
    """What came along with compilers and compiled code loads: libgfortran5, and libgomp1 where it is linked."""
    found: dict[str, tuple[str, ...]] = {
        tool: _COMPILER_LIBRARY[tool] for tool in tools if tool in _COMPILER_LIBRARY
    }
    compiler = next((tool for tool in tools if "gcc" in commands_of(tool)), None)
    if compiler and (not requirements or any(name in requirements for name in _OPENMP)):
        found[compiler] = (*found.get(compiler, ()), "libgomp1")
    return found


def _libraries(view: RepoView, package: str, requirements: str) -> tuple[str, ...] | None:
    """The libraries behind headers on the target's base image; none where only wheels with their own use them."""
    carried = _WHEELS_CARRY.get(package)
    if carried and carried[0].search(requirements) and not carried[1].search(requirements):
        return ()
    return runtime_libraries(package, _release(view))


def _release(view: RepoView) -> str | None:
    """Debian's code name; a name that no table knows where the base image is not Debian's."""
    image = view.dockerfile.base_image(view.stage, as_written=True)
    known = release_of(image, view.census.apt_packages if view.census else ())
    return known or (None if image.split(":")[0].rpartition("/")[2] in ("python", "debian") else "another")


def _requirements(view: RepoView) -> list[tuple[str, int, str]]:
    """(path, line, text) of every line that may name Python packages, comments removed."""
    return [
        (path, number, re.sub(r"(^|\s)#.*", "", line))
        for path in view.matching(_REQUIREMENTS)
        if path in view.files
        for number, line in enumerate(view.files[path].split("\n"), 1)
    ]
