"""A comment goes with what it is about."""

from __future__ import annotations

import pytest

from phasewise.model.syntax.comments import divide


@pytest.mark.parametrize(
    ("lines", "stays", "moves"),
    [
        pytest.param(["# gcc: wheels", "# curl: health check"], [1], [0], id="by name"),
        pytest.param(
            ["# Whatever must be compiled.", "# Then the rest."], [1], [0], id="by what it speaks of"
        ),
        pytest.param(["# gcc and curl"], [0], [0], id="about both"),
        pytest.param(
            ["# Needed so that", "# gcc finds its headers"], [], [0, 1], id="one thought in two lines"
        ),
        pytest.param(["# System packages"], [0], [], id="about neither"),
    ],
)
def test_divides(lines: list[str], stays: list[int], moves: list[int]) -> None:
    assert divide(lines, {"curl"}, {"gcc"}) == ([lines[i] for i in stays], [lines[i] for i in moves])


def test_everything_moves_when_nothing_stays() -> None:
    assert divide(["# System packages"], set(), {"gcc"}) == ([], ["# System packages"])
