"""Whether everything that a Dockerfile installs comes built, as the baseline's image tells."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from msgspec import Struct
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from phasewise.model.census import Built, Census, Distribution
from phasewise.model.ci.check_requirements_ci import logical_lines, package, production
from phasewise.model.dockerfile import Stage
from phasewise.model.python.installers import INSTALLERS
from phasewise.model.python.installs import Install
from phasewise.model.python.requirements import Listed
from phasewise.model.repo import RepoView
from phasewise.model.stages.common_ground import python_version, version_may_differ

_DEBIANS = re.compile(r"/usr/lib/python3[\d.]*/dist-packages$")
_REPOSITORIES = ("git+", "hg+", "svn+", "bzr+")


class MayCompile(Exception):
    """Something may be compiled, or it is not known; the message is a clause that says what."""


class Packages(Struct, frozen=True):
    """What an image holds."""

    census: Census
    distributions: tuple[Distribution, ...]
    left_out: frozenset[str]

    @classmethod
    def of(cls, census: Census, left_out: Collection[str]) -> Packages:
        """What pip installed of the baseline's image, without the distributions `left_out`."""
        kept = [
            each
            for each in census.distributions
            if each.name not in left_out and not _DEBIANS.match(each.location)
        ]
        return cls(census, tuple(kept), frozenset(left_out))

    def check(self, view: RepoView, stages: Collection[Stage], found: Collection[Install]) -> str:
        """Nothing that `found`, the installs of `stages`, install is compiled; the answer is why git is needed.

        Empty: it is not. All distributions count, whichever stage they come from; those that a list asks for must be
        among them, in a version that it allows: the list may have changed since the baseline was built.

        Raises:
            MayCompile: something is, or may be.
        """
        if self.census.note or not self.distributions:
            raise MayCompile("what the baseline's image holds is not known")
        for each in self.distributions:
            if each.built is Built.HERE:
                raise MayCompile(f"{each.name} is compiled from its source")
            if each.built is Built.UNKNOWN:
                raise MayCompile(f"whether {each.name} is compiled is not known")
        self._check_whole()
        self._check_python(view, stages)
        fetches = ""
        for install in found:
            if install.unknown:
                raise MayCompile(f"what {install.unknown[0]} asks for is not known")
            for text, constrains in _texts(view, install):
                self._check_line(text, constrains)
                if any(kind in text for kind in _REPOSITORIES):
                    fetches = text
            if any(source.is_project for source in install.sources) or not (install.sources or install.named):
                fetches = self._project()
        cloned = next((each.name for each in self.distributions if each.origin == "vcs"), "")
        return fetches or (cloned and f"{cloned} is fetched from a repository")

    def _check_whole(self) -> None:
        """Raises MayCompile where a distribution is not there that another one requires: it may be installed first."""
        there = INSTALLERS.union(self.left_out, (each.name for each in self.distributions))
        for each in self.distributions:
            if absent := min(set(each.requires) - there, default=""):
                raise MayCompile(f"{absent}, which {each.name} requires, is not in the baseline's image")

    def _check_python(self, view: RepoView, stages: Collection[Stage]) -> None:
        if name := next((name for stage in stages if (name := version_may_differ(view, stage))), None):
            raise MayCompile(f"a build gives {name} in FROM another value")
        versions = {python_version(view.dockerfile, stage) for stage in stages} - {None}
        for each in self.distributions:
            if "/python3." in each.location and not all(f"/python{v}/" in each.location for v in versions):
                raise MayCompile("the baseline's image has another version of Python")

    def _project(self) -> str:
        """Why the project's own installation may call git. Raises MayCompile where it is not in the image."""
        own = next((each.name for each in self.distributions if each.origin == "folder"), None)
        if own is None:
            raise MayCompile("how the project itself is built is not known")
        return f"{own} may read its version from git"

    def _check_line(self, text: str, constrains: bool) -> None:
        """Raises MayCompile where the image does not have what a requirement asks for, or a constraint allows."""
        if text.startswith("-") and not text.startswith(("-e", "--editable")):
            return
        name = package(text)
        if not name:
            raise MayCompile(f"what {text} installs is not known")
        requirement = Listed(name, text, "", 1).parsed
        installed = [each for each in self.distributions if each.name == name]
        if not (installed or constrains or name in INSTALLERS or (requirement and requirement.marker)):
            raise MayCompile(f"{name} is not in the baseline's image")
        for each in installed:
            if requirement and not _allows(requirement.specifier, each.version):
                raise MayCompile(f"the baseline's image has {name} {each.version}, not {text}")


def _allows(specifier: SpecifierSet, version: str) -> bool:
    try:
        return specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _texts(view: RepoView, install: Install) -> Iterator[tuple[str, bool]]:
    """Every line that the command makes pip read, and whether it only constrains."""
    yield from ((word.value, False) for word in install.named)
    read = view.files.__getitem__
    for source in install.sources:
        try:
            for _, _, text in production(source.key, read, "."):
                yield text, False
                if text.startswith("-c "):
                    yield from ((line, True) for _, line in logical_lines(read(text.removeprefix("-c "))))
        except (KeyError, ValueError) as error:
            raise MayCompile(f"{source.key} cannot be read: {error}") from error
