"""The COPYs from other stages that put a directory where it was, and what they look like with other paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.stages.recursion import destination


class StageCopy(Struct, frozen=True):
    """`COPY --from=source PATH PATH`."""

    instruction: Instruction
    stage: Stage
    """The one that it stands in."""
    source: Stage
    path: str
    """Absolute, as in the source."""
    target: str
    """Absolute: where it goes."""


def stage_copies(dockerfile: Dockerfile, stage: Stage) -> Iterator[StageCopy]:
    """Every path that a COPY of `stage` or of what it inherits takes from another stage; globs as written."""
    for ancestor in dockerfile.lineage(stage):
        for instruction in ancestor.instructions:
            source = dockerfile.source_stage(instruction)
            target = destination(dockerfile, instruction) if source else None
            odd = {"parents", "exclude"} & {flag.name for flag in instruction.flags}
            if source is None or target is None or instruction.heredocs or odd:
                continue
            for word in dockerfile.words(instruction)[:-1]:
                expanded = dockerfile.expand(word.value, instruction)
                if expanded:
                    path = absolute_source(expanded)
                    yield StageCopy(instruction, ancestor, source, path, target)


def absolute_source(word: str) -> str:
    """A source of a COPY --from, which starts at the other stage's root whatever its WORKDIR is."""
    return "/" + word.strip("/")


def rewritten(dockerfile: Dockerfile, instruction: Instruction, paths: Sequence[str]) -> str:
    """The COPY with its flags once for each of `paths`, each to the same path; one a line."""
    flags = " ".join(flag.span.of(dockerfile.text) for flag in instruction.flags)
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    return newline.join(f"COPY {flags} {path} {path}" for path in paths)
