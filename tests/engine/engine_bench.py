"""A folder that is built with one Dockerfile after another: sizes, failures, and what a container prints."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from phasewise.migration.census import take_census
from phasewise.migration.events import BuildFinished
from phasewise.migration.images import REPOSITORY_LABEL, Engine
from phasewise.model.census import Census
from phasewise.model.measurement import Outcome
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.base import Rule


class Bench:
    """One small repository; its images carry the label of the test session, which removes them."""

    def __init__(self, engine: Engine, repository: str, folder: Path, files: Mapping[str, str] | None = None):
        self.engine, self.repository, self.folder = engine, repository, folder
        self.files = dict(files or {})
        self.count = 0
        for path, text in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="")

    def _build(self, dockerfile: str) -> tuple[str, BuildFinished]:
        self.count += 1
        (self.folder / "Dockerfile").write_text(dockerfile, encoding="utf-8", newline="")
        tag = f"{self.repository}:{self.folder.name}-{self.count}".lower()
        *_, finished = self.engine.build(
            self.folder, self.folder / "Dockerfile", tag=tag, labels={REPOSITORY_LABEL: self.repository}
        )
        assert isinstance(finished, BuildFinished)
        return tag, finished

    def build(self, dockerfile: str) -> str:
        """The image's tag; the test fails when it does not build."""
        tag, finished = self._build(dockerfile)
        assert finished.outcome is Outcome.BUILT, finished.error
        return tag

    def error(self, dockerfile: str) -> str:
        """What the build says that must fail."""
        _, finished = self._build(dockerfile)
        assert finished.outcome is not Outcome.BUILT
        return str(finished.error)

    def size(self, image: str) -> int:
        """Bytes of the image."""
        return self.engine.inspect(image).size_bytes

    def census(self, image: str) -> Census:
        """What is inside the image."""
        return take_census(self.engine, image)

    def migrate(self, rule: Rule, dockerfile: str, census: Census | None = None) -> tuple[Phase, str]:
        """What the rule proposes, and the Dockerfile after it; proposing again must give nothing."""
        everything = {**self.files, "Dockerfile": dockerfile}
        view = RepoView(Target("Dockerfile"), everything, frozenset(everything), census=census)
        phase = rule.propose(view, {})
        assert isinstance(phase, Phase), phase
        done = view.with_edits(phase.edits)
        assert isinstance(rule.propose(done, {}), Declined)
        return phase, done.files["Dockerfile"]

    def run(self, image: str, *command: str) -> str:
        """What a command prints in a container without a network."""
        return self.attempt(image, *command, check=True).stdout.strip()

    def attempt(self, image: str, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """How a command ends in a container without a network."""
        program, *rest = command
        return subprocess.run(
            ["docker", "run", "--rm", "--network", "none", "--entrypoint", program, image, *rest],
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )
