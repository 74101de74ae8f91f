"""The floor counts every byte once, names what stays, and says what a goal below it would take."""

import pytest
from msgspec.structs import replace

from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.floor import Asking, Floor, floor, predicted
from phasewise.model.needed import Package
from phasewise.model.phase import FileEdit, Phase, Prediction, Risk

TEXT = """\
FROM python:3.12-slim AS base
ENV A=1
RUN apt-get update && apt-get install -y gcc libpq5 && rm -rf /var/lib/apt/lists/*
FROM base
WORKDIR /app
COPY --from=other /opt/venv /opt/venv
COPY . .
CMD ["app"]
"""
LAYERS = (
    Layer("", 100),
    Layer("CMD [python]", 0),
    Layer("ENV A=1", 0),
    Layer("RUN /bin/sh -c apt-get update && apt-get install -y gcc libpq5 # buildkit", 40),
    Layer("WORKDIR /app", 1),
    Layer("COPY /opt/venv /opt/venv # buildkit", 500),
    Layer("COPY . . # buildkit", 9),
    Layer('CMD ["app"]', 0),
)
SITE = "/opt/venv/lib/python3.12/site-packages"
CENSUS = Census(
    650,
    LAYERS,
    650,
    (
        Distribution("torch", "2", SITE, 200, requires=("nvidia-cublas-cu12",)),
        Distribution("nvidia-cublas-cu12", "12", SITE, 250),
        Distribution("pip", "24", "/usr/local/lib/python3.12/site-packages", 12),
    ),
    {"gcc": 1, "gcc-12": 30, "libpq5": 3, "libc6": 5},
    test_bytes={"/opt/venv": 20, "/usr/local": 7},
)
DOCKERFILE = Dockerfile.parse(TEXT)
BUILT = (DOCKERFILE, DOCKERFILE.stages[-1])


def phase(id: str, prediction: Prediction, risk: Risk = Risk.SAFE) -> Phase:
    return Phase(id, id, "why", (FileEdit("Dockerfile", "a", id),), (), risk, prediction)


def test_parts_of_the_image() -> None:
    found = floor(CENSUS, None, [], [], (), BUILT)
    assert (found.base_bytes, found.application_bytes) == (100, 9)
    assert [(package.name, package.kind, package.size_bytes) for package in found.packages] == [
        ("nvidia-cublas-cu12", "python", 250),
        ("torch", "python", 200),
        ("gcc", "debian", 31),
        ("libpq5", "debian", 3),
    ]
    assert found.packages[0].needed_by == ("torch",)
    assert (found.image_bytes, found.planned_bytes, found.now_bytes) == (650, 650, None)


@pytest.mark.parametrize(
    "layers",
    [LAYERS[:-1], (*LAYERS[:-1], Layer("HEALTHCHECK x", 0)), LAYERS[-2:], ()],
    ids=["one missing", "another instruction", "too few", "none"],
)
def test_a_history_that_does_not_fit_gives_no_figure(layers: tuple[Layer, ...]) -> None:
    found = floor(replace(CENSUS, layers=layers), None, [], [], (), BUILT)
    assert (found.base_bytes, found.application_bytes) == (None, None)
    assert found.packages


def test_without_a_dockerfile_only_distributions_are_named() -> None:
    found = floor(CENSUS, None, [], [], (), None)
    assert [package.kind for package in found.packages] == ["python", "python"]


def test_what_two_phases_count_is_counted_once() -> None:
    tests = CENSUS.parts("test", "/opt/venv")
    assert tests == {"test /opt/venv": 20}
    assert CENSUS.parts("test", "/opt", "/usr/local") == {"test /opt/venv": 20, "test /usr/local": 7}
    one = phase("one", Prediction.of(tests, ""))
    two = phase("two", Prediction(-25, "", tests))
    assert predicted([one]) == -20
    assert predicted([one, two]) == -25
    assert predicted([one, two, phase("unknown", Prediction())]) == -25
    assert predicted([phase("more", Prediction(4)), one]) == -16
    assert predicted([]) == 0


def test_skipped_phases_count_for_the_floor_only_and_asking_ones_apart() -> None:
    phases = [
        phase("kept", Prediction(-10)),
        phase("skipped", Prediction(-100)),
        phase("asks", Prediction(-200), Risk.ASK),
        phase("asks_in_vain", Prediction(0), Risk.ASK),
    ]
    found = floor(CENSUS, None, [], phases, {"skipped"}, BUILT)
    assert (found.planned_bytes, found.image_bytes) == (640, 540)
    assert found.asking == (Asking("asks", 340),)


def test_what_was_measured_wins_over_what_was_predicted() -> None:
    done = phase("done", Prediction.of({"debian gcc": 31}, ""), Risk.ASK)
    measured = floor(CENSUS, 600, [done], [phase("next", Prediction(-10))], (), BUILT)
    assert (measured.now_bytes, measured.image_bytes) == (600, 590)
    assert "gcc" not in {package.name for package in measured.packages}, "an applied phase removed it"
    assert floor(CENSUS, None, [done], [], (), BUILT).image_bytes == 650 - 31
    wheels = floor(CENSUS, 600, [replace(done, removes=("nvidia-cublas-cu12",))], [], (), BUILT)
    assert [package.name for package in wheels.packages] == ["torch", "libpq5"]


def test_the_floor_is_never_below_the_base() -> None:
    assert floor(CENSUS, None, [], [phase("all", Prediction(-9999))], (), BUILT).image_bytes == 100
    assert floor(CENSUS, 80, [], [phase("all", Prediction(-9999))], (), BUILT).image_bytes == 80


def test_packages_that_are_installed_and_purged_are_not_in_the_image() -> None:
    text = TEXT.replace("&& rm -rf /var/lib/apt/lists/*", "&& apt-get purge -y gcc")
    dockerfile = Dockerfile.parse(text)
    found = floor(CENSUS, None, [], [], (), (dockerfile, dockerfile.stages[-1]))
    assert "gcc" not in {package.name for package in found.packages}


GOAL = Floor(
    1000,
    1000,
    None,
    300,
    10,
    (Package("a", "python", 400), Package("b", "python", 200)),
    (Asking("wheels", 700),),
)


def test_a_goal_above_the_floor_is_reachable() -> None:
    assert GOAL.goal(1000).reachable
    assert GOAL.goal(1000).packages == ()


def test_a_goal_below_it_names_what_would_have_to_go() -> None:
    goal = GOAL.goal(500)
    assert (goal.reachable, goal.over_bytes, goal.asking) == (False, 500, ())
    assert [package.name for package in goal.packages] == ["a", "b"]
    assert goal.short_bytes == 0
    assert GOAL.goal(900).asking == ("wheels",)
    assert [package.name for package in GOAL.goal(900).packages] == ["a"]
    assert GOAL.goal(100).short_bytes == 300
