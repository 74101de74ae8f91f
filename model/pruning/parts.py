"""The kinds of files in an environment that may go."""

from __future__ import annotations

from msgspec import Struct


class Parts(Struct, frozen=True):
    """What is taken out of one environment."""

    tests: bool
    headers: bool
    """And static libraries."""
    installers: bool
    """Those that nothing needs."""

    def __bool__(self) -> bool:
        return self.tests or self.headers or self.installers

    def named(self, headers: str = "headers, ") -> str:
        """`tests, headers, static libraries and unneeded installers`."""
        names = ["tests"] * self.tests + [f"{headers}static libraries"] * self.headers
        names += ["unneeded installers"] * self.installers
        return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
