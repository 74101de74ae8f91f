"""The stages that some container runs, and those that only a build needs."""

from __future__ import annotations

from phasewise.model.repo import RepoView


def running_stages(view: RepoView) -> frozenset[int]:
    """The stages that some container runs, and what those inherit: tests may call what is in them."""
    dockerfile = view.dockerfile
    built = {(build.stage or "").lower() for build in view.builds} | {(view.target.stage or "").lower()}
    run = [
        stage
        for stage in dockerfile.stages
        if not dockerfile.dependents(stage) or (stage.name or "0").lower() in built
    ]
    return frozenset(
        ancestor.index for stage in (*run, dockerfile.stages[-1]) for ancestor in dockerfile.lineage(stage)
    )
