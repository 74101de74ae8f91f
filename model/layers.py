"""Which layer of a measured image a RUN wrote, and how large it is."""

from __future__ import annotations

from phasewise.model.census import Census
from phasewise.model.dockerfile import Instruction
from phasewise.model.shell import Script


def layer_bytes(census: Census | None, instruction: Instruction, script: Script | None = None) -> int | None:
    """The bytes of the layer that the RUN wrote in the baseline's image; None where it is not known.

    The engine's history gives the command as the shell got it, a heredoc's body too. A RUN that an earlier phase
    changed is not in it, and neither is one of a stage that the image only copies from.
    """
    if census is None:
        return None
    wanted = [_flat(instruction.value)]
    if script and script.tree is not None:
        wanted.append(_flat(script.source.value))
    sizes = {
        layer.size_bytes
        for layer in census.layers
        if any(f" {text} " in f" {_flat(layer.created_by)} " for text in wanted if text)
    }
    return sizes.pop() if len(sizes) == 1 else None


def _flat(text: str) -> str:
    return " ".join(text.split())
