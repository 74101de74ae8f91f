"""Which layers of a measured image a RUN wrote, and how large they are."""

from __future__ import annotations

from collections.abc import Iterable

from phasewise.model.census import Census, Layer
from phasewise.model.dockerfile import Instruction
from phasewise.model.shell import Script


def layer_bytes(census: Census | None, instruction: Instruction, script: Script | None = None) -> int | None:
    """The bytes of the layer that the RUN wrote in the baseline's image; None where it is not known.

    The engine's history gives the command as the shell got it, a heredoc's body too. A RUN that an earlier phase
    changed is not in it, and neither is one of a stage that the image only copies from.
    """
    if census is None:
        return None
    wanted = [instruction.value]
    if script and script.tree is not None:
        wanted.append(script.source.value)
    sizes = {layer.size_bytes for layer in written_layers(census, wanted)}
    return sizes.pop() if len(sizes) == 1 else None


def written_layers(census: Census, commands: Iterable[str]) -> list[Layer]:
    """The layers of the baseline's image that one of `commands` wrote, however its words are spaced."""
    wanted = [f" {command} " for command in map(flat, commands) if command]
    return [layer for layer in census.layers if any(each in f" {flat(layer.created_by)} " for each in wanted)]


def flat(command: str) -> str:
    """A command on one line with one space between words, as the engine's history and a Dockerfile can be compared."""
    return " ".join(command.split())
