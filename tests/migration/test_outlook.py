"""What the plan leaves and what a goal takes, in sentences; everything predicted is called so."""

from phasewise.migration import outlook
from phasewise.model.floor import Asking, Floor
from phasewise.model.needed import Package

FLOOR = Floor(
    5_610_000_000,
    6_030_000_000,
    11_890_000_000,
    208_000_000,
    2_400_000,
    (
        Package("nvidia-cublas-cu12", "python", 3_200_000_000, ("torch",)),
        Package("torch", "python", 1_140_000_000, ("a", "b", "c")),
        *(Package(f"small{number}", "python", 1_000_000) for number in range(5)),
    ),
    (Asking("cpu_wheels", 1_510_000_000),),
)


def test_the_total_the_floor_and_what_it_is_made_of() -> None:
    assert outlook.sentences(FLOOR) == [
        "Plan: 6.03 GB predicted from the baseline's content, now 11.89 GB.",
        "Floor: 5.61 GB predicted. No phase removes the base image (208 MB), the application's files (2 MB), "
        "nvidia-cublas-cu12 (3.20 GB), torch (1.14 GB), small0 (1 MB), small1 (1 MB), small2 (1 MB) and "
        "2 smaller packages (2 MB). 1.05 GB are in no package.",
        "With cpu_wheels: 1.51 GB predicted.",
    ]


def test_nothing_is_said_of_parts_that_are_not_known() -> None:
    assert outlook.sentences(Floor(10, 12)) == [
        "Plan: 12 B predicted from the baseline's content.",
        "Floor: 10 B predicted.",
    ]
    assert outlook.sentences(None, 5) == []


def test_a_goal_comes_last() -> None:
    assert outlook.sentences(FLOOR, 6_000_000_000)[-1] == "Goal 6.00 GB: reachable, as predicted."


def test_goals() -> None:
    assert outlook.goal(FLOOR.goal(6_000_000_000)) == ["Goal 6.00 GB: reachable, as predicted."]
    assert outlook.goal(FLOOR.goal(2_000_000_000)) == [
        "Goal 2.00 GB: reachable only with cpu_wheels, off until you say yes; without, the floor is 3.61 GB "
        "above it.",
        "Or these would have to go: nvidia-cublas-cu12 (3.20 GB, which torch needs), torch (1.14 GB, which a and "
        "2 others need).",
    ]
    assert outlook.goal(FLOOR.goal(207_000_000)) == [
        "Goal 207 MB: unreachable, the floor is 5.40 GB above it.",
        "The base image alone has 208 MB: another one would have to be built on.",
    ]
    assert len(outlook.goal(FLOOR.goal(208_000_000))) == 3, "the base image alone would just do"
    unreachable = outlook.goal(FLOOR.goal(500_000_000))
    assert unreachable[0] == "Goal 500 MB: unreachable, the floor is 5.11 GB above it."
    assert unreachable[-1] == "Without all of them, 765 MB would still be missing."
