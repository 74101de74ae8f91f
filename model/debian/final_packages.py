"""Sorts what a final image installs whose packages are built elsewhere: tools go, the libraries behind them stay."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from phasewise.model.debian.apt import AptCommand
from phasewise.model.debian.build_tools import Sorting, lasting_installs, sort_packages
from phasewise.model.debian.conveniences import EDITORS, LIBRARIES_OF_TOOLS
from phasewise.model.debian.packages import commands_of, is_downloader, is_headers
from phasewise.model.debian.recommends import CAME_WITH_COMPILERS, CERTIFICATES
from phasewise.model.debian.tidying import without_recommended
from phasewise.model.dockerfile import Stage
from phasewise.model.repo import RepoView
from phasewise.model.stages.hidden_calls import cautious_uses, reservation
from phasewise.model.stages.runtime_use import Use, runtime_uses, shipped_code
from phasewise.model.stages.shipped_scripts import script_uses

_WHEELS_CARRY: Mapping[str, frozenset[str]] = {
    "libffi-dev": frozenset({"cffi", "cryptography"}),
    "libfreetype6-dev": frozenset({"pillow"}),
    "libfreetype-dev": frozenset({"pillow"}),
    "libhdf5-dev": frozenset({"h5py", "tables"}),
    "libjpeg-dev": frozenset({"pillow"}),
    "libjpeg62-turbo-dev": frozenset({"pillow"}),
    "libpng-dev": frozenset({"pillow"}),
    "libpq-dev": frozenset({"psycopg2-binary", "psycopg-binary", "asyncpg"}),
    "libssl-dev": frozenset({"cryptography"}),
    "libtiff-dev": frozenset({"pillow"}),
    "libwebp-dev": frozenset({"pillow"}),
    "libxml2-dev": frozenset({"lxml"}),
    "libxslt1-dev": frozenset({"lxml"}),
    "libyaml-dev": frozenset({"pyyaml"}),
    "libzmq3-dev": frozenset({"pyzmq"}),
}
"""Distributions whose binary wheels bring the library along, or need none."""
_LOADS = re.compile(r"\b(find_library|CDLL|LoadLibrary|dlopen)\(")


def sort_final_packages(view: RepoView) -> tuple[Sorting, str]:
    """The packages that the final image can do without, sorted; and why some were not looked at.

    Compilers and headers are left to the split where another stage builds on what installs them.
    """
    everything = sort_packages(view, downloaders_alone=True)
    reason = reservation(view)
    shared = bool(stages_on_top(view))
    kept = {name for name in everything.moved if reason or (shared and not is_downloader(name))}
    moved = [name for name in everything.moved if name not in kept]
    uses = cautious_uses(view, {command for name in moved for command in commands_of(name)})
    used = {name: use for name in moved if (use := _use_of(commands_of(name), uses))}
    editors = _unused_editors(view)
    moved = [*(name for name in moved if name not in used), *editors]
    commands = tuple(apt for apt in lasting_installs(view) if set(apt.names) & set(moved))
    libraries = {name: everything.libraries[name] for name in moved if name in everything.libraries}
    libraries = {name: () if _carried(view, name, libraries[name]) else libraries[name] for name in libraries}
    named = {name for apt in lasting_installs(view) for name in apt.names}
    stays = frozenset((named - set(moved)).union(*libraries.values()))
    libraries |= _lost_libraries(view, moved, commands, libraries, stays)
    return (
        replace(
            everything,
            moved=tuple(moved),
            libraries=libraries,
            used={**everything.used, **used},
            commands=commands,
            stays=stays.union(*libraries.values()),
        ),
        reason if kept else "",
    )


def stages_on_top(view: RepoView) -> list[Stage]:
    """The stages outside the target's lineage that are FROM one of it."""
    lineage = {stage.index for stage in view.dockerfile.lineage(view.stage)}
    return [s for s in view.dockerfile.stages if s.index not in lineage and s.base_stage in lineage]


def _unused_editors(view: RepoView) -> list[str]:
    named = dict.fromkeys(name for apt in lasting_installs(view) for name in apt.names if name in EDITORS)
    if not named:
        return []
    commands = {command for name in named for command in EDITORS[name]}
    uses = {**cautious_uses(view, commands), **script_uses(view, commands), **runtime_uses(view, commands)}
    return [name for name in named if not _use_of(EDITORS[name], uses)]


def _use_of(commands: Collection[str], uses: Mapping[str, Use]) -> Use | None:
    return next((uses[command] for command in commands if command in uses), None)


def _carried(view: RepoView, package: str, libraries: Collection[str]) -> bool:
    """Whether the measured image shows that nothing loads the libraries behind headers, but a wheel with its own."""
    if view.census is None or package not in _WHEELS_CARRY or view.census.note:
        return False
    carriers = {distribution.name for distribution in view.census.distributions} & _WHEELS_CARRY[package]
    loaded = set(libraries) & view.census.library_packages.keys()
    by_name = any(_LOADS.search(view.files.get(path, "")) for path in shipped_code(view))
    return bool(carriers) and not loaded and not by_name


def _lost_libraries(
    view: RepoView,
    moved: Collection[str],
    commands: Collection[AptCommand],
    libraries: Mapping[str, tuple[str, ...]],
    stays: Collection[str],
) -> dict[str, tuple[str, ...]]:
    """What came along with the tools and is needed without them, by the first of the tools in each install.

    Certificates, where the base image has none; and the libraries that the measured image loads.
    """
    loaded = set(view.census.library_packages) if view.census else set()
    needed = (loaded & (LIBRARIES_OF_TOOLS | CAME_WITH_COMPILERS)) - set(stays)
    image = view.dockerfile.base_image(view.stage, as_written=True).partition(":")[0]
    official = image.rpartition("/")[2] == "python"
    found: dict[str, tuple[str, ...]] = {}
    for apt in commands:
        gone = [name for name in apt.names if name in moved]
        lost = set(needed) if any(name in EDITORS or not is_headers(name) for name in gone) else set()
        recommended = not without_recommended(apt) and any(is_downloader(name) for name in gone)
        if recommended and not official and CERTIFICATES not in stays:
            lost.add(CERTIFICATES)
        if lost and gone:
            found[gone[0]] = (*libraries.get(gone[0], ()), *sorted(lost))
            needed -= lost
    return found
