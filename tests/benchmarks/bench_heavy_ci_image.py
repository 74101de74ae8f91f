"""The image for CI beside the whole one, with the packages that make the real project heavy: torch and its CUDA.

Run with `PHASEWISE_HEAVY=1 make benchmark`: it downloads 3 GB and takes 30 GB of disk while it runs. Figures are
printed, never asserted: machines differ.
"""

import os
from pathlib import Path

import pytest
from git import Repo
from git_fixtures import own_git_settings
from stories import bot_core
from story_runs import commit_all, figures, finish

from phasewise.migration.errors import NoEngine
from phasewise.migration.session import Session
from phasewise.model.measurement import Measurement, Scenario
from phasewise.model.units import size

__all__ = ["own_git_settings"]

REQUIREMENTS = "python-ai-service/requirements.txt"
TORCH = "torch==2.8.0\n"


@pytest.mark.skipif("PHASEWISE_HEAVY" not in os.environ, reason="3 GB to download; PHASEWISE_HEAVY=1 does it")
def test_the_image_for_ci(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = bot_core.create(tmp_path / "bot_core")
    with (place / REQUIREMENTS).open("a", encoding="utf-8") as requirements:
        requirements.write(TORCH)
    Repo(place).git.commit("--all", "--quiet", "--message", "Predict with a network")
    session = Session.open(place)
    try:
        session.engine_label()
    except NoEngine as missing:
        pytest.skip(missing.message)
    baseline = session.status().baseline
    try:
        # What is inside the image tells which build tools the one for CI can do without.
        finish(session.prepare())
        phases = commit_all(session)
        whole = cold(session, baseline)
        (light_target,) = (one for one in session.targets if one.dockerfile.endswith("Dockerfile.ci"))
        session.select(light_target)
        light = cold(session, "HEAD")
    finally:
        session.clean()
    assert whole.image_bytes
    assert light.image_bytes
    assert whole.samples
    assert light.samples
    with capsys.disabled():
        print(
            f"\nbot_core with torch: {size(whole.image_bytes)} in {whole.samples.median:.0f} s cold as it is;"
            f" for CI, after {len(phases)} phases, {size(light.image_bytes)} in {light.samples.median:.0f} s:"
            f" {light.image_bytes / whole.image_bytes - 1:+.0%},"
            f" {whole.samples.median / light.samples.median:.1f} times as fast"
        )


def cold(session: Session, revision: str) -> Measurement:
    """A build from nothing."""
    return figures(session, revision, [Scenario.COLD])[Scenario.COLD]
