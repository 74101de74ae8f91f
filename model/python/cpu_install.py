"""Puts an install of PyTorch's CPU builds in front of the command that would bring in the CUDA builds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.python.environments import installs as environment_installs
from phasewise.model.python.installs import Install, options_of
from phasewise.model.python.prepend import prepended
from phasewise.model.python.torch_builds import CPU_INDEX, FAMILY, Bringing
from phasewise.model.repo import RepoView
from phasewise.model.text import Edit, Span

_OWN_PLACE = ("--prefix", "--target", "-t", "--root")
_OWN_INDEX = (
    "--no-index",
    "-i",
    "--index-url",
    "--extra-index-url",
    "--index",
    "--default-index",
    "-f",
    "--find-links",
    "--torch-backend",
)
_AGAIN = ("--force-reinstall", "-I", "--ignore-installed", "--reinstall")
_UPGRADE = ("-U", "--upgrade")
_NOT_FOR_WHEELS = frozenset(
    {
        *_UPGRADE,
        "--upgrade-strategy",
        "-r",
        "--requirement",
        "--requirements",
        "-e",
        "--editable",
        "-c",
        "--constraint",
        "--constraints",
        "--no-deps",
        "--pre",
        "--no-build-isolation",
        "--extra",
        "--all-extras",
        "--group",
        "--resolution",
        "--config-settings",
    }
)
_VARIABLES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_FIND_LINKS",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_CONFIG_FILE",
    "PIP_FORCE_REINSTALL",
    "PIP_IGNORE_INSTALLED",
    "PIP_UPGRADE",
    "PIP_REQUIRE_HASHES",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_TORCH_BACKEND",
)
_SETTINGS = ("pip.conf", "uv.toml")
_COMMENT = "# PyTorch's CPU builds come first: what asks for it afterwards finds it installed and keeps it."


def first_ones(view: RepoView, found: Collection[Bringing]) -> tuple[Bringing, ...]:
    """The first command for each environment of each stage; what comes later finds PyTorch there."""
    dockerfile = view.dockerfile
    first: list[tuple[int, str, Bringing]] = []
    for each in found:
        stage = dockerfile.stages[each.install.instruction.stage or 0]
        place = _environment(dockerfile, each.install)
        lineage = {one.index for one in dockerfile.lineage(stage)}
        if not any(index in lineage and place == other for index, other, _ in first):
            first.append((stage.index, place, each))
    return tuple(each for _, _, each in first)


def why_not(view: RepoView, each: Bringing, versions: Mapping[str, str]) -> str:
    """Why a CPU build that is installed before would not be found or kept by this command; empty when it is."""
    dockerfile, install = view.dockerfile, each.install
    where = f"{dockerfile.path}:{dockerfile.line_of(install.command.span.start)}"
    options = {name for name, _ in options_of(install)}
    if install.instruction.exec_form is not None:
        return f"{where} is in exec form, to which no second command can be added"
    if place := options.intersection(_OWN_PLACE):
        return (
            f"{where} installs with {min(place)}, where pip does not see what is installed already: "
            "one virtual environment would do"
        )
    if index := options.intersection(_OWN_INDEX):
        return f"{where} has an index of its own ({min(index)})"
    if again := options.intersection(_AGAIN):
        return f"{where} installs again what is there ({min(again)})"
    if any("--hash=" in line.text for line in each.asked):
        return (
            f"{where} installs by hash, and the hashes are those of the CUDA builds: compile the list again "
            f"with `--extra-index-url {CPU_INDEX}` and torch=={versions.get('torch', '...')}+cpu"
        )
    if setting := _setting(view, install.instruction, install):
        return f"{setting}: whether PyTorch's CPU index can be reached from there is not known"
    if options.intersection(_UPGRADE) and not _survives_upgrade(each, options):
        return (
            f"{where} upgrades (-U), which would replace the CPU build: pin what it brings in to one version"
        )
    return ""


def edits(view: RepoView, each: Bringing, versions: Mapping[str, str]) -> Iterator[Edit]:
    """The install in front of the command, joined so that its failure ends the build, and a comment above."""
    dockerfile, install = view.dockerfile, each.install
    text = dockerfile.text
    newline = "\r\n" if "\r\n" in text else "\n"
    start = dockerfile.lines(install.instruction, comments=False).start
    yield Edit(Span(start, start), f"{_COMMENT}{newline}")
    yield from prepended(dockerfile, install, _command(text, install, versions))


def _command(text: str, install: Install, versions: Mapping[str, str]) -> str:
    """The same installer with the same options, for the CPU builds alone."""
    words = install.command.words
    verb = next(word for word in words if word.value == "install")
    kept = [span.of(text) for name, span in options_of(install) if not _is_dropped(name)]
    pins = [f"{name}=={versions[name]}" for name in FAMILY if name in versions]
    called = text[install.command.span.start : verb.span.end]
    return " ".join([called, *kept, "--no-deps", "--index-url", CPU_INDEX, *pins])


def _is_dropped(name: str) -> bool:
    return name in _NOT_FOR_WHEELS or (name.startswith(("-r", "-c")) and not name.startswith("--"))


def _environment(dockerfile: Dockerfile, install: Install) -> str:
    stage = dockerfile.stages[install.instruction.stage or 0]
    return next(
        (
            each.environment
            for each in environment_installs(dockerfile, stage)
            if each.command.span == install.command.span
        ),
        "",
    )


def _setting(view: RepoView, instruction: Instruction, install: Install) -> str:
    """What tells the installer about another index or place, outside of the command; empty for nothing."""
    dockerfile = view.dockerfile
    known = {*dockerfile.variables(instruction), *(name for name, _ in install.command.assignments)}
    known |= {name for name, _ in view.target.arguments}
    stage = dockerfile.stages[instruction.stage or 0]
    for each in dockerfile.making(stage):
        words = [word.value for word in dockerfile.words(each)]
        if each.keyword == "ARG":
            known |= {word.partition("=")[0] for word in words}
        if each.keyword in ("COPY", "ADD") and any(word.endswith(_SETTINGS) for word in words):
            return f"{dockerfile.path}:{each.line} brings settings of the installer"
    found = next((name for name in _VARIABLES if name in known), "")
    return f"{found} is set" if found else ""


def _survives_upgrade(each: Bringing, options: Collection[str]) -> bool:
    """Whether what is installed is already the newest that the requirements allow.

    pip upgrades only what it is asked for by name, uv everything.
    """
    everything = each.install.command.name == "uv" or "--upgrade-strategy" in options
    asked = [name for name in each.brings if everything or each.named(name)]
    return all(any(line.is_exact for line in each.named(name)) for name in asked)
