"""A CI variant made anew from a production Dockerfile that has changed since, with the same packages left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from phasewise.model.ci import variant as ci_variant
from phasewise.model.ci.check_requirements_ci import complaints, fingerprint, generate, settings
from phasewise.model.ci.generated import generated
from phasewise.model.ci.heavy import Packages
from phasewise.model.ci.light_dockerfile import NotDerivable
from phasewise.model.ci.light_requirements import is_as_made, signed, with_fingerprint
from phasewise.model.ci.variant import Drifted, NoVariant, Production
from phasewise.model.debian.needless_tools import Trimmed
from phasewise.model.dockerfile import DockerfileError
from phasewise.model.phase import FileEdit
from phasewise.model.python.installs import installs
from phasewise.model.python.requirements import RequirementsError
from phasewise.model.repo import RepoView


class Made(Struct, frozen=True):
    """A CI variant that was generated, as it is recorded in its lists."""

    view: RepoView
    variant: str
    main: str
    """The list that has the settings."""
    lists: Mapping[str, str]
    """The paths by the key of the source that each is made from, the main one included."""

    @classmethod
    def of(cls, view: RepoView) -> Made:
        """The variant of the view's target, as it is committed, unless earlier phases of the plan change it.

        Those that are only proposed, or were taken back, change production for nobody yet.

        Raises:
            NoVariant: there is none, or it is kept by hand.
        """
        if ci_variant.variant_path(view.target.dockerfile) not in view.paths:
            return cls._of(view)
        try:
            made = cls._of(view.committed)
        except NoVariant:
            return cls._of(view)
        files = (made.variant, *made.lists.values())
        changed = any(view.files.get(path) != made.view.files[path] for path in files)
        return cls._of(view) if changed else made

    @classmethod
    def _of(cls, view: RepoView) -> Made:
        origin = view.target.dockerfile
        variant = ci_variant.variant_path(origin)
        if ci_variant.is_variant(origin):
            raise NoVariant("it is a CI variant itself")
        if variant not in view.paths:
            raise NoVariant(f"there is no {variant} beside it")
        texts = {path: settings(view.files[path]) for path in ci_variant.lists_of(view, variant)}
        lists = {
            " ".join(found["production"]): path for path, found in texts.items() if "production" in found
        }
        made = [path for path in lists.values() if texts[path].get("dockerfile", [])[:2] == [variant, origin]]
        if not made:
            raise NoVariant(f"{variant} was not generated from it")
        return cls(view, variant, made[0], lists)

    @property
    def origin(self) -> str:
        """Production's Dockerfile."""
        return self.view.target.dockerfile

    @property
    def left_out(self) -> tuple[str, ...]:
        """The requirements that the lists leave out."""
        texts = (self.view.files[path] for path in self.lists.values())
        return tuple(dict.fromkeys(name for text in texts for name in settings(text).get("left out", ())))

    @property
    def follows(self) -> bool:
        """Whether it was made from production's Dockerfile as that is now."""
        recorded = settings(self.view.files[self.main])["dockerfile"]
        return recorded[2:] == [fingerprint(self.view.files[self.origin])]

    def problems(self) -> tuple[str, ...]:
        """What its check in CI complains about."""
        read, paths = self.view.files.__getitem__, self.view.paths
        return tuple(
            each.split("\n")[-1] for path in self.lists.values() for each in complaints(path, read, paths)
        )


class Refreshed(Struct, frozen=True):
    """What brings a variant up to production."""

    edits: tuple[FileEdit, ...]
    dropped: tuple[str, ...] = ()
    """Commands that it leaves out."""
    tools: Trimmed | None = None


def refreshed(made: Made) -> Refreshed:
    """The variant's files as they would be generated now, as far as they differ.

    Raises:
        NoVariant: they are up to date.
        Drifted: they are not, and cannot be generated; the message says why.
    """
    try:
        found = _lists_alone(made) if made.follows else _anew(made)
    except DockerfileError:
        raise
    except (KeyError, ValueError) as error:
        raise Drifted(f"{made.variant} does not follow {made.origin} any more: {_reason(error)}") from error
    if found.edits:
        return found
    if problems := made.problems():
        raise Drifted("; ".join(problems))
    raise NoVariant(f"{made.variant} follows {made.origin}")


def _reason(error: Exception) -> str:
    told = isinstance(error, (NoVariant, NotDerivable, RequirementsError))
    return str(error) if told else f"its lists cannot be compared ({error})"


def _lists_alone(made: Made) -> Refreshed:
    read = made.view.files.__getitem__
    edits = (FileEdit(path, read(path), generate(path, read(path), read)) for path in made.lists.values())
    return Refreshed(tuple(edit for edit in edits if edit.changes))


def _anew(made: Made) -> Refreshed:
    view, read = made.view, made.view.files.__getitem__
    old = read(made.variant)
    if not is_as_made(read(made.main), old):
        raise Drifted(
            f"{made.variant} was changed by hand since it was generated, and making it anew would undo that. Make the"
            " same change in it, then run the check with --write; or delete it and its list to start again"
        )
    production = ci_variant.production_of(view)
    _check_sources(made, production)
    modules = settings(read(made.main)).get("modules left out", [])
    names = [each.name for each in production.requirements]
    packages = Packages.of(names, view.census)
    left_out = {*made.left_out, *_named(production, packages, modules)}
    noted = {path: generate(path, read(path), read) for path in made.lists.values()}
    noted[made.main] = with_fingerprint(noted[made.main], read(made.origin))
    lists = [FileEdit(path, read(path), text) for path, text in noted.items()]
    kept = (frozenset(packages.needs) - packages.reached(names)).union(names).difference(left_out)
    gone = packages.gone(kept, left_out)
    light = generated(view, made.variant, made.lists, lists, left_out, modules, gone)
    noted[made.main] = signed(noted[made.main], light.text)
    edits = (FileEdit(made.variant, old, light.text), *(FileEdit(p, read(p), t) for p, t in noted.items()))
    return Refreshed(tuple(edit for edit in edits if edit.changes), light.dropped, light.tools)


def _check_sources(made: Made, production: Production) -> None:
    """Raises Drifted where production installs from other sources than those that the lists are made from."""
    installed = {source.key for install in installs(made.view) for source in install.sources}
    for key, path in made.lists.items():
        if key not in installed:
            raise Drifted(f"{key} is not installed any more, which {path} is made from")
    for key, lines in production.lists.items():
        heavy = next((each.name for each in lines if each.name in made.left_out), None)
        if heavy and key not in made.lists:
            raise Drifted(f"{heavy} comes from {key} now, which has no list for CI")


def _named(production: Production, packages: Packages, modules: Collection[str]) -> Iterator[str]:
    """What the Dockerfile itself names and the variant leaves out: it cannot be imported there."""
    for each in production.named:
        if set(packages.modules.get(each.name) or [""]) <= set(modules):
            yield each.name
