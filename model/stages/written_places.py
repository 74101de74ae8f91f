"""Where the steps of a stage put what a later stage may need: environments, copied files, commands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from posixpath import join

from msgspec import Struct
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import overlap, within
from phasewise.model.python.console_scripts import names_distribution
from phasewise.model.python.environments import SYSTEM, Install, home, installs, made_environment
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.common_ground import python_version, version_may_differ
from phasewise.model.stages.recursion import absolute, destination
from phasewise.model.stages.side_effects import may_leave

_DATA = r"(jupyter|notebook|nb|ipy|intel-|mkl|tbb|daal|onedal|mxnet|bokeh|catboost|plotly|voila)[\w.-]*"
"""Distributions that have files in share, etc or lib of the environment, not only in site-packages."""
_MORE: frozenset[str] = frozenset()
_TOOLS = frozenset({"uv", "pip", "setuptools"})
"""Packages that only install others and require none; what wheel and poetry require, a service may use."""


class Written(Struct, frozen=True):
    """What steps of a stage wrote under one directory."""

    places: tuple[str, ...]
    """The outermost directories and files, absolute."""
    tools: Mapping[str, frozenset[str]]
    """Those of them that hold nothing but tools that install others, with the tools' names (uv, poetry)."""


class Unclear(Exception):
    """What a step writes is not known; the message is a clause."""


def written_under(view: RepoView, stage: Stage, steps: Sequence[Instruction], path: str) -> Written:
    """What `steps`, instructions of `stage`, wrote under `path`; caches are left out, which nothing reads.

    Raises:
        Unclear: a step may write something there that is not known, or it is `path` itself that a step fills.
    """
    places: dict[str, list[frozenset[str]]] = {}
    for step in steps:
        for place, tools in _places(view, stage, step, path):
            if overlap(place, path):
                places.setdefault(place, []).append(tools)
    outermost = [
        place for place in places if not any(other != place and within(place, other) for other in places)
    ]
    held = {
        place: [names for other, each in places.items() if within(other, place) for names in each]
        for place in outermost
    }
    only_tools = {place: frozenset().union(*each) for place, each in held.items() if all(each)}
    return Written(tuple(sorted(outermost)), only_tools)


def system_places(view: RepoView, stage: Stage) -> tuple[str, ...]:
    """Where pip installs in the official Python image: packages, commands, and the data that some bring.

    Data comes from the census of the baseline's image, where the packages' own records list it. Before there
    is one, those are declined that are known to bring some.

    Raises:
        Unclear: the version of Python is not known, or the data is not.
    """
    version = python_version(view.dockerfile, stage)
    if version is None:
        raise Unclear(f"the version of Python in stage {stage.label} is not known")
    if name := version_may_differ(view, stage):
        raise Unclear(f"builds set {name}, and with it the version of Python that the path names")
    if view.census is None and names_distribution(view, stage, _DATA):
        raise Unclear(
            "its packages have files beside site-packages; which, is known once the baseline is built"
        )
    site = f"{SYSTEM}/lib/python{version}/site-packages"
    data = {
        path
        for found in (view.census.distributions if view.census else ())
        if found.location == site
        for path in found.data
    }
    return (f"{SYSTEM}/bin", site, *sorted(data))


def _places(
    view: RepoView, stage: Stage, step: Instruction, path: str
) -> Iterator[tuple[str, frozenset[str]]]:
    """(place, the tools in it where there is nothing else) for what the step writes. Raises Unclear."""
    dockerfile = view.dockerfile
    if step.keyword in ("COPY", "ADD"):
        where = destination(dockerfile, step)
        if where is None or (within(path, where) and not _goes_beside(dockerfile, step, where, path)):
            raise Unclear(f"line {step.line} copies files into {where or 'a place that is not known'}")
        if within(where, path):
            yield where, _MORE
    elif step.keyword == "ONBUILD":
        raise Unclear(f"line {step.line}: ONBUILD acts in another build")
    elif step.keyword == "RUN":
        script = Script.of(dockerfile, step)
        if script is None:
            raise Unclear(f"line {step.line}: what this RUN does cannot be read")
        known = {
            found.command.span: found for found in installs(dockerfile, stage) if found.instruction is step
        }
        for command in script.commands:
            install = known.get(command.span)
            if install:
                yield from _installed(view, stage, install, path)
            elif made := made_environment(dockerfile, step, command):
                _check_interpreter(view, stage, step, command, path)
                yield made, _MORE
            elif command.argv[:3] == ("uv", "python", "install"):
                yield _managed(dockerfile, step), _MORE
            elif command.name == "mkdir":
                yield from ((made, _MORE) for made in _made_inside(dockerfile, step, command, path))
            elif may_leave(dockerfile, script, command, path):
                line = dockerfile.line_of(command.span.start)
                raise Unclear(f"line {line}: `{_brief(command)}` may write something under {path}")


def _goes_beside(dockerfile: Dockerfile, step: Instruction, where: str, path: str) -> bool:
    """Whether a COPY into a directory above `path` brings nothing below it: each name is another one."""
    if where == path or any(character in step.value for character in "*?[$") or step.heredocs:
        return False
    *sources, _ = (word.value.rstrip("/") for word in dockerfile.words(step))
    names = {source.rpartition("/")[2] for source in sources}
    inside = path[len(where.rstrip("/")) + 1 :].split("/")[0]
    return len(sources) > 0 and all("." in name.strip(".") for name in names) and inside not in names


def _made_inside(dockerfile: Dockerfile, step: Instruction, command: Command, path: str) -> Iterator[str]:
    """The directories under `path` that mkdir makes, `path` itself left out."""
    for word in command.argv[1:]:
        where = None if word.startswith("-") else absolute(dockerfile, step, word)
        if where and where != path and within(where, path) and "/.cache" not in where:
            yield where


def _installed(
    view: RepoView, stage: Stage, install: Install, path: str
) -> Iterator[tuple[str, frozenset[str]]]:
    command, step = install.command, install.instruction
    if command.name in ("poetry", "pdm", "pipenv") and not _into_system(view.dockerfile, step):
        raise Unclear(f"line {step.line}: where {command.name} puts its environment is not known")
    if install.environment == SYSTEM:
        if not view.dockerfile.runs_as_root(step):
            raise Unclear(f"line {step.line} installs as somebody else than root")
        if overlap(path, SYSTEM):
            yield from ((place, _MORE) for place in system_places(view, stage))
        return
    if command.name == "uv" and command.argv[1:2] == ("sync",):
        _check_interpreter(view, stage, step, command, path)
    yield install.environment, _installs_tools(command)


def _installs_tools(command: Command) -> frozenset[str]:
    """The names of what the command installs, where all of that are tools which install others."""
    argv = command.argv
    words = argv[argv.index("install") + 1 :] if "install" in argv else ("x",)
    named = {re.split(r"[=<>!~\[;]", word)[0].lower() for word in words if not word.startswith("-")}
    takes_files = any(word.startswith(("-r", "--requirement", "-e", "--editable")) for word in words)
    return frozenset(named) if named <= _TOOLS and not takes_files else _MORE


def _into_system(dockerfile: Dockerfile, step: Instruction) -> bool:
    """Whether poetry is told to make no environment of its own."""
    if dockerfile.variables(step).get("POETRY_VIRTUALENVS_CREATE", "").lower() in ("false", "0"):
        return True
    stage = dockerfile.stages[step.stage or 0]
    texts = [i.value for i in dockerfile.making(stage) if i.span <= step.span]
    return any(re.search(r"virtualenvs\.create\s+(false|0)\b", text) for text in texts)


def _managed(dockerfile: Dockerfile, step: Instruction) -> str:
    """Where uv puts the interpreters that it downloads."""
    variables = dockerfile.variables(step)
    return variables.get("UV_PYTHON_INSTALL_DIR") or join(home(dockerfile, step), ".local/share/uv/python")


def _check_interpreter(view: RepoView, stage: Stage, step: Instruction, command: Command, path: str) -> None:
    """Raises Unclear where uv may download an interpreter under `path`, which the environment then points to."""
    if command.name != "uv" or not within(_managed(view.dockerfile, step), path):
        return
    variables = view.dockerfile.variables(step) | dict(command.assignments)
    if variables.get("UV_PYTHON_DOWNLOADS", "").lower() in ("never", "0", "false", "manual"):
        return
    if variables.get("UV_PYTHON_PREFERENCE") in ("only-system", "system"):
        return
    version = python_version(view.dockerfile, stage)
    asked = any(word.startswith(("--python", "-p", "--managed")) for word in command.argv) or any(
        name in variables for name in ("UV_PYTHON", "UV_MANAGED_PYTHON", "UV_PYTHON_PREFERENCE")
    )
    if version is None or asked or not _project_takes(view, version):
        raise Unclear(
            f"line {step.line}: uv may put an interpreter under {path}, which the environment points to"
        )


def _project_takes(view: RepoView, version: str) -> bool:
    """Whether the project is content with the image's Python, as .python-version and pyproject.toml say."""
    wanted = view.files.get(view.context_path(".python-version"), "").strip()
    if wanted and not f"{wanted}.".startswith(f"{version}."):
        return False
    try:
        project = tomllib.loads(view.files.get(view.context_path("pyproject.toml"), ""))
        written = str(project.get("project", {}).get("requires-python", ""))
        return SpecifierSet(written).contains(f"{version}.99")
    except (tomllib.TOMLDecodeError, InvalidSpecifier, AttributeError):
        return False


def _brief(command: Command) -> str:
    words = " ".join(command.argv)
    return words if len(words) <= 40 else f"{words[:37]}..."
