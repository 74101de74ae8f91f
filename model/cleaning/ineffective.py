"""Every clean-up of a target that has no effect where it stands, or goes wrong, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.cleaning.caches import cache_move, is_cache
from phasewise.model.cleaning.commands import (
    cleanings,
    only_cleans,
)
from phasewise.model.cleaning.copied import removes_copied
from phasewise.model.cleaning.left_alone import left_alone
from phasewise.model.cleaning.move import Move
from phasewise.model.cleaning.packages import package_move, repaired_in_place
from phasewise.model.python.environments import environment_copies
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script


def ineffective(view: RepoView) -> Iterator[Move]:
    """One Move a clean-up, in the order of the text; those that have to stay carry the reason."""
    dockerfile = view.dockerfile
    lineage = {stage.index for stage in dockerfile.lineage(view.stage)}
    sources = {copy.source.index for copy in environment_copies(dockerfile, view.stage)}
    for instruction in dockerfile.instructions:
        script = Script.of(dockerfile, instruction)
        if script is None or instruction.stage not in lineage | sources:
            continue
        found, in_image = cleanings(script), instruction.stage in lineage
        if not found or not only_cleans(script):
            move = repaired_in_place(view, script, found)
        elif any(not is_cache(root) for each in found for root, _ in each.roots):
            move = package_move(view, script, found, in_image=in_image)
        else:
            move = cache_move(view, script, found) if in_image else None
        if in_image and not move:
            move = removes_copied(dockerfile, view.stage, script) or left_alone(script)
        if move:
            yield move
