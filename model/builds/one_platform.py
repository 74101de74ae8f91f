"""Where a Dockerfile, or what it reads, is made for amd64 alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from phasewise.model.dockerfile import DockerfileError, Instruction
from phasewise.model.python.installs import installs, origin_of
from phasewise.model.python.requirements import RequirementsError, listed
from phasewise.model.repo import BuildReference, RepoView
from phasewise.model.shell import Script

_AMD64 = re.compile(r"(?<![A-Za-z0-9])(amd64|x86[_-]64|x64)(?![A-Za-z0-9])", re.I)
_ASKS = re.compile(
    r"TARGETARCH|TARGETPLATFORM|--print-architecture|uname\s+(-m|-p|--machine)|DEB_HOST|HOSTTYPE|`arch`|\$\(arch\)|arm64|aarch64",
    re.I,
)
_WRITES = frozenset({"RUN", "COPY", "ADD", "ENV", "ARG"})


def fixed(view: RepoView) -> Iterator[tuple[str, int]]:
    """File and 1-based line of each place that names amd64 and does not ask which platform is built for.

    Looks at the stages that the target needs, the scripts that they run and the requirements that they install.
    """
    dockerfile = view.dockerfile
    for index in sorted(dockerfile.needed_by(view.stage)):
        stage = dockerfile.stages[index]
        start = stage.instructions[0]
        platform = dockerfile.expand(stage.platform, start) if stage.platform else None
        if _AMD64.search(f"{platform or ''} {stage.base}"):
            yield dockerfile.path, start.line
        for instruction in stage.instructions:
            if instruction.keyword in _WRITES:
                yield from _of_instruction(view, instruction)
    yield from _of_requirements(view)


def fixed_for(view: RepoView, builds: Sequence[BuildReference]) -> Iterator[tuple[str, int]]:
    """What is made for amd64 in anything that these steps build; a matrix may build several Dockerfiles."""
    for build in builds:
        target = replace(view.target, dockerfile=build.dockerfile, context=build.context, stage=build.stage)
        try:
            yield from fixed(replace(view, target=target))
        except DockerfileError:
            yield build.dockerfile, 1
        if any("amd64" in value or "x86_64" in value for _, value in build.arguments):
            yield build.path, build.line


def _of_instruction(view: RepoView, instruction: Instruction) -> Iterator[tuple[str, int]]:
    dockerfile = view.dockerfile
    read = dockerfile.executed(instruction)
    if _AMD64.search(read) and not _ASKS.search(read):
        place = _AMD64.search(dockerfile.text, instruction.span.start)
        yield dockerfile.path, dockerfile.line_of(place.start() if place else instruction.span.start)
    script = Script.of(dockerfile, instruction)
    for word in (word for command in script.commands if script for word in command.argv) if script else ():
        origin = origin_of(view, word, instruction) if word.endswith(".sh") else None
        text = view.files.get(origin.path, "") if origin else ""
        match = None if _ASKS.search(text) else _AMD64.search(text)
        if origin and match:
            yield origin.path, text.count("\n", 0, match.start()) + 1


def _of_requirements(view: RepoView) -> Iterator[tuple[str, int]]:
    needed = view.dockerfile.needed_by(view.stage)
    for source in (s for each in installs(view) if each.instruction.stage in needed for s in each.sources):
        try:
            lines = listed(source.key, view.files.__getitem__)
        except RequirementsError:
            continue
        for line in lines:
            if _AMD64.search(line.text) and "platform_machine" not in line.text:
                yield line.path, line.line
