"""What importing the application costs, before and after a phase: the price of baked bytecode, in words."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.measurement import CheckResult, Samples, Verdict, Verification

_APPLICATION = "app"


class StartUp(Struct, frozen=True):
    """Imports of the same thing in two images."""

    what: str
    """`app.main:app`, or `all modules` for an image whose command names no application object."""
    before: Samples
    after: Samples

    @classmethod
    def between(cls, before: Verification, after: Verification) -> StartUp | None:
        """From the checks' own timings; None where one side did not import it."""
        first, second = _imported(before), _imported(after)
        if first is None or second is None or first[0] != second[0]:
            return None
        return cls(first[0], first[1], second[1])

    @property
    def spread(self) -> float:
        """The larger of the two spreads, in seconds."""
        return max(self.before.spread, self.after.spread)

    @property
    def imports(self) -> int:
        """How often each side was imported, at least."""
        return min(len(self.before.seconds), len(self.after.seconds))

    @property
    def is_measurable(self) -> bool:
        """Whether the difference stands out of the spread; one import each can never tell."""
        return self.imports > 1 and abs(self.after.median - self.before.median) > self.spread

    @property
    def sentence(self) -> str:
        """`importing app.main:app took 0.81 s ±0.03 before, 2.60 s ±0.10 after (median of 5 imports each)`."""
        sides = f"{_seconds(self.before)} before, {_seconds(self.after)} after"
        if self.imports == 1:
            return f"importing {self.what} took {sides} (one import each: a small difference may be chance)"
        how = f"(median of {self.imports} imports each)"
        if not self.is_measurable:
            return f"importing {self.what}: no measurable change, {sides} {how}"
        return f"importing {self.what} took {sides} {how}"


def _seconds(samples: Samples) -> str:
    spread = f" ±{samples.spread / 2:.2f}" if len(samples.seconds) > 1 else ""
    return f"{samples.median:.2f} s{spread}"


def _imported(verification: Verification) -> tuple[str, Samples] | None:
    """What was imported, and in how many seconds; one that failed says nothing about the time."""
    named = next((result for result in verification.results if result.id == _APPLICATION), None)
    if named is not None and named.verdict is Verdict.FAILED:
        return None
    if named is not None and named.seconds:
        return named.title.removeprefix("application "), named.samples or Samples((named.seconds,))
    modules = [result for result in verification.results if result.id.startswith("import:")]
    if not modules or not all(map(_passed, modules)):
        return None
    return "all modules", Samples((sum(result.seconds for result in modules),))


def _passed(result: CheckResult) -> bool:
    return result.verdict is Verdict.PASSED
