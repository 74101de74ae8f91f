"""The images that GitHub workflows build: in scripts, with docker/build-push-action, with compose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct
from ruamel.yaml.nodes import Node

from phasewise.model.builds import purpose
from phasewise.model.builds.build_commands import Argument, build_of, verb_of
from phasewise.model.builds.compose import Service
from phasewise.model.builds.matrix import Combination, Filler, combinations
from phasewise.model.builds.places import is_local, join
from phasewise.model.builds.script_builds import (
    ImageBuild,
    ScriptCommand,
    commands,
    composed,
    image_build,
    is_pushing_output,
    pushed,
)
from phasewise.model.builds.yaml_edit import Embedded, YamlRefusal, compose, embedded
from phasewise.model.builds.yaml_tree import elements, get, items, line, pairs, text
from phasewise.model.repo import BuildReference, Purpose

_PATH = re.compile(r"\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml")
_ACTION = re.compile(r"[\w.-]+/build-push-action@.*")
_DEFAULT_CONTEXT = re.compile(r"\{\{\s*defaultContext\s*\}\}:?")
_COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def is_workflow(path: str) -> bool:
    """Whether GitHub (or one that reads the same files) runs this file."""
    return bool(_PATH.fullmatch(path))


def references(
    path: str, source: str, compose_files: Mapping[str, Mapping[str, Service]]
) -> Iterator[BuildReference]:
    """The builds of one workflow; what depends on values that nobody can know here is left out."""
    try:
        root = compose(source)
    except YamlRefusal:
        return
    workflow = _Workflow(path, source, root, compose_files)
    for id, node in items(get(root, "jobs")):
        yield from _Job(workflow, id, node).references()


class _Workflow(Struct, frozen=True, dict=True):
    path: str
    source: str
    root: Node
    compose_files: Mapping[str, Mapping[str, Service]]

    @cached_property
    def lines(self) -> list[str]:
        return self.source.split("\n")

    @property
    def names(self) -> tuple[str, str]:
        file = self.path.rpartition("/")[2].rpartition(".")[0]
        return text(get(self.root, "name")) or "", file


class _Script(Struct, frozen=True):
    """A step's `run:`, with the way back to the file's lines."""

    text: str
    offsets: Embedded | None
    first_line: int

    @classmethod
    def of(cls, source: str, node: Node) -> _Script:
        try:
            found = embedded(source, node)
            return cls(found.text, found, line(node))
        except YamlRefusal:
            return cls(text(node) or "", None, line(node))

    def line_of(self, source: str, offset: int) -> int:
        if self.offsets is None:
            return self.first_line
        return source.count("\n", 0, self.offsets.offsets[offset]) + 1


class _Job(Struct, frozen=True, dict=True):
    workflow: _Workflow
    id: str
    node: Node

    @cached_property
    def steps(self) -> tuple[Node, ...]:
        return elements(get(self.node, "steps"))

    @cached_property
    def scripts(self) -> dict[int, _Script]:
        nodes = ((index, get(step, "run")) for index, step in enumerate(self.steps))
        return {index: _Script.of(self.workflow.source, node) for index, node in nodes if node is not None}

    @cached_property
    def argvs(self) -> list[tuple[str, ...]]:
        """Every command of the job, as written."""
        return [
            command.argv
            for script in self.scripts.values()
            for command in commands(script.text, None, lambda word: word, {})
        ]

    @cached_property
    def scans(self) -> bool:
        uses = (text(get(step, "uses")) or "" for step in self.steps)
        return any(map(purpose.is_scanner, uses)) or any(map(purpose.scans, self.argvs))

    @cached_property
    def pushed(self) -> list[str]:
        """What the job's commands push, as written; '' where a command does not say."""
        found = [names for argv in self.argvs if (names := pushed(argv)) is not None]
        return [word for names in found for word in names or ("",)]

    def references(self) -> Iterator[BuildReference]:
        """Each build once, however many combinations of the matrix make it."""
        if not any(_may_build(self.scripts.get(index), step) for index, step in enumerate(self.steps)):
            return
        known = combinations(get(self.node, "strategy", "matrix"))
        found = (
            reference
            for index, step in enumerate(self.steps)
            if _may_build(self.scripts.get(index), step)
            for combination in (known if known is not None else (None,))
            for reference in self._of_step(index, step, combination)
        )
        yield from dict.fromkeys(found)

    def _of_step(self, index: int, step: Node, combination: Combination | None) -> Iterator[BuildReference]:
        environment = self._environment(step, combination)
        if index in self.scripts:
            yield from self._of_script(index, step, combination, environment)
        elif _ACTION.fullmatch(text(get(step, "uses")) or ""):
            fill = Filler(combination, environment)
            build, tags = _action(get(step, "with"), fill)
            if build is not None:
                uses = get(step, "uses")
                assert uses is not None
                yield self._reference(index, step, line(uses), build, tags, fill.used)

    def _of_script(
        self, index: int, step: Node, combination: Combination | None, environment: Mapping[str, str]
    ) -> Iterator[BuildReference]:
        script = self.scripts[index]
        fill = Filler(combination, environment)
        folder = self._folder(step, fill)
        in_folder = dict(fill.used)
        for command in commands(script.text, folder, fill, environment):
            fill.used = dict(in_folder)
            number = script.line_of(self.workflow.source, command.offset)
            build = image_build(command, fill)
            if build is not None:
                yield self._reference(index, step, number, build, _tags(command.words), fill.used)
            for service in self._services(command, fill):
                yield self._reference(index, step, number, service.build, (), {})

    def _services(self, command: ScriptCommand, fill: Filler) -> Iterator[Service]:
        """The services that a compose command builds."""
        found = composed(command.argv)
        if found is None or command.folder is None:
            return
        files, names = found
        known = self.workflow.compose_files
        written = [command.expanded(file, fill) for file in files]
        places = [join(command.folder, file) for file in written if file is not None]
        if not files:
            defaults = (join(command.folder, name) for name in _COMPOSE_NAMES)
            places = [next((place for place in defaults if place in known), None)]
        services = {
            name: service for place in places if place for name, service in known.get(place, {}).items()
        }
        yield from (service for name, service in services.items() if not names or name in names)

    def _environment(self, step: Node, combination: Combination | None) -> dict[str, str]:
        """The constants of `env:` on the three levels; what cannot be told is left out."""
        environment: dict[str, str] = {}
        for node in (self.workflow.root, self.node, step):
            for name, written in pairs(get(node, "env")):
                value = Filler(combination, environment)(written)
                if value is None:
                    environment.pop(name, None)
                else:
                    environment[name] = value
        return environment

    def _folder(self, step: Node, fill: Filler) -> str | None:
        """The folder in which a step's script starts."""
        defaults = (
            get(node, "defaults", "run", "working-directory") for node in (self.node, self.workflow.root)
        )
        written = next(
            (value for node in (get(step, "working-directory"), *defaults) if (value := text(node))), None
        )
        if written is None:
            return "."
        value = fill(written)
        return join(".", value) if value is not None else None

    def _reference(
        self,
        index: int,
        step: Node,
        number: int,
        build: ImageBuild,
        tags: Sequence[str],
        used: Mapping[str, str],
    ) -> BuildReference:
        purpose, where = self._purpose(step, build, tags), f"jobs.{self.id}.steps[{index}]"
        return build.found_at(
            self.workflow.path, self.workflow.lines, number, purpose, where, tuple(used.items())
        )

    def _purpose(self, step: Node, build: ImageBuild, tags: Sequence[str]) -> Purpose:
        """What is pushed is deployed, whatever it is called; then the nearest name or neighbour decides."""
        if build.pushes or self._is_pushed_later(tags):
            return Purpose.DEPLOY
        near = purpose.by_names([text(get(step, "name")) or "", text(get(step, "id")) or ""])
        if near is not Purpose.UNKNOWN:
            return near
        if self.scans:
            return Purpose.SCAN
        job = purpose.by_names([text(get(self.node, "name")) or "", self.id])
        if job is not Purpose.UNKNOWN:
            return job
        if any(map(purpose.runs_tests, self.argvs)):
            return Purpose.TEST
        return purpose.by_names(self.workflow.names)

    def _is_pushed_later(self, tags: Sequence[str]) -> bool:
        """Whether a command of the job pushes, unless it is certain that it pushes another image."""
        if not self.pushed:
            return False
        verbs = [argv[verb] for argv in self.argvs if (verb := verb_of(argv)) is not None]
        retags = "tag" in verbs
        ours = {_repository(tag) for tag in tags}
        return (
            retags
            or not ours
            or "" in self.pushed
            or bool(ours & {_repository(name) for name in self.pushed})
        )


def _may_build(script: _Script | None, step: Node) -> bool:
    """Whether it is worth a closer look."""
    if script is not None:
        return "build" in script.text or "bud" in script.text
    return bool(_ACTION.fullmatch(text(get(step, "uses")) or ""))


def _action(inputs: Node | None, fill: Filler) -> tuple[ImageBuild | None, tuple[str, ...]]:
    """What docker/build-push-action builds, and the tags as written.

    Source: its README, "inputs": paths are relative to the workspace; without a context it is the root.
    """
    tags = tuple((text(get(inputs, "tags")) or "").replace(",", "\n").split())
    context = fill(_DEFAULT_CONTEXT.sub("./", text(get(inputs, "context")) or "."))
    if context is None or not is_local(context):
        return None, tags
    file = fill(text(get(inputs, "file")) or "")
    stage = fill(text(get(inputs, "target")) or "")
    if file is None or stage is None:
        return None, tags
    place, folder = join(".", file or f"{context or '.'}/Dockerfile"), join(".", context or ".")
    if place is None or folder is None:
        return None, tags
    given = (line.partition("=") for line in (text(get(inputs, "build-args")) or "").splitlines())
    filled = ((name.strip(), fill(value)) for name, equals, value in given if equals)
    arguments = tuple((name, value) for name, value in filled if value is not None)
    pushes = (text(get(inputs, "push")) or "false").lower() != "false" or any(
        map(is_pushing_output, (text(get(inputs, "outputs")) or "").splitlines())
    )
    return ImageBuild(place, folder, stage or None, (), arguments, pushes), tags


def _tags(words: Sequence[Argument]) -> tuple[str, ...]:
    """The tags of a build command, as written."""
    build = build_of(list(words))
    return tuple(value for name, value in build.options if name in ("-t", "--tag")) if build else ()


def _repository(image: str) -> str:
    """An image's name without its tag."""
    name = image.strip("\"'")
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
