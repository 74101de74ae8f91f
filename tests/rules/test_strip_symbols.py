"""What stripping saves, by the census of an image whose packages may have stood elsewhere."""

import pytest

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


SYSTEM = "/usr/local/lib/python3.12/site-packages"
VENV = "/opt/venv/lib/python3.12/site-packages"


def answer(locations: list[str], strippable: dict[str, int], text: str = TEXT) -> Phase | Declined:
    packages = tuple(Distribution(f"numpy{number}", "2", at, 9) for number, at in enumerate(locations))
    census = Census(500_000_000, (), 400_000_000, packages, strippable_bytes=strippable)
    view = RepoView(Target("Dockerfile"), {"Dockerfile": text}, frozenset({"Dockerfile"}), census=census)
    return StripSymbols().propose(view, {})


def saving(locations: list[str], strippable: dict[str, int], text: str = TEXT) -> int | None:
    phase = answer(locations, strippable, text)
    assert isinstance(phase, Phase), phase
    return phase.predicted.image_bytes


def test_packages_that_a_phase_moved_save_what_they_would_have_where_they_were() -> None:
    # The interpreter's own symbols stay where they are: it is not in the environment.
    assert saving([SYSTEM], {"/usr/local": 7_000_000, SYSTEM: 5_000_000}) == -5_000_000


def test_packages_in_two_places_are_no_reason_to_decline_and_give_no_figure() -> None:
    assert saving([SYSTEM, "/root/.local/lib/python3.12/site-packages"], {SYSTEM: 5_000_000}) is None


def test_the_saving_is_what_the_census_found_there() -> None:
    assert saving([VENV, SYSTEM], {VENV: 5_000_000, "/usr/local": 7_000_000}) == -5_000_000


@pytest.mark.parametrize(("copied", "saved"), [("/usr/local", 8_000_000), (SYSTEM, 5_000_000)])
def test_the_interpreter_is_counted_where_it_is_copied_along(copied: str, saved: int) -> None:
    text = (
        "FROM python:3.12-slim AS builder\nRUN pip install numpy\nFROM python:3.12-slim\n"
        f"COPY --from=builder {copied} {copied}\n"
    )
    assert saving([SYSTEM], {"/usr/local": 3_000_000, SYSTEM: 5_000_000}, text) == -saved


def test_nothing_to_strip_is_a_reason() -> None:
    declined = answer([VENV], {"/usr/local": 7_000_000})
    assert isinstance(declined, Declined)
    assert "less than 1 MB" in declined.reason
