"""The price at start-up comes from two imports of the same thing, or it is not told."""

from datetime import UTC, datetime

import pytest

from phasewise.model.measurement import CheckResult, Verdict, Verification
from phasewise.model.start_up import StartUp


def checked(*results: CheckResult) -> Verification:
    return Verification("c0ffee", "sha256:1", datetime(2026, 1, 1, tzinfo=UTC), results)


def app(seconds: float, title: str = "application app:app", verdict: Verdict = Verdict.PASSED) -> CheckResult:
    return CheckResult("app", title, verdict, seconds=seconds)


def module(name: str, seconds: float) -> CheckResult:
    return CheckResult(f"import:{name}", f"import {name}", Verdict.PASSED, seconds=seconds)


def test_the_application_counts() -> None:
    before, after = checked(module("numpy", 9.0), app(0.84)), checked(app(2.6), module("numpy", 1.0))
    price = StartUp.between(before, after)
    assert price == StartUp("app:app", 0.84, 2.6)
    assert price.sentence == "importing app:app took 0.8 s before, 2.6 s after (one import each)"


def test_without_an_application_all_modules_count() -> None:
    before, after = checked(module("a", 1.0), module("b", 2.0)), checked(module("a", 3.0), module("b", 4.0))
    assert StartUp.between(before, after) == StartUp("all modules", 3.0, 7.0)


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
