"""The stages that some container runs, and those that only a build needs."""

from __future__ import annotations

import re

from phasewise.model.dockerfile import Stage
from phasewise.model.repo import RepoView

_NAME_TARGETS = re.compile(
    r"\.hcl$|\.tf$|(^|/)docker-bake[^/]*\.json$|(^|/)\.?devcontainer(/[^/]+)*\.json$|(^|/)skaffold[^/]*\.ya?ml$"
    r"|(^|/)Tiltfile$|(^|/)(fly|railway)[^/]*\.toml$"
)
"""Files that may build a stage by name, beside those whose builds are read as such."""


def running_stages(view: RepoView) -> frozenset[int]:
    """The stages that some container runs, and what those inherit: tests may call what is in them."""
    dockerfile = view.dockerfile
    run = [
        stage
        for stage in dockerfile.stages
        if not dockerfile.dependents(stage) or _is_built_by_name(view, stage)
    ]
    return frozenset(
        ancestor.index for stage in (*run, dockerfile.stages[-1]) for ancestor in dockerfile.lineage(stage)
    )


def _is_built_by_name(view: RepoView, stage: Stage) -> bool:
    built = {name.lower() for name in (view.target.stage, *(build.stage for build in view.builds)) if name}
    if stage.name is None:
        return str(stage.index) in built
    named = re.compile(rf"\btarget\w*\W{{1,6}}{re.escape(stage.name)}\b", re.I)
    return bool({stage.name.lower(), str(stage.index)} & built) or any(
        named.search(view.files.get(path, "")) for path in view.matching(_NAME_TARGETS)
    )
