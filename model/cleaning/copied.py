"""What a COPY brings in a layer of its own, and a later RUN of the same image removes: it stays in the image."""

from __future__ import annotations

from posixpath import join, normpath

from phasewise.model.cleaning.commands import cleanings
from phasewise.model.cleaning.move import Move
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import within
from phasewise.model.shell import Script
from phasewise.model.stages.recursion import destination, goes_beside


def removes_copied(dockerfile: Dockerfile, stage: Stage, script: Script) -> Move | None:
    """The RUN with the line of the COPY whose files it removes, and what would spare them; None for other RUNs."""
    found = cleanings(script)
    removed = [(each.span.start, root) for each in found if not each.finds for root, _ in each.roots]
    for offset, root in removed:
        path = normpath(
            join(_directory(dockerfile, script, offset), dockerfile.expand(root, script.instruction) or root)
        )
        for copy in dockerfile.making(stage):
            if copy.span < script.instruction.span and _brings(dockerfile, copy, path):
                line = script.instruction.line
                return Move(
                    script.instruction,
                    found,
                    reason=f"line {line} removes {root}, which the {copy.keyword} of line {copy.line} brought in an "
                    "earlier layer, which frees nothing, and stays: RUN --mount=type=bind would lend a step the files "
                    "without a layer",
                )
    return None


def _brings(dockerfile: Dockerfile, copy: Instruction, path: str) -> bool:
    """Whether all that the COPY brings, or a file of it, is at `path` or below it."""
    if copy.keyword not in ("COPY", "ADD") or (where := destination(dockerfile, copy)) is None:
        return False
    names = [word.value.rpartition("/")[2] for word in dockerfile.words(copy)[:-1]]
    files = [join(where, name) for name in names] if goes_beside(dockerfile, copy) else []
    return within(where, path) or path in files


def _directory(dockerfile: Dockerfile, script: Script, offset: int) -> str:
    """Where the shell stands at `offset` of the text, as far as the cd commands before it tell."""
    directory = dockerfile.workdir(script.instruction)
    for command in script.commands:
        if command.name == "cd" and len(command.argv) == 2 and command.span.start < offset:
            directory = normpath(
                join(directory, dockerfile.expand(command.argv[1], script.instruction) or "")
            )
    return directory
