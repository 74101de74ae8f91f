"""Which entry of an image's history each instruction of a Dockerfile wrote."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.census import Census, Layer
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage


class Written(Struct, frozen=True):
    """One instruction and its entry in the image's history."""

    instruction: Instruction
    layer: Layer


def entries(census: Census, dockerfile: Dockerfile, stage: Stage) -> tuple[Written, ...] | None:
    """What the stage and those that it inherits wrote on top of their base image, in order.

    BuildKit writes one entry for each instruction but FROM and ONBUILD (seen with Engine 26.1.5). None where the
    history does not read so: another builder made it, its base has ONBUILD, or it is not that Dockerfile's.
    """
    instructions = [
        instruction
        for instruction in dockerfile.making(stage)
        if instruction.keyword not in ("FROM", "ONBUILD")
    ]
    if not instructions:
        return ()
    layers = census.layers[-len(instructions) :]
    fits = len(layers) == len(instructions) and all(
        layer.created_by.startswith(f"{instruction.keyword} ")
        for instruction, layer in zip(instructions, layers, strict=True)
    )
    return tuple(map(Written, instructions, layers)) if fits else None
