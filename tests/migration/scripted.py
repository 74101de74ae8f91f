"""What a session asks of the engine, scripted: images without Python, so that checks look at their configuration."""

from fake_engine import FakeEngine

from phasewise.migration.images import ImageInfo
from phasewise.migration.probe import PYTHONS

_PROBES_OF_CHECKS = 1
"""Where the first finds no Python, the second is not tried."""


def expect_prepare(engine: FakeEngine, image: ImageInfo) -> None:
    """The baseline: a build, the census, the checks."""
    engine.expect_build(image=image)
    _expect_no_python(engine, 1 + _PROBES_OF_CHECKS)


def expect_try(engine: FakeEngine, image: ImageInfo, **build: object) -> None:
    """A commit: a build and the checks."""
    engine.expect_build(image=image, **build)
    expect_checks(engine)


def expect_checks(engine: FakeEngine) -> None:
    """The checks alone."""
    _expect_no_python(engine, _PROBES_OF_CHECKS)


def _expect_no_python(engine: FakeEngine, probes: int) -> None:
    for _ in range(probes * len(PYTHONS)):
        engine.expect_run()
