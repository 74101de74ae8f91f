"""The packages of an image that stay whatever the plan does, by size."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from phasewise.model.census import Census
from phasewise.model.debian.apt import apt_commands, installed_and_gone
from phasewise.model.debian.leaving import leaving
from phasewise.model.dockerfile import Dockerfile, Stage
from phasewise.model.phase import part
from phasewise.model.python.installers import BROUGHT_ALONG
from phasewise.model.shell import Script


class Package(Struct, frozen=True):
    """A package that no phase removes, with its bytes in the baseline's image."""

    name: str
    kind: str
    """`python` or `debian`."""
    size_bytes: int
    needed_by: tuple[str, ...] = ()
    """The installed Python distributions that require it."""


def needed_packages(
    census: Census, built: tuple[Dockerfile, Stage] | None, gone: Collection[str]
) -> tuple[Package, ...]:
    """The packages of the image without the parts `gone`, the largest first."""
    debian = _debian(census, *built) if built else ()
    found = [
        package
        for package in (*_python(census), *debian)
        if package.size_bytes and part(package.kind, package.name) not in gone
    ]
    return tuple(sorted(found, key=lambda package: (-package.size_bytes, package.name)))


def _python(census: Census) -> Iterable[Package]:
    """The distributions, without those whose bytes are the base image's."""
    for each in census.distributions:
        needed_by = tuple(other.name for other in census.distributions if each.name in other.requires)
        if each.name not in BROUGHT_ALONG or needed_by:
            yield Package(each.name, "python", each.size_bytes, needed_by)


def _debian(census: Census, dockerfile: Dockerfile, stage: Stage) -> Iterable[Package]:
    """The packages that the Dockerfile names, each with those that only come along with it."""
    named: dict[str, None] = {}
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        for apt in apt_commands(script, "install") if script else ():
            named |= dict.fromkeys(name for name in apt.names if name in census.apt_packages)
        for name in installed_and_gone(script) if script else ():
            named.pop(name, None)
    counted: set[str] = set()
    for name in named:
        others = frozenset(named) - {name}
        with_it = leaving(census, (name,), others) - others - counted
        counted |= with_it
        yield Package(name, "debian", sum(census.apt_packages[each] for each in with_it))
