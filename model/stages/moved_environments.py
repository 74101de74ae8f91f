"""Virtual environments that a COPY puts where their commands do not start."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.paths import within
from phasewise.model.python.environments import made_environment
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.copies import StageCopy, stage_copies


def moved_environments(view: RepoView) -> Iterator[StageCopy]:
    """The COPYs of the target's lineage that give a virtual environment another path than it was made at.

    Not those of environments that can be moved (`uv venv --relocatable`), or whose old path a step makes anew.
    Source: the console scripts of an environment name its interpreter in their first line, by its path.
    """
    dockerfile = view.dockerfile
    runs = [i.value for i in dockerfile.making(view.stage) if i.keyword == "RUN"]
    copies = list(stage_copies(dockerfile, view.stage))
    for copy in copies:
        is_there = any(within(copy.path, other.target) for other in copies)
        if not is_there and not any(copy.path in value for value in runs) and _is_made(dockerfile, copy):
            yield copy


def _is_made(dockerfile: Dockerfile, copy: StageCopy) -> bool:
    made = False
    for instruction in dockerfile.making(copy.source):
        script = Script.of(dockerfile, instruction) if instruction.keyword == "RUN" else None
        for command in script.commands if script else ():
            if made_environment(dockerfile, instruction, command) == copy.path:
                made = "--relocatable" not in command.argv
    return made
