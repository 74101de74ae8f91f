"""What the rule for CI variants needs to know of a repository, and the choice that it leaves to the user."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.ci import variant as ci_variant
from phasewise.model.ci.heavy import Packages
from phasewise.model.ci.leaving_out import Requirements
from phasewise.model.ci.variant import NoVariant, Production
from phasewise.model.phase import Choice, Option
from phasewise.model.python.entry_points import application_starts, suites_of
from phasewise.model.python.imports import anywhere, at_start
from phasewise.model.repo import Purpose, RepoView

CHOICE = "leave_out"


class Situation(Struct, frozen=True):
    """One target with its requirements, its imports and who builds it."""

    view: RepoView
    production: Production
    requirements: Requirements
    starts: tuple[str, ...]
    """The files and folders whose imports must work in the CI image."""

    @classmethod
    def of(cls, view: RepoView) -> Situation:
        """The situation of the view's target.

        Raises:
            NoVariant: a CI variant is of no use or exists already; the message says which.
            RequirementsError: its requirements cannot be read.
        """
        dockerfile = view.target.dockerfile
        if ci_variant.is_variant(dockerfile):
            raise NoVariant("it is a CI variant itself")
        production = ci_variant.production_of(view)
        builds = view.builds_of(dockerfile)
        consumers = {each.purpose for each in builds}.intersection(ci_variant.CONSUMERS)
        starts = (*application_starts(view), *(suites_of(view) if Purpose.TEST in consumers else ()))
        read = view.files.__getitem__
        always = at_start(starts, view.paths, read)
        variant = ci_variant.variant_path(dockerfile)
        if variant in view.paths:
            drifted = ci_variant.drift(view, variant, production, always)
            kind = ci_variant.Drifted if drifted else NoVariant
            raise kind("; ".join((f"{variant} exists already", *drifted)))
        if not consumers:
            others = ", ".join(f"{each.path}:{each.line} ({each.purpose.value})" for each in builds)
            reason = "no workflow or compose service builds it for tests or scans"
            raise NoVariant(f"{reason}, only {others}" if others else reason)
        names = tuple(each.name for each in production.requirements)
        packages = Packages.of(names, view.census)
        modules = {module for name in names for module in packages.modules[name]}
        sometimes = anywhere(modules, _python_of(view), read)
        return cls(view, production, Requirements(names, always, sometimes, packages), starts)

    def picked(self, wished: frozenset[str]) -> frozenset[str]:
        """What is left out: the user's wish where it leads to something, else what the application starts without.

        Raises:
            NoVariant: nothing is heavy, or nothing of it can go.
        """
        candidates = self.requirements.candidates()
        if not candidates and not self.requirements.is_measured:
            raise NoVariant(
                "none of its requirements is known to be heavy; build the baseline to know their sizes"
            )
        if not candidates:
            raise NoVariant(
                "none of its requirements is heavy: at least 10 MB and 5 % of the installed packages"
            )
        chosen = wished.intersection(each.name for each in candidates)
        if self.requirements.dropped(chosen):
            return chosen
        default = self.requirements.default()
        if not default:
            raise NoVariant(
                "its heavy requirements cannot go: " + "; ".join(each.label for each in candidates)
            )
        return default

    def choice(self, picked: frozenset[str]) -> Choice:
        """The heavy packages with their measured sizes."""
        candidates = self.requirements.candidates(picked)
        options = tuple(Option(each.name, each.label, each.size_bytes) for each in candidates)
        return Choice(CHOICE, "Leave out of the CI image", options, picked, multiple=True)

    def modules(self, picked: frozenset[str]) -> tuple[str, ...]:
        """What the CI image cannot import, without the repository's own modules."""
        folder = "" if self.view.target.context == "." else f"{self.view.target.context}/"
        own = {
            path.removeprefix(folder).partition("/")[0] for path in self.view.paths if path.startswith(folder)
        }
        return tuple(m for m in self.requirements.modules(picked) if not own.intersection((m, f"{m}.py")))

    def saved_bytes(self, picked: frozenset[str]) -> int | None:
        """What the CI image is smaller by; None without a census."""
        return self.requirements.packages.size(self.requirements.gone(picked))


def _python_of(view: RepoView) -> list[str]:
    folder = "" if view.target.context == "." else f"{view.target.context}/"
    return [path for path in view.paths if path.startswith(folder) and path.endswith(".py")]
