"""Builds a small repository before and after a rule, and compares what the checks see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace
from test_split_builds import Image, Workshop

from phasewise.migration.census import take_census
from phasewise.migration.images import Engine
from phasewise.model.measurement import CheckResult
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.base import Rule


class Trial:
    """One small repository, and the images that come of it."""

    def __init__(
        self, engine: Engine, repository: str, folder: Path, dockerfile: str, files: Mapping[str, str]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.shop = Workshop(engine, repository, folder)
        everything = {"Dockerfile": dockerfile, **files}
        for path, text in everything.items():
            self.write(path, text)
        self.view = RepoView(Target("Dockerfile"), everything, frozenset(everything))

    def write(self, path: str, text: str) -> None:
        """Changes one file of the build context."""
        place = self.shop.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8", newline="")

    def build(self, text: str | None = None) -> Image:
        """The image of `text`, else of the Dockerfile as it was at first."""
        return self.shop.build(self.view.target, text or self.view.files["Dockerfile"])

    def propose(self, rule: Rule, image: Image | None = None) -> tuple[Phase, str]:
        """The phase, with the census of `image`, and the Dockerfile after it; once more gives nothing."""
        census = take_census(self.shop.engine, image.tag) if image else None
        view = replace(self.view, census=census)
        phase = rule.propose(view, {})
        assert isinstance(phase, Phase), phase
        assert isinstance(rule.propose(view.with_edits(phase.edits), {}), Declined)
        return phase, view.with_edits(phase.edits).files["Dockerfile"]

    def broken(self, before: Image, after: Image) -> list[CheckResult]:
        """What passed on the first image and does not on the second."""
        baseline = self.shop.verify(before)
        assert any(result.id.startswith("import:") for result in baseline.results)
        return list(self.shop.verify(after, baseline).broken_since(baseline))
