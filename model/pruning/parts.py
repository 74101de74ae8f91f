"""The kinds of files in an environment that may go."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.wording import listed


class Parts(Struct, frozen=True):
    """What is taken out of one environment."""

    tests: bool
    headers: bool
    """And static libraries."""
    installers: bool
    """Those that nothing needs."""

    def __bool__(self) -> bool:
        return self.tests or self.headers or self.installers

    def named(self, *, with_headers: bool = True) -> str:
        """`tests, headers, static libraries and unneeded installers`."""
        names = ["tests"] * self.tests + ["headers"] * (self.headers and with_headers)
        names += ["static libraries"] * self.headers + ["unneeded installers"] * self.installers
        return listed(names)
