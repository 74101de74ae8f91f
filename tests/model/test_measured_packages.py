"""Where the baseline's image has the packages that a Dockerfile installs, and where that is not known."""

import pytest

from phasewise.model.census import Census, Distribution
from phasewise.model.repo import RepoView, Target
from phasewise.model.stages.measured_packages import measured_folders, measured_places

SYSTEM = "/usr/local/lib/python3.12/site-packages"
VENV = "/opt/venv/lib/python3.12/site-packages"
HOME = "/root/.local/lib/python3.12/site-packages"
MOVED = """\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy
FROM python:3.12-slim
COPY --from=builder /opt/venv /opt/venv
"""


def view(text: str, *locations: str) -> RepoView:
    """Packages at `locations`, pip and Debian's own beside them."""
    packages = [
        Distribution("pip", "25", SYSTEM, 9),
        Distribution("hg", "7", "/usr/lib/python3/dist-packages", 9),
    ]
    packages += [Distribution("numpy", "2", location, 9) for location in locations]
    census = Census(99, (), 99, tuple(packages))
    return RepoView(Target("Dockerfile"), {"Dockerfile": text}, frozenset({"Dockerfile"}), census=census)


@pytest.mark.parametrize("before", [SYSTEM, HOME])
def test_packages_that_moved_are_found_where_they_were(before: str) -> None:
    assert measured_folders(view(MOVED, before), "/opt/venv") == (before,)
    assert measured_places(view(MOVED, before), "/opt/venv") == (before,)


def test_packages_that_stayed_are_found_there() -> None:
    seen = view(MOVED, SYSTEM, VENV)
    assert measured_folders(seen, "/opt/venv") == (VENV,)
    assert measured_places(seen, "/opt/venv") == ("/opt/venv",)


@pytest.mark.parametrize(
    ("text", "locations"),
    [
        (MOVED, ()),
        (MOVED, (SYSTEM, HOME)),
        (MOVED.replace("\nFROM", "\nRUN pip install gunicorn\nFROM"), (SYSTEM,)),
        (MOVED.replace("python:3.12-slim", "registry.example/base"), (SYSTEM,)),
        (MOVED.replace("/opt/venv", "/srv/venv"), (SYSTEM,)),
    ],
    ids=["no packages", "two places", "two environments", "a base with packages of its own", "another path"],
)
def test_what_is_not_known_is_not_guessed(text: str, locations: tuple[str, ...]) -> None:
    assert measured_folders(view(text, *locations), "/opt/venv") == ()
    assert measured_places(view(text, *locations), "/opt/venv") == ()


def test_a_tool_beside_the_packages_is_no_second_environment() -> None:
    text = MOVED.replace("RUN python", "RUN pip install uv\nRUN python")
    assert measured_folders(view(text, SYSTEM), "/opt/venv") == (SYSTEM,)
