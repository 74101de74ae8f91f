"""Runs our scripts inside images: makes them one argument, finds the image's Python, reads the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from phasewise.migration.confinement import Confinement
from phasewise.migration.containers import NOT_EXECUTABLE, NOT_FOUND
from phasewise.migration.errors import PhasewiseError
from phasewise.migration.events import Cancel
from phasewise.migration.images import Engine

PYTHONS = (
    "python3",
    "python",
    "/usr/local/bin/python3",
    "/usr/bin/python3",
    "/opt/venv/bin/python",
    "/app/.venv/bin/python",
)
"""Where an image's Python is looked for; the first two through its PATH."""

_PACKAGE = "phasewise.migration.probes"

_LOADER = """\
import sys, types
for name in ("phasewise", "phasewise.migration", {package!r}):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
for name, source in {sources!r}:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
while "" in sys.path:
    sys.path.remove("")
module.main(*sys.argv[1:])
"""
_MEMORY_BYTES = 4_000_000_000
"""What importing all that a large image holds may take."""
_LONGEST_ARGUMENT_BYTES = 131_072
"""Linux' MAX_ARG_STRLEN."""


class NoPython(PhasewiseError):
    """The image has no Python that runs."""


def confinement(timeout_seconds: float, sees_all: bool = False) -> Confinement:
    """What a probe may do; one that `sees_all` is root and reads the folders of others, and may do nothing else."""
    if not sees_all:
        return Confinement(timeout_seconds=timeout_seconds, memory_bytes=_MEMORY_BYTES)
    return Confinement("0", ("DAC_READ_SEARCH",), timeout_seconds=timeout_seconds, memory_bytes=_MEMORY_BYTES)


def bundle(*modules: str) -> str:
    """One script that defines the probes named, in that order, and calls the last one's main.

    Raises:
        ValueError: it is too long for one argument of a command.
    """
    sources = [(f"{_PACKAGE}.{name}", _source(name)) for name in modules]
    script = _LOADER.format(package=_PACKAGE, sources=sources)
    if len(script.encode()) >= _LONGEST_ARGUMENT_BYTES:
        raise ValueError(f"{', '.join(modules)}: too long for one argument")
    return script


def run(
    engine: Engine,
    image: str,
    modules: Sequence[str],
    arguments: Sequence[str] = (),
    *,
    pythons: Sequence[str] = PYTHONS,
    options: Sequence[str] = (),
    within: Confinement,
    cancel: Cancel | None = None,
) -> Any:
    """What the probe printed on its last line, parsed; run by the first of `pythons` that the image has.

    Raises:
        NoPython: the image has none of them.
        PhasewiseError: the probe failed or ran out of time; the message holds its last lines.
        Cancelled: `cancel` was asked.
    """
    script = bundle(*modules)
    for python in pythons:
        result = engine.run(image, [python, *options, "-c", script, *arguments], within, cancel)
        if result.exit_code in (NOT_FOUND, NOT_EXECUTABLE):
            continue
        if not result.ok:
            raise PhasewiseError(_complaint(result.timed_out, within.timeout_seconds, result.stderr))
        return _answer(result.stdout)
    raise NoPython("the image has no Python that runs")


def _answer(printed: str) -> Any:
    try:
        return json.loads(printed.rstrip("\n").rpartition("\n")[2])
    except json.JSONDecodeError:
        raise PhasewiseError("the image's Python gave no answer that can be read") from None


def _complaint(timed_out: bool, timeout_seconds: float, stderr: str) -> str:
    if timed_out:
        return f"no answer from the image within {timeout_seconds:.0f} s"
    return f"the image's Python failed: {stderr.strip()[-1000:]}"


def _source(name: str) -> str:
    return resources.files(_PACKAGE).joinpath(f"{name}.py").read_text(encoding="utf-8")
