"""What the census says of an environment that is not in the baseline's image is nothing."""

from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.strip_symbols import StripSymbols

TEXT = """\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv
RUN /opt/venv/bin/pip install numpy
FROM python:3.12-slim
COPY --from=builder /opt/venv /opt/venv
"""


def answer(location: str, strippable: dict[str, int]) -> Phase | Declined:
    numpy = Distribution("numpy", "2.2.6", location, 60_000_000)
    census = Census(500_000_000, (), 400_000_000, (numpy,), strippable_bytes=strippable)
    view = RepoView(Target("Dockerfile"), {"Dockerfile": TEXT}, frozenset({"Dockerfile"}), census=census)
    return StripSymbols().propose(view, {})


def test_packages_that_stood_elsewhere_are_no_reason_to_decline() -> None:
    phase = answer("/usr/local/lib/python3.12/site-packages", {"/usr/local": 5_000_000})
    assert isinstance(phase, Phase)
    assert phase.predicted.image_bytes is None


def test_the_saving_is_what_the_census_found_there() -> None:
    phase = answer(
        "/opt/venv/lib/python3.12/site-packages", {"/opt/venv": 5_000_000, "/usr/local": 7_000_000}
    )
    assert isinstance(phase, Phase)
    assert phase.predicted.image_bytes == -5_000_000


def test_nothing_to_strip_is_a_reason() -> None:
    declined = answer("/opt/venv/lib/python3.12/site-packages", {"/usr/local": 7_000_000})
    assert isinstance(declined, Declined)
    assert "less than 1 MB" in declined.reason
