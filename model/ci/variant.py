"""The files of a CI variant: what production installs, the lists without the heavy part, and who builds it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from phasewise.model.builds.build_redirect import redirected, with_step
from phasewise.model.builds.dockerignore import is_ignored, with_exception
from phasewise.model.builds.yaml_edit import YamlRefusal
from phasewise.model.ci.check_requirements_ci import Read, package, settings
from phasewise.model.ci.light_requirements import Settings, list_path, list_text, unsigned
from phasewise.model.phase import FileEdit
from phasewise.model.python.imports import Use
from phasewise.model.python.installers import INSTALLERS
from phasewise.model.python.installs import Install, installs
from phasewise.model.python.requirements import Listed, RequirementsError, constrained, listed
from phasewise.model.repo import BuildReference, Purpose, RepoView

CONSUMERS = (Purpose.TEST, Purpose.SCAN)
_VARIANT = re.compile(r"(?:^|[._-])ci(?:$|[._-])", re.I)
_PRODUCTION = re.compile(r"[._-](?:prod|production|release)$", re.I)


class NoVariant(ValueError):
    """There can be no CI variant here; the message says why."""


class Drifted(NoVariant):
    """There is one, and it is no longer what production is without its heavy packages."""


class Production(Struct, frozen=True):
    """What the image of the target installs."""

    lists: Mapping[str, tuple[Listed, ...]]
    """The requirements by the key of their source, of all stages."""
    own: frozenset[str]
    """The keys that the target's own image is made from."""
    named: tuple[Listed, ...]
    """Requirements that the Dockerfile itself names."""

    @property
    def requirements(self) -> tuple[Listed, ...]:
        """Everything that the target's image asks for, each name once."""
        every = [
            *self.named,
            *(each for key, lines in self.lists.items() if key in self.own for each in lines),
        ]
        return tuple({each.name: each for each in reversed(every)}.values())[::-1]


def is_variant(dockerfile: str) -> bool:
    """Whether the name says that it is for CI already: `Dockerfile.ci`, `ci.Dockerfile`."""
    return bool(_VARIANT.search(posixpath.basename(dockerfile)))


def variant_path(dockerfile: str) -> str:
    """`Dockerfile.ci` beside `Dockerfile` and `Dockerfile.prod`; `Dockerfile.api.ci`, `api.ci.Dockerfile`."""
    folder, name = posixpath.split(dockerfile)
    stem, dot, ending = name.rpartition(".")
    if ending.lower() in ("dockerfile", "containerfile") and dot:
        return posixpath.join(folder, f"{_PRODUCTION.sub('', stem)}.ci.{ending}")
    return posixpath.join(folder, f"{_PRODUCTION.sub('', name)}.ci")


def production_of(view: RepoView) -> Production:
    """What the target installs with pip or uv.

    Raises:
        NoVariant: nothing, or nothing that can be read.
    """
    found = installs(view)
    needed = view.dockerfile.needed_by(view.stage)
    lists: dict[str, tuple[Listed, ...]] = {}
    reasons: list[str] = []
    for source in (source for install in found for source in install.sources):
        try:
            lists[source.key] = listed(source.key, view.files.__getitem__)
        except RequirementsError as error:
            reasons.append(str(error))
    mine = [install for install in found if install.instruction.stage in needed]
    named = tuple(each for install in mine for each in _named(view, install))
    own = frozenset(source.key for install in mine for source in install.sources if source.key in lists)
    if not own and not named:
        raise NoVariant(_why_nothing(view, mine, reasons))
    return Production(lists, own, named)


def new_lists(
    view: RepoView, production: Production, script: str, wanted: Settings, dropped: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Path and text of the CI list by the key of the source that it is made from.

    Every list that names something `dropped` gets one, those of other stages too; the settings for the
    imports stand in the first.

    Raises:
        NoVariant: there is a file of that name, and it says something else.
    """
    found: dict[str, tuple[str, str]] = {}
    affected = [key for key, lines in production.lists.items() if any(each.name in dropped for each in lines)]
    for key in sorted(affected, key=lambda each: each not in production.own):
        path = list_path(key)
        if " " in "".join((path, key, *wanted.starts, *wanted.dockerfile)):
            raise NoVariant("a path with a blank in it cannot be written into the settings of the check")
        if path in (other for other, _ in found.values()):
            path = list_path(
                key.replace("pyproject.toml[", "requirements-").rstrip("]").replace(",", "-") + ".txt"
            )
        lines = production.lists[key]
        left_out = tuple(dict.fromkeys(each.name for each in lines if each.name in dropped))
        mine = replace(wanted, production=key, left_out=left_out)
        mine = mine if not found else replace(mine, modules=(), starts=(), dockerfile=())
        text = list_text(path, script, mine, _pins(view, key, lines, dropped), view.files.__getitem__)
        if unsigned(view.files.get(path, text)) != text:
            raise NoVariant(f"{path} exists already and is not what would be generated")
        found[key] = path, text
    return found


def ignore_edits(view: RepoView, variant: str, paths: Collection[str]) -> Iterator[FileEdit]:
    """What lets `paths` into the build context of `variant` where patterns keep them out."""
    own = f"{view.target.dockerfile}.dockerignore"
    common = view.context_path(".dockerignore")
    old = own if own in view.paths else common
    new = f"{variant}.dockerignore" if old == own else common
    text = before = view.files.get(old)
    if text is None:
        return
    for path in paths:
        relative = posixpath.relpath(path, view.target.context)
        if is_ignored(text, relative):
            text = with_exception(text, relative)
    if old == own:
        yield FileEdit(new, None, text)
    elif text != before:
        yield FileEdit(new, before, text)


class Redirections(Struct):
    """The workflows and compose files, changed where that was possible."""

    texts: dict[str, str] = field(default_factory=dict)
    done: list[BuildReference] = field(default_factory=list)
    refused: list[tuple[BuildReference, str]] = field(default_factory=list)
    step: BuildReference | None = None
    """The build in front of which the check runs; None when no workflow could take it."""

    def edits(self, view: RepoView) -> Iterator[FileEdit]:
        """One edit for each file that changed."""
        for path, text in self.texts.items():
            yield FileEdit(path, view.files[path], text)


def redirect(view: RepoView, variant: str, title: str, command: str) -> Redirections:
    """Every build for tests or scans with the Dockerfile `variant`, and a step that runs `command` before one."""
    result = Redirections()
    builds = [build for build in view.builds_of(view.target.dockerfile) if build.purpose in CONSUMERS]
    once = {(build.path, build.where, build.line): build for build in reversed(builds)}
    for build in sorted(once.values(), key=lambda each: (each.path, -each.line)):
        text = result.texts.get(build.path, view.files[build.path])
        try:
            result.texts[build.path] = redirected(text, build, posixpath.basename(variant))
            result.done.append(build)
        except YamlRefusal as reason:
            result.refused.append((build, str(reason)))
    steps = [build for build in result.done if build.where.startswith("jobs.")]
    for build in sorted(
        steps, key=lambda each: (each.purpose is not Purpose.TEST, bool(each.matrix), each.line)
    ):
        try:
            result.texts[build.path] = with_step(result.texts[build.path], build, title, command)
        except YamlRefusal:
            continue
        result.step = build
        break
    result.done.sort(key=lambda each: (each.path, each.line))
    return result


def drift(view: RepoView, variant: str, production: Production, always: Mapping[str, Use]) -> tuple[str, ...]:
    """How the lists of a `variant` that somebody keeps by hand differ from production: nothing when unknown."""
    read = view.files.__getitem__
    sources = lists_of(view, variant)
    if any("production" in settings(read(path)) for path in sources):
        return ()
    return tuple(_hand_written(sources, production, always, read))


def lists_of(view: RepoView, variant: str) -> tuple[str, ...]:
    """The requirements files that the Dockerfile `variant` installs."""
    other = replace(view, target=replace(view.target, dockerfile=variant, stage=None))
    try:
        found = {
            source.path for install in installs(other) for source in install.sources if not source.is_project
        }
    except ValueError:
        return ()
    return tuple(sorted(found))


def _hand_written(
    sources: Collection[str], production: Production, always: Mapping[str, Use], read: Read
) -> Iterator[str]:
    """Other versions, and what the application imports though the list lacks it."""
    try:
        here = {each.name: each for path in sorted(sources) for each in listed(path, read)}
    except RequirementsError as error:
        yield str(error)
        return
    for wanted in production.requirements:
        found = here.get(wanted.name)
        use = always.get(wanted.name.replace("-", "_"))
        if found and found.text != wanted.text:
            yield f"{found.path}:{found.line} has {found.text}, production {wanted.text}"
        elif not found and use and here:
            yield f"{wanted.name} is missing, which {use.path}:{use.line} imports"


def _named(view: RepoView, install: Install) -> Iterator[Listed]:
    for word in install.named:
        name = package(word.value)
        if name and name not in INSTALLERS:
            line = view.dockerfile.line_of(word.span.start)
            yield Listed(name, word.value, view.target.dockerfile, line)


def _pins(
    view: RepoView, key: str, lines: tuple[Listed, ...], dropped: Collection[str]
) -> Iterator[tuple[Listed, str]]:
    """The installed version for each requirement that production leaves open, constraint files included."""
    elsewhere = constrained(key, view.files.__getitem__)
    for each in lines:
        installed = view.census.distribution(each.name) if view.census else None
        if installed and not each.is_exact and each.name not in dropped and each.name not in elsewhere:
            yield each, each.pinned(installed.version)


def _why_nothing(view: RepoView, mine: list[Install], reasons: list[str]) -> str:
    if reasons:
        return reasons[0]
    unknown = [name for install in mine for name in install.unknown]
    if unknown:
        return f"it installs {unknown[0]}, which is no file of the repository"
    folder = "" if view.target.context == "." else f"{view.target.context}/"
    locks = [
        name
        for name in ("uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock")
        if f"{folder}{name}" in view.paths
    ]
    if locks:
        return f"its requirements come from {locks[0]}, which is not supported yet"
    return "it installs no Python requirements"
