"""Figures as people read them."""

import pytest

from phasewise.model.units import (
    bytes_of,
    clock,
    duration,
    duration_change,
    exact_bytes,
    percent_change,
    size,
    size_change,
)


@pytest.mark.parametrize(
    ("number_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (410_000_000, "410 MB"),
        (999_999_999, "1.00 GB"),
        (5_840_000_000, "5.84 GB"),
        (-5_840_000_000, "−5.84 GB"),
    ],
)
def test_size(number_bytes: int, text: str) -> None:
    assert size(number_bytes) == text


def test_size_change_has_a_sign() -> None:
    assert size_change(12_000_000) == "+12 MB"
    assert size_change(-12_000_000) == "−12 MB"
    assert size_change(0) == "0 B"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (41, "41 s"),
        (125, "2 min 05 s"),
        (3720, "1 h 02 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_percent_change() -> None:
    assert percent_change(11.89, 6.03) == "−49 %"
    assert percent_change(100, 100.2) == "0 %"
    assert percent_change(100, 150) == "+50 %"
    assert percent_change(0, 5) == ""


def test_every_byte() -> None:
    assert exact_bytes(11_890_123_456) == "11 890 123 456 B"
    assert exact_bytes(-1_000) == "−1 000 B"


def test_duration_change_has_a_sign_where_the_figure_is_not_zero() -> None:
    assert [duration_change(value) for value in (-38.2, 4.1, 0.04)] == ["−38 s", "+4.1 s", "0.0 s"]


def test_clock() -> None:
    assert [clock(value) for value in (14.9, 723, 3723)] == ["00:14", "12:03", "1:02:03"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("500MB", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("750 MiB", 750 * 1024**2),
        ("2g", 2_000_000_000),
        ("524288000", 524_288_000),
        ("10 B", 10),
        (" 1kB ", 1000),
    ],
)
def test_sizes_are_read(written: str, expected: int) -> None:
    assert bytes_of(written) == expected


@pytest.mark.parametrize("written", ["", "MB", "-5MB", "5XB", "5 iB", "1,5GB"])
def test_what_is_no_size_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        bytes_of(written)
