"""The images that compose files build."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from ruamel.yaml.nodes import Node, ScalarNode

from phasewise.model.builds.compose_health import health_check
from phasewise.model.builds.places import is_local, join
from phasewise.model.builds.purpose import by_names
from phasewise.model.builds.script_builds import ImageBuild
from phasewise.model.builds.yaml_edit import YamlRefusal, compose, entry
from phasewise.model.builds.yaml_tree import get, items, line, pairs, text
from phasewise.model.repo import BuildReference

_NAME = re.compile(r"(?:docker-)?compose(?:[._-][\w.-]+)?\.ya?ml")
_BASE = re.compile(r"(?:docker-)?compose\.ya?ml")
_VARIABLE = re.compile(r"\$\$|\$(?:(\w+)|\{(\w+)(?::?-([^{}$]*))?[^{}]*\})")


class Service(Struct, frozen=True):
    """A service with a build."""

    name: str
    build: ImageBuild
    line: int
    """1-based, of the `build:`."""
    health: Mapping[str, Any] | None = None
    """Its health check as the engine takes it, where that is one of the image's own command."""


def is_compose(path: str) -> bool:
    """Whether a file's name is that of a compose file."""
    return bool(_NAME.fullmatch(path.rpartition("/")[2]))


def services(path: str, source: str, base: Mapping[str, Service] | None = None) -> dict[str, Service]:
    """The services of a compose file that are built and whose build is known, by name.

    `base` holds those of the file that this one overrides: what it does not say is taken from there.
    """
    try:
        root = compose(source)
    except YamlRefusal:
        return {}
    found = (_service(path, name, node, base or {}) for name, node in items(get(root, "services")))
    return {service.name: service for service in found if service}


def all_services(files: Mapping[str, str]) -> dict[str, dict[str, Service]]:
    """The services of every compose file of `files`, by path and name; overrides know their base."""
    found: dict[str, dict[str, Service]] = {}
    for path in sorted(files, key=lambda path: (not _BASE.fullmatch(path.rpartition("/")[2]), path)):
        folder = path.rpartition("/")[0]
        bases = (
            services
            for other, services in found.items()
            if other.rpartition("/")[0] == folder and _BASE.fullmatch(other.rpartition("/")[2])
        )
        found[path] = services(path, files[path], next(bases, None))
    return found


def health_of(
    files: Mapping[str, str], dockerfile: str, stages: Collection[str | None]
) -> Mapping[str, Any] | None:
    """The health check of the first service that builds one of `stages` of `dockerfile` and has one."""
    found = all_services({path: source for path, source in files.items() if is_compose(path)})
    return next(
        (
            service.health
            for services in found.values()
            for service in services.values()
            if service.health and service.build.dockerfile == dockerfile and service.build.stage in stages
        ),
        None,
    )


def references(path: str, source: str, found: Mapping[str, Service]) -> Iterator[BuildReference]:
    """The builds of one compose file."""
    lines = source.split("\n")
    kind = PurePosixPath(path).name.removeprefix("docker-").removeprefix("compose")
    for service in found.values():
        build = service.build
        purpose = by_names((kind, build.stage or "", service.name))
        yield build.found_at(path, lines, service.line, purpose, f"services.{service.name}")


def _service(path: str, name: str, node: Node, base: Mapping[str, Service]) -> Service | None:
    build = get(node, "build")
    if build is None:
        return None
    written = entry(node, "build")
    start = line(written[0] if written else build)
    known = _image_build(path.rpartition("/")[0] or ".", build, base[name].build if name in base else None)
    return Service(name, known, start, health_check(node, _filled)) if known else None


def _image_build(folder: str, build: Node, base: ImageBuild | None) -> ImageBuild | None:
    if isinstance(build, ScalarNode):
        return _located(folder, text(build), None, None, ())
    if get(build, "dockerfile_inline") is not None:
        return None
    given = pairs(get(build, "args"), also_list=True)
    arguments = tuple((key, known) for key, value in given if (known := _filled(value)) is not None)
    context, dockerfile, stage = (text(get(build, key)) for key in ("context", "dockerfile", "target"))
    if base is None or context is not None:
        return _located(folder, context or ".", dockerfile, stage, arguments)
    merged = tuple({**dict(base.arguments), **dict(arguments)}.items())
    own = _located(folder, None, dockerfile, stage, merged, context_at=base.context)
    if own is None:
        return None
    return replace(
        own,
        dockerfile=own.dockerfile if dockerfile else base.dockerfile,
        stage=own.stage if stage else base.stage,
    )


def _located(
    folder: str,
    context: str | None,
    dockerfile: str | None,
    stage: str | None,
    arguments: tuple[tuple[str, str], ...],
    context_at: str | None = None,
) -> ImageBuild | None:
    """The build with its paths, which compose reads from its own folder and from the context."""
    written = _filled(context) if context is not None else None
    if context_at is None:
        if written is None or not is_local(written):
            return None
        context_at = join(folder, written)
    file = _filled(dockerfile or "Dockerfile")
    target = _filled(stage) if stage is not None else None
    if context_at is None or file is None or (stage is not None and target is None):
        return None
    place = join(context_at, file)
    return ImageBuild(place, context_at, target or None, arguments=arguments) if place else None


def _filled(written: str) -> str | None:
    """The text with variables at their defaults; None when one has none: it is set from outside."""
    value = _VARIABLE.sub(
        lambda match: "\0" if match[0] == "$$" else match[0] if match[3] is None else match[3], written
    )
    return None if "$" in value else value.replace("\0", "$")
