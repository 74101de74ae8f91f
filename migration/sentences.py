"""What a build or a check comes to, in the sentences that a job ends with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phasewise.migration.events import BuildFinished, Finished, Verified
from phasewise.model.measurement import Measurement, Outcome, Verdict, Verification
from phasewise.model.status import Row
from phasewise.model.units import percent_change, size

if TYPE_CHECKING:
    from phasewise.model.repo import Target


def build_problem(finished: BuildFinished, target: Target) -> str:
    """Why a build gave no image; '' when it gave one."""
    if finished.outcome is Outcome.BUILT:
        return ""
    lines = finished.error.strip().splitlines() or ["no reason given"]
    if finished.outcome is Outcome.INCONCLUSIVE:
        # The first line is the sentence on what was away; the rest is the step's own output.
        return f"{target.label} could not be built for now: {lines[0]}"
    return f"{target.label} does not build: {lines[-1]}"


def checks(verified: Verified, baseline: Verification) -> Finished:
    """Whether all that passed on the baseline passes, and in how far the others can tell nothing."""
    broken = len(verified.broken)
    if broken:
        checks = "1 check fails" if broken == 1 else f"{broken} checks fail"
        return Finished(False, f"{checks} that passed on the baseline")
    failed, skipped = baseline.count(Verdict.FAILED), baseline.count(Verdict.SKIPPED)
    if not failed and not skipped:
        return Finished(True, "all checks pass")
    left_out = [f"{failed} failed there already"] if failed else []
    left_out += [f"{skipped} could not be run there"] if skipped else []
    return Finished(True, f"all checks pass that passed on the baseline; {', '.join(left_out)}")


def findings(row: Row) -> list[str]:
    """What else was measured of a phase: the Dockerfile that it added, its price at start-up."""
    sentences = [variant(row.variant, row.measurement)] if row.variant and row.measurement else []
    return sentences + ([row.start_up.sentence] if row.start_up else [])


def variant(measurement: Measurement, whole: Measurement) -> str:
    """`Dockerfile.ci: 157 MB, 56 % smaller than Dockerfile`."""
    if measurement.image_bytes is None:
        return f"{measurement.dockerfile}: {measurement.outcome}"
    figure = f"{measurement.dockerfile}: {size(measurement.image_bytes)}"
    if not whole.image_bytes:
        return figure
    change = percent_change(whole.image_bytes, measurement.image_bytes).lstrip("+\N{MINUS SIGN}")
    if measurement.image_bytes == whole.image_bytes:
        return f"{figure}, as big as {whole.dockerfile}"
    word = "smaller" if measurement.image_bytes < whole.image_bytes else "bigger"
    return f"{figure}, {change} {word} than {whole.dockerfile}"
