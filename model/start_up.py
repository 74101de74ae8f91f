"""What importing the application costs, before and after a phase: the price of baked bytecode, in words."""

from __future__ import annotations

from dataclasses import dataclass

from phasewise.model.measurement import CheckResult, Verdict, Verification
from phasewise.model.units import duration

_APPLICATION = "app"


@dataclass(frozen=True, slots=True)
class StartUp:
    """One import of the same thing in two images."""

    what: str
    """`app.main:app`, or `all modules` for an image whose command names no application object."""
    before_seconds: float
    after_seconds: float

    @classmethod
    def between(cls, before: Verification, after: Verification) -> StartUp | None:
        """From the checks' own timings; None where one side did not import it."""
        first, second = _imported(before), _imported(after)
        if first is None or second is None or first[0] != second[0]:
            return None
        return cls(first[0], first[1], second[1])

    @property
    def sentence(self) -> str:
        """`importing app.main:app took 0.8 s before, 2.6 s after (one import each)`."""
        return (
            f"importing {self.what} took {duration(self.before_seconds)} before, "
            f"{duration(self.after_seconds)} after (one import each)"
        )


def _imported(verification: Verification) -> tuple[str, float] | None:
    """What was imported, and in how many seconds; one that failed says nothing about the time."""
    named = next((result for result in verification.results if result.id == _APPLICATION), None)
    if named is not None:
        return (named.title.removeprefix("application "), named.seconds) if _passed(named) else None
    modules = [result for result in verification.results if result.id.startswith("import:")]
    if not modules or not all(map(_passed, modules)):
        return None
    return "all modules", sum(result.seconds for result in modules)


def _passed(result: CheckResult) -> bool:
    return result.verdict is Verdict.PASSED
