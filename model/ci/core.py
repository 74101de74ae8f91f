"""What a core target leaves out: heavy frameworks that the application starts without, and the edits for that."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct, field

from phasewise.model.ci.check_requirements_ci import logical_lines, of_project, package
from phasewise.model.ci.heavy import Packages, is_framework
from phasewise.model.ci.leaving_out import Candidate, Requirements
from phasewise.model.ci.light_dockerfile import installs_only, users
from phasewise.model.dockerfile import Instruction, Word
from phasewise.model.edits import drop_instruction, drop_word
from phasewise.model.python.entry_points import application_starts
from phasewise.model.python.imports import anywhere, at_start
from phasewise.model.python.installers import INSTALLERS
from phasewise.model.python.installs import Install, Source, installs, origin_of
from phasewise.model.python.prepend import prepended
from phasewise.model.python.projects import projects
from phasewise.model.python.requirements import Listed, listed
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span

_LIST = "/tmp/requirements-core.txt"


class NoCore(ValueError):
    """There can be no core target here; the message says why."""


class Extras(Struct, frozen=True):
    """One place where a command asks for extras of a project."""

    instruction: Instruction
    path: str
    """The project's pyproject.toml."""
    asked: tuple[str, ...]
    words: tuple[Word, ...]
    """The word with the brackets; or the options of uv, one for each extra."""
    is_everything: bool = False
    """`--all-extras`: then `words` is that option."""


class Ask(Struct, frozen=True):
    """What the target's image asks for, and how."""

    view: RepoView
    installs: tuple[Install, ...]
    extras: tuple[Extras, ...]
    lists: Mapping[str, tuple[Listed, ...]]
    """The requirements by their source: a file, the Dockerfile's own commands, or `pyproject.toml[extra]`."""
    own: Mapping[str, frozenset[str]]
    """What a project asks for without any extra, by its path."""
    removed: dict[Instruction, list[Command]] = field(default_factory=dict)

    @classmethod
    def of(cls, view: RepoView) -> Ask:
        """What the target asks for. Raises RequirementsError where a list cannot be read."""
        needed = view.dockerfile.needed_by(view.stage)
        mine = tuple(each for each in installs(view) if each.instruction.stage in needed)
        read = view.files.__getitem__
        lists: dict[str, tuple[Listed, ...]] = {}
        extras: list[Extras] = []
        for install in mine:
            for source in install.sources:
                if source.is_project:
                    asked = tuple(each.strip() for each in source.extras.split(",") if each.strip())
                    extras.append(Extras(install.instruction, source.path, asked, (source.word,)))
                else:
                    lists[source.path] = listed(source.path, read)
            named = [(package(word.value), word) for word in install.named]
            lists[view.target.dockerfile] = lists.get(view.target.dockerfile, ()) + tuple(
                Listed(name, word.value, view.target.dockerfile, view.dockerfile.line_of(word.span.start))
                for name, word in named
                if name and name not in INSTALLERS
            )
        extras += _synced(view)
        own: dict[str, frozenset[str]] = {}
        for each in extras:
            lists[each.path] = tuple(_of_project(view, each.path, ("",)))
            own[each.path] = frozenset(line.name for line in lists[each.path])
            for extra in each.asked:
                lists[f"{each.path}[{extra}]"] = tuple(_of_project(view, each.path, (extra,)))
        return cls(view, mine, tuple(extras), lists, own)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that is asked for, each name once."""
        return tuple(dict.fromkeys(each.name for lines in self.lists.values() for each in lines))

    def requirements(self) -> Requirements:
        """The names with how the application imports them and what the baseline's image holds."""
        view, read = self.view, self.view.files.__getitem__
        packages = Packages.of(self.names, view.census)
        always = at_start(application_starts(view), view.paths, read)
        modules = {module for name in self.names for module in packages.modules[name]}
        folder = "" if view.target.context == "." else f"{view.target.context}/"
        python = [path for path in view.paths if path.startswith(folder) and path.endswith(".py")]
        return Requirements(self.names, always, anywhere(modules, python, read), packages)


class Core(Struct, frozen=True):
    """The edits that make the core of a target, and what it lacks."""

    edits: tuple[Edit, ...]
    left_out: tuple[str, ...]
    """The requirements that are not installed."""
    extras: tuple[str, ...]
    dropped: tuple[str, ...]
    """The commands that are not run, since they run what is left out."""
    lines: tuple[Listed, ...]
    """Where production asks for what is left out."""
    saved_bytes: int | None
    """What the core is smaller by; None without a census."""


def candidates(requirements: Requirements) -> tuple[Candidate, ...]:
    """The frameworks that the application starts without.

    Raises:
        NoCore: there are none; the message says what speaks against each.
    """
    heavy = [each for each in requirements.candidates() if is_framework(each.name)]
    if not heavy:
        raise NoCore("it asks for no machine-learning framework")
    default = requirements.default()
    found = tuple(each for each in heavy if each.name in default)
    if not found:
        raise NoCore("the application does not start without: " + "; ".join(each.label for each in heavy))
    return found


def core_of(ask: Ask, requirements: Requirements, picked: Collection[str]) -> Core:
    """The core without `picked` and what only stands there because of it.

    Raises:
        NoCore: an install cannot be changed safely, or something else would be missing at the start.
    """
    dropped = requirements.dropped(picked)
    gone_extras = {
        (each.path, extra)
        for each in ask.extras
        for extra in each.asked
        if any(line.name in dropped for line in ask.lists[f"{each.path}[{extra}]"])
    }
    for path, names in ask.own.items():
        if stuck := [name for name in dropped if name in names]:
            raise NoCore(f"{path} asks for {stuck[0]} itself: in an extra of its own it could be left out")
    kept = {
        line.name
        for key, lines in ask.lists.items()
        for line in lines
        if line.name not in dropped and not any(key == f"{path}[{extra}]" for path, extra in gone_extras)
    }
    left_out = tuple(name for name in requirements.names if name not in kept)
    packages = requirements.packages
    besides = frozenset(packages.needs) - packages.reached(requirements.names)
    gone = packages.gone(besides.union(kept), left_out)
    for name in sorted(gone):
        for module in packages.modules.get(name, ()):
            if use := requirements.always.get(module):
                raise NoCore(f"{use.path}:{use.line} imports {use.module}, which the extra brings in, too")
    modules = requirements.modules(left_out)
    edits, removed = _edits(ask, left_out, gone_extras, modules)
    _check_scripts(ask, gone, modules, removed)
    lines = tuple(line for each in ask.lists.values() for line in each if line.name in left_out)
    shown = tuple(" ".join(command.argv) for commands in removed.values() for command in commands)
    extras = tuple(sorted({extra for _, extra in gone_extras}))
    return Core(tuple(edits), left_out, extras, shown, lines, packages.size(gone))


def _edits(
    ask: Ask, left_out: Collection[str], gone_extras: Collection[tuple[str, str]], modules: Collection[str]
) -> tuple[set[Edit], dict[Instruction, list[Command]]]:
    dockerfile = ask.view.dockerfile
    edits: set[Edit] = set()
    removed: dict[Instruction, list[Command]] = {}
    for install in ask.installs:
        if installs_only(install, left_out):
            removed.setdefault(install.instruction, []).append(install.command)
            continue
        edits |= {
            drop_word(dockerfile.text, word.span) for word in install.named if package(word.value) in left_out
        }
        for source in install.sources:
            names = {line.name for line in ask.lists[source.path]}.intersection(left_out)
            if names and not source.is_project:
                edits.update(_filtered(ask, install, source, names))
    for each in ask.extras:
        edits.update(_without_extras(dockerfile.text, each, gone_extras))
    needed = dockerfile.needed_by(ask.view.stage)
    for instruction, command in users(dockerfile, modules):
        if instruction.stage in needed:
            removed.setdefault(instruction, []).append(command)
    for instruction, commands in removed.items():
        script = Script.of(dockerfile, instruction)
        removal = script.without(commands) if script else None
        if removal is None:
            edits = {edit for edit in edits if not instruction.span.covers(edit.span)}
            edits.add(drop_instruction(dockerfile, instruction))
        else:
            edits.update(removal)
    return edits, removed


def _filtered(ask: Ask, install: Install, source: Source, names: Collection[str]) -> Iterator[Edit]:
    """The list without `names`, made from production's in the build, so that the two cannot drift apart."""
    text = ask.view.files[source.path]
    where = f"line {ask.view.dockerfile.line_of(source.word.span.start)}"
    raw = source.word.span.of(ask.view.dockerfile.text)
    if (
        source.word.value.startswith("-")
        or install.instruction.exec_form is not None
        or len(install.sources) > 1
    ):
        raise NoCore(f"{where} installs {source.path} in a form that cannot be split")
    logical = list(logical_lines(text))
    for each in ask.lists[source.path]:
        if each.name in names and each.path != source.path:
            raise NoCore(f"{source.path} includes {each.path}, which asks for {each.name}")
    lines = text.splitlines()
    for number, line in logical:
        if package(line) in names and lines[number - 1].rstrip().endswith("\\"):
            raise NoCore(
                f"{source.path}:{number} goes on in the next line, so that no filter can take it out"
            )
    if all(package(line) in names for _, line in logical):
        raise NoCore(f"{source.path} would be empty")
    pattern = "|".join("[-_.]".join(map(re.escape, name.split("-"))) for name in sorted(names))
    place = _LIST
    if any(re.match(r"-[rc]\b|--requirement|--constraint", line) for _, line in logical):
        # What it includes is found from where it stands; a mount may not be written to.
        place = raw.replace(".txt", "-core.txt")
        if (
            source.origin.renamed
            or ".txt" not in raw
            or "mount" in {f.name for f in install.instruction.flags}
        ):
            raise NoCore(f"{source.path} includes other files, and its filtered copy cannot stand beside it")
    command = f"grep -viE '^({pattern})([^a-z0-9._-]|$)' {raw} > {place}"
    yield from prepended(ask.view.dockerfile, install, command)
    yield Edit(source.word.span, place)


def _without_extras(text: str, each: Extras, gone: Collection[tuple[str, str]]) -> Iterator[Edit]:
    out = [extra for extra in each.asked if (each.path, extra) in gone]
    if not out:
        return
    if each.is_everything:
        end = each.words[0].span.end
        yield Edit(Span(end, end), "".join(f" --no-extra {extra}" for extra in out))
        return
    if len(each.words) == 1 and "[" in each.words[0].value:
        raw = each.words[0].span.of(text)
        rest = [extra for extra in each.asked if extra not in out]
        new = re.sub(r"\[[^\]]*\]", f"[{','.join(rest)}]" if rest else "", raw)
        if "$" in raw:
            raise NoCore(f"{raw} names its extras in a variable")
        yield Edit(each.words[0].span, new)
        return
    for extra, word in zip(each.asked, each.words, strict=True):
        if extra in out:
            yield drop_word(text, word.span)


def _synced(view: RepoView) -> Iterator[Extras]:
    """The extras of `uv sync`."""
    dockerfile, needed = view.dockerfile, view.dockerfile.needed_by(view.stage)
    known = {project.path for project in projects(view) if project.tool == "uv"}
    for instruction in dockerfile.instructions:
        script = Script.of(dockerfile, instruction) if instruction.stage in needed else None
        for command in script.commands if script else ():
            if command.name != "uv" or "sync" not in command.argv[1:4]:
                continue
            origin = origin_of(view, "pyproject.toml", instruction)
            path = origin.path if origin else view.context_path("pyproject.toml")
            if path in known:
                yield _sync(view, instruction, command, path)


def _sync(view: RepoView, instruction: Instruction, command: Command, path: str) -> Extras:
    asked: list[str] = []
    words: list[Word] = []
    rest = iter(command.words)
    for word in rest:
        name, equals, value = word.value.partition("=")
        if word.value == "--all-extras":
            every = tuple(_project(view, path).get("optional-dependencies", {}))
            return Extras(instruction, path, every, (word,), is_everything=True)
        if name == "--extra":
            following = word if equals else next(rest, word)
            asked.append(value or following.value)
            words.append(Word(following.value, Span(word.span.start, following.span.end)))
    return Extras(instruction, path, tuple(asked), tuple(words))


def _project(view: RepoView, path: str) -> Mapping[str, Mapping[str, list[str]]]:
    try:
        found: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(view.files[path])["project"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise NoCore(f"{path} has no [project] table that can be read") from error
    return found


def _of_project(view: RepoView, path: str, extras: Collection[str]) -> Iterator[Listed]:
    text = view.files[path]
    for line in of_project(dict(_project(view, path)), extras):
        yield Listed(package(line), line, path, text[: max(text.find(line), 0)].count("\n") + 1)


def _check_scripts(
    ask: Ask,
    gone: Collection[str],
    modules: Collection[str],
    removed: Mapping[Instruction, list[Command]],
) -> None:
    """Refuses what runs a command or a file that needs something left out.

    Raises:
        NoCore: with the line.
    """
    view = ask.view
    scripts = {
        script.path.rpartition("/")[2]: script.distribution
        for script in (view.census.scripts if view.census else ())
        if script.distribution in gone
    }
    needed = view.dockerfile.needed_by(view.stage)
    for instruction in (each for each in view.dockerfile.instructions if each.stage in needed):
        script = Script.of(view.dockerfile, instruction)
        for command in script.commands if script else ():
            if command in removed.get(instruction, ()):
                continue
            line = view.dockerfile.line_of(command.span.start)
            if command.name in scripts:
                raise NoCore(
                    f"line {line} runs {command.name} of {scripts[command.name]}, which would be left out"
                )
            for word in command.argv if command.name.startswith("python") else ():
                origin = origin_of(view, word, instruction) if word.endswith(".py") else None
                uses = at_start([origin.path], view.paths, view.files.__getitem__) if origin else {}
                if lost := sorted(set(uses).intersection(modules)):
                    raise NoCore(f"line {line} runs {word}, which imports {lost[0]}")
