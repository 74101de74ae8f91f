"""The price at start-up comes from two imports of the same thing, or it is not told."""

from datetime import UTC, datetime
from statistics import median

import pytest
from msgspec.structs import replace

from phasewise.model.measurement import CheckResult, Samples, Verdict, Verification
from phasewise.model.start_up import StartUp


def checked(*results: CheckResult) -> Verification:
    return Verification("c0ffee", "sha256:1", datetime(2026, 1, 1, tzinfo=UTC), results)


def app(seconds: float, title: str = "application app:app", verdict: Verdict = Verdict.PASSED) -> CheckResult:
    return CheckResult("app", title, verdict, seconds=seconds)


def repeated(*seconds: float) -> CheckResult:
    return replace(app(median(seconds)), samples=Samples(seconds))


def module(name: str, seconds: float) -> CheckResult:
    return CheckResult(f"import:{name}", f"import {name}", Verdict.PASSED, seconds=seconds)


def price(before: CheckResult, after: CheckResult) -> StartUp:
    found = StartUp.between(checked(module("numpy", 9.0), before), checked(after, module("numpy", 1.0)))
    assert found is not None
    return found


def test_a_difference_beyond_the_spread_is_the_price() -> None:
    found = price(repeated(0.84, 0.80, 0.90), repeated(2.6, 2.7, 2.5))
    assert found.is_measurable
    assert found.sentence == (
        "importing app:app took 0.84 s ±0.05 before, 2.60 s ±0.10 after (median of 3 imports each)"
    )


def test_a_difference_within_the_spread_is_no_measurable_change() -> None:
    found = price(repeated(0.80, 1.30, 0.84), repeated(0.90, 1.10, 1.00))
    assert not found.is_measurable
    assert found.sentence == (
        "importing app:app: no measurable change, 0.84 s ±0.25 before, 1.00 s ±0.10 after "
        "(median of 3 imports each)"
    )


def test_one_import_each_can_never_tell() -> None:
    found = price(app(0.84), app(2.6))
    assert not found.is_measurable
    assert found.sentence == (
        "importing app:app took 0.84 s before, 2.60 s after (one import each: a small difference may be chance)"
    )


@pytest.mark.parametrize(
    "named",
    [
        (),
        (app(0.0, "application main.py"),),
        (CheckResult("app", "application", Verdict.SKIPPED, "not checked: x"),),
    ],
)
def test_without_an_imported_application_all_modules_count(named: tuple[CheckResult, ...]) -> None:
    before, after = checked(module("a", 1.0), module("b", 2.0)), checked(module("a", 3.0), module("b", 4.0))
    before, after = (
        replace(before, results=(*before.results, *named)),
        replace(after, results=(*named, *after.results)),
    )
    assert StartUp.between(before, after) == StartUp("all modules", Samples((3.0,)), Samples((7.0,)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (checked(), checked(app(1.0))),
        (checked(app(1.0)), checked()),
        (checked(app(1.0)), checked(app(1.0, "application other:app"))),
        (checked(app(1.0)), checked(app(1.0, verdict=Verdict.FAILED))),
        (checked(app(1.0)), checked(module("a", 1.0))),
    ],
)
def test_nothing_is_told_of_what_was_not_imported_twice(before: Verification, after: Verification) -> None:
    assert StartUp.between(before, after) is None
