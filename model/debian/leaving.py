"""Which Debian packages go along when others are not installed any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from phasewise.model.census import Census
from phasewise.model.debian.conveniences import companions
from phasewise.model.debian.packages import leaves_with


def leaving(census: Census, moved: Collection[str], stays: Collection[str]) -> frozenset[str]:
    """The installed packages that nothing needs any more once `moved` are gone; `stays` are asked for by name.

    As apt's autoremove decides it, by what depends on what; a recommendation counts as a need. Where the census does
    not know that, as far as names tell.
    """
    installed = census.apt_packages
    if not census.apt_needs:
        by_name = companions(moved) & installed.keys()
        return leaves_with(moved, installed, stays) | by_name - frozenset(stays)
    asked = installed.keys() - frozenset(census.apt_automatic)
    left = (asked - frozenset(moved)) | (installed.keys() & frozenset(stays))
    return _with_needs(census, asked | (installed.keys() & frozenset(moved))) - _with_needs(census, left)


def _with_needs(census: Census, packages: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [*packages]
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            waiting += census.apt_needs.get(package, ())
    return frozenset(found)
