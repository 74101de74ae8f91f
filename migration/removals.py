"""The checks that ask for packages which applied phases take out of the image on purpose."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from phasewise.model.census import Census
from phasewise.model.measurement import CheckResult, Verdict, Verification

_GONE = "not in the image any more: an applied phase takes it out on purpose"


def checks_of(census: Census | None, distributions: Collection[str]) -> frozenset[str]:
    """The ids of the checks that are about these distributions of the baseline's image, and about nothing else."""
    if census is None:
        return frozenset()
    shared = {
        module for each in census.distributions if each.name not in distributions for module in each.imports
    }
    ids = {f"{family}:{name}" for name in distributions for family in ("metadata", "elf", "libraries")}
    for each in census.distributions:
        if each.name in distributions:
            ids |= {f"import:{module}" for module in each.imports if module not in shared}
    for script in census.scripts:
        if script.distribution in distributions:
            ids.add(f"scripts:{script.path.rpartition('/')[2]}")
    return frozenset(ids)


def allowed(result: CheckResult, gone: Collection[str]) -> CheckResult:
    """The result; one that fails only because what it asks for is gone on purpose counts as passed."""
    if result.id not in gone or result.verdict is Verdict.PASSED:
        return result
    return CheckResult(result.id, result.title, Verdict.PASSED, _GONE)


def unasked(
    baseline: Verification | None, results: Iterable[CheckResult], gone: Collection[str]
) -> Iterator[CheckResult]:
    """The checks of the baseline that nothing is left to run, for what is gone on purpose."""
    here = {result.id for result in results}
    for result in baseline.results if baseline else ():
        if result.id in gone and result.id not in here and result.verdict is Verdict.PASSED:
            yield CheckResult(result.id, result.title, Verdict.PASSED, _GONE)
