"""Looks inside an image: what is in it, by layer, Python distribution, Debian package and kind of file."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from phasewise.migration import probe, scratch
from phasewise.migration.errors import Cancelled, PhasewiseError
from phasewise.migration.events import BuildFinished, Cancel
from phasewise.migration.images import Engine, ImageInfo
from phasewise.model.census import Built, Census, Distribution, Script
from phasewise.model.measurement import Outcome

_MODULES = ("elf", "libraries", "environments", "census")
_TIMEOUT_SECONDS = 600.0


def take_census(engine: Engine, image: str, cancel: Cancel | None = None) -> Census:
    """The content of `image`, walked once by its own Python, or by that of a local Python image.

    Without either, the census holds the layers only, and its note says so. Nothing is exported and nothing
    of the image is executed but its Python.

    Raises:
        PhasewiseError: there is no such image, or the walk failed.
        Cancelled: `cancel` was asked.
    """
    cancel = cancel or Cancel()
    info = engine.inspect(image)
    try:
        found = probe.run(
            engine,
            image,
            _MODULES,
            # Bytecode that this very run writes must not be counted.
            options=("-I", "-B"),
            within=probe.confinement(_TIMEOUT_SECONDS, sees_all=True),
            cancel=cancel,
        )
    except probe.NoPython:
        found = _from_outside(engine, info, cancel)
    if found is None:
        return Census(
            info.size_bytes,
            info.layers,
            info.size_bytes,
            note="only the layers: no Python to look inside with",
        )
    return _census(info, found)


def _census(info: ImageInfo, found: Mapping[str, Any]) -> Census:
    markers = found["markers"]
    return Census(
        image_bytes=info.size_bytes,
        layers=info.layers,
        file_bytes=found["file_bytes"],
        distributions=tuple(_distribution(entry, markers) for entry in found["distributions"]),
        apt_packages=found["apt_packages"],
        apt_needs={name: tuple(needed) for name, needed in found["apt_needs"].items()},
        apt_automatic=tuple(found["apt_automatic"]),
        bytecode_bytes=found["bytecode"],
        legacy_bytecode_bytes=found["legacy_bytecode"],
        test_bytes=found["test"],
        test_bytecode_bytes=found["test_bytecode"],
        test_legacy_bytecode_bytes=found["test_legacy_bytecode"],
        header_bytes=found["header"],
        static_library_bytes=found["static_library"],
        strippable_bytes=found["strippable"],
        users=found["users"],
        duplicated_bytes=max(0, info.size_bytes - found["file_bytes"]),
        scripts=tuple(Script(**entry) for entry in found["scripts"]),
        library_packages={name: tuple(needing) for name, needing in found["library_packages"].items()},
        misaligned=tuple(found["misaligned"]),
    )


def _distribution(entry: Mapping[str, Any], markers: Mapping[str, str]) -> Distribution:
    return Distribution(
        name=entry["name"],
        version=entry["version"] or "",
        location=entry["location"],
        size_bytes=entry["size_bytes"],
        imports=tuple(entry["imports"]),
        requires=required(entry["requires"], markers),
        legacy_bytecode_bytes=entry["legacy_bytecode_bytes"],
        data=tuple(entry["data"]),
        built=Built(entry["built"]),
        origin=entry["origin"],
    )


def required(lines: list[str], markers: Mapping[str, str]) -> tuple[str, ...]:
    """Normalised names of the requirements that hold where `markers` does, extras left out; sorted."""
    names = set()
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({**markers, "extra": ""}):
            names.add(str(canonicalize_name(requirement.name)))
    return tuple(sorted(names))


def _from_outside(engine: Engine, info: ImageInfo, cancel: Cancel) -> Any:
    """The same walk by a local Python image, over `info` bound into a build step; None without such an image.

    The binding needs a name: BuildKit does not resolve image ids.
    """
    pythons = sorted(tag for tag in engine.local_tags() if tag.startswith("python:3") and "slim" in tag)
    if not pythons:
        return None
    name = f"phasewise-census:{uuid.uuid4().hex}"
    engine.tag(info.id, name)
    try:
        return _walk_in_build(engine, pythons[-1], name, cancel)
    finally:
        engine.untag(name)


def _walk_in_build(engine: Engine, python: str, image: str, cancel: Cancel) -> Any:
    with scratch.folder("census") as directory:
        context, result = directory / "context", directory / "result"
        context.mkdir()
        (context / "probe.py").write_text(probe.bundle(*_MODULES), encoding="utf-8")
        (context / "Dockerfile").write_text(
            f"FROM {python} AS census\n"
            f"RUN --mount=type=bind,from={image},target=/image --mount=type=bind,target=/probe \\\n"
            '    ["/bin/sh", "-c", "python3 -I -B /probe/probe.py /image > /census.json"]\n'
            "FROM scratch\n"
            "COPY --from=census /census.json /\n",
            encoding="utf-8",
        )
        finished: BuildFinished | None = None
        for event in engine.build(context, context / "Dockerfile", output=result, cold=True, cancel=cancel):
            if isinstance(event, BuildFinished):
                finished = event
        if finished is None or finished.outcome is Outcome.CANCELLED:
            raise Cancelled("stopped")
        if finished.outcome is not Outcome.BUILT:
            raise PhasewiseError(f"the image could not be looked into: {finished.error}")
        return json.loads((result / "census.json").read_text(encoding="utf-8"))
