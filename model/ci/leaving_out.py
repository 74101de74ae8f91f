"""Which requirements a CI image can do without, what speaks against it, and what else goes with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

from msgspec import Struct

from phasewise.model.ci.heavy import FRAMEWORKS, NUMERIC, Packages, is_framework
from phasewise.model.python.imports import Use


class Candidate(Struct, frozen=True):
    """One heavy requirement."""

    name: str
    version: str
    """As installed; empty without a census."""
    size_bytes: int | None
    """Its own and of what it alone brings; None without a census."""
    always: Use | None
    """Where it, or something that it alone brings, is imported whenever the application or a test starts."""
    sometimes: Use | None
    """Where it is imported inside a function, under an `if`, or in a `try` that catches ImportError."""
    needed_by: str
    """A requirement that stays and needs it, so that it would be installed all the same; else empty."""

    @property
    def label(self) -> str:
        """The package and why it may go, or may not."""
        title = f"{self.name} {self.version}".strip()
        if self.always:
            return f"{title}: imported by {self.always.path}:{self.always.line} whenever that starts"
        if self.needed_by:
            return f"{title}: installed all the same, {self.needed_by} needs it"
        if self.sometimes:
            return f"{title}: imported only when needed, {self.sometimes.path}:{self.sometimes.line}"
        return f"{title}: not imported by name"


class Requirements(Struct, frozen=True, dict=True):
    """What production asks for, what of it is imported how, and what the baseline's image holds."""

    names: tuple[str, ...]
    """Normalised, in the order of the files."""
    always: Mapping[str, Use]
    """The modules that are imported whenever the application or a test starts."""
    sometimes: Mapping[str, Use]
    """The modules that are imported anywhere."""
    packages: Packages

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The names without those that only stand there because another one needs them (`pip-compile`)."""
        return tuple(name for name in self.names if not self._follows(name))

    @property
    def is_measured(self) -> bool:
        """Whether sizes are known."""
        return self.packages.sizes is not None

    def candidates(self, picked: Collection[str] | None = None) -> tuple[Candidate, ...]:
        """The heavy requirements, frameworks first, then by size; `needed_by` counts what is not `picked`."""
        leave = self.default() if picked is None else frozenset(picked)
        order = {
            name: index for index, name in enumerate(FRAMEWORKS if self.is_measured else FRAMEWORKS + NUMERIC)
        }
        found = [self._candidate(name, leave) for name in self._heavy]
        return tuple(
            sorted(found, key=lambda each: (order.get(each.name, len(order)), -(each.size_bytes or 0)))
        )

    def default(self) -> frozenset[str]:
        """The heavy requirements that the application starts without.

        A framework may go when nothing imports it at the start; anything else only when the application
        imports it somewhere, later: what it never names may be loaded by another package.
        """
        picked = {
            name
            for name in self._heavy
            if not self._always(name) and (is_framework(name) or self._use(self.sometimes, name))
        }
        while True:
            stay = self.packages.reached(self._kept(picked))
            broken = {name for name in self.gone(picked) if self._use(self.always, name)}
            wrong = {name for name in picked if name in stay or self.packages.reached([name]) & broken}
            if not wrong:
                return frozenset(picked)
            picked -= wrong

    def dropped(self, picked: Collection[str]) -> tuple[str, ...]:
        """The names that the CI list leaves out: `picked`, unless something needs them, and what follows."""
        gone = self.gone(picked)
        return tuple(name for name in self.names if name in gone)

    def gone(self, picked: Collection[str]) -> frozenset[str]:
        """Every package, asked for or not, that is not installed without `picked`."""
        return self.packages.gone(self._kept(picked), picked)

    def modules(self, picked: Collection[str]) -> tuple[str, ...]:
        """What can not be imported without `picked`, sorted; not what `always` has, if that was picked."""
        gone = self.gone(picked)
        modules = self.packages.modules
        lost = {module for name in gone for module in modules[name]}
        rest = {module for name, provided in modules.items() if name not in gone for module in provided}
        return tuple(sorted(lost - rest - set(self.always)))

    def _kept(self, picked: Collection[str]) -> frozenset[str]:
        return self._others.union(self.roots).difference(picked)

    @cached_property
    def _others(self) -> frozenset[str]:
        """What is installed though no requirement asks for it by name: through extras, or by other commands."""
        return frozenset(self.packages.needs) - self.packages.reached(self.names)

    @cached_property
    def _heavy(self) -> tuple[str, ...]:
        heavy = {name for name in self._installed if is_framework(name)}
        if not self.is_measured:
            heavy.update(name for name in self._installed if name in NUMERIC)
        for name in sorted(self._installed, key=self._own_bytes, reverse=True) if self.is_measured else ():
            gone = frozenset().union(*map(self._own, heavy))
            if name not in heavy and self.packages.is_heavy(self._own(name), gone):
                heavy.add(name)
        return tuple(name for name in self._installed if name in heavy)

    @cached_property
    def _installed(self) -> tuple[str, ...]:
        return tuple(name for name in self.roots if name in self.packages.needs)

    def _own_bytes(self, name: str) -> int:
        return self.packages.size(self._own(name)) or 0

    def _own(self, name: str) -> frozenset[str]:
        return self.packages.exclusive(name, self.roots)

    def _candidate(self, name: str, leave: frozenset[str]) -> Candidate:
        kept = sorted(self._kept(leave | {name}))
        return Candidate(
            name=name,
            version=self.packages.versions.get(name, ""),
            size_bytes=self.packages.size(self._own(name)),
            always=self._always(name),
            sometimes=self._use(self.sometimes, name),
            needed_by=next((root for root in kept if name in self.packages.reached([root])), ""),
        )

    def _always(self, name: str) -> Use | None:
        names = (name, *sorted(self._own(name)))
        return next((use for each in names if (use := self._use(self.always, each))), None)

    def _follows(self, name: str) -> bool:
        if self._use(self.sometimes, name) or self._use(self.always, name):
            return False
        needing = {other for other, needs in self.packages.needs.items() if name in needs}
        return self.is_measured and bool(needing.intersection(self.names) - {name})

    def _use(self, uses: Mapping[str, Use], name: str) -> Use | None:
        return next((uses[module] for module in self.packages.modules[name] if module in uses), None)
