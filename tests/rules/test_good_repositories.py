"""What the plan says of images that are built well already: nothing but what a careful reviewer would accept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from stories import good

from phasewise.migration.git import Repository
from phasewise.migration.planning import Wishes, make_plan
from phasewise.migration.scan import scan, view
from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Risk
from phasewise.model.repo import RepoView

PROPOSED: Mapping[str, Mapping[str, Risk]] = {
    # UV_COMPILE_BYTECODE trades bytes for a faster start. That is the author's to decide: it waits for a yes.
    "uv": {"drop_compileall": Risk.ASK},
    # apt's downloads are the only ones of its that are not kept.
    "poetry": {"cache_mounts": Risk.CHECK},
    "pip": {},
}
MEASURED: Mapping[str, Mapping[str, Risk]] = {
    "uv": {},
    # Their workflows build an image under a fixed name, so that a budget can be checked: only when asked for.
    "poetry": {"size_budget": Risk.ASK},
    # The environment's own pip, which nothing in the image calls, is 10 MB.
    "pip": {"prune_site_packages": Risk.CHECK, "size_budget": Risk.ASK},
}
ENVIRONMENTS = {"uv": "/app", "poetry": "/srv/kwit/.venv", "pip": "/opt/venv"}


def planned(seen: RepoView) -> dict[str, Risk]:
    return {phase.id: phase.risk for phase in make_plan(seen, Wishes()).phases}


def census(style: str) -> Census:
    """Small packages with hardly any tests; pip only where `python -m venv` puts it."""
    path = ENVIRONMENTS[style]
    site = f"{path}/lib/python3.12/site-packages"
    packages = [Distribution("flask", "3.1.1", site, 600_000), Distribution("click", "8.2.1", site, 500_000)]
    if style == "pip":
        packages.append(Distribution("pip", "25.0.1", site, 10_400_000))
    return Census(
        image_bytes=170_000_000,
        layers=(),
        file_bytes=165_000_000,
        distributions=tuple(packages),
        test_bytes={site: 210_000},
        strippable_bytes={site: 45_000},
    )


@pytest.mark.parametrize("style", good.STYLES)
def test_exactly_that_is_proposed(style: str, tmp_path: Path) -> None:
    repository = Repository.open(good.create(style, tmp_path / style))
    (target,) = scan(repository, "HEAD")
    assert planned(view(repository, "HEAD", target)) == PROPOSED[style]
    measured = view(repository, "HEAD", target, census(style))
    assert planned(measured) == {**PROPOSED[style], **MEASURED[style]}
