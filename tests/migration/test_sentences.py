"""The sentences that a job ends with."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from phasewise.migration import sentences
from phasewise.migration.events import BuildFinished, Finished, Verified
from phasewise.model.measurement import CheckResult, Measurement, Outcome, Scenario, Verdict, Verification
from phasewise.model.repo import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE = Measurement(
    "c0ffee", "Dockerfile", "0", Scenario.REBUILD, Outcome.BUILT, NOW, "docker", image_bytes=400_000_000
)


def verification(*verdicts: Verdict) -> Verification:
    results = tuple(CheckResult(str(number), "a check", verdict) for number, verdict in enumerate(verdicts))
    return Verification("c0ffee", "sha256:1", NOW, results)


@pytest.mark.parametrize(
    ("image_bytes", "sentence"),
    [
        (100_000_000, "Dockerfile.ci: 100 MB, 75 % smaller than Dockerfile"),
        (800_000_000, "Dockerfile.ci: 800 MB, 100 % bigger than Dockerfile"),
        (400_000_000, "Dockerfile.ci: 400 MB, as big as Dockerfile"),
        (None, "Dockerfile.ci: built"),
    ],
)
def test_a_variant_beside_the_whole(image_bytes: int | None, sentence: str) -> None:
    assert (
        sentences.variant(replace(WHOLE, dockerfile="Dockerfile.ci", image_bytes=image_bytes), WHOLE)
        == sentence
    )


def test_a_variant_beside_nothing() -> None:
    small = replace(WHOLE, dockerfile="Dockerfile.ci")
    assert sentences.variant(small, replace(WHOLE, image_bytes=None)) == "Dockerfile.ci: 400 MB"


@pytest.mark.parametrize(
    ("finished", "sentence"),
    [
        (BuildFinished(Outcome.BUILT, 1.0, "sha256:1"), ""),
        (
            BuildFinished(Outcome.FAILED, 1.0, error="RUN x\nnot found"),
            "api/Dockerfile does not build: not found",
        ),
        (BuildFinished(Outcome.FAILED, 1.0), "api/Dockerfile does not build: no reason given"),
        (
            BuildFinished(Outcome.INCONCLUSIVE, 1.0, error="The disk is full.\nRUN x\nENOSPC"),
            "api/Dockerfile could not be built for now: The disk is full.",
        ),
    ],
)
def test_why_there_is_no_image(finished: BuildFinished, sentence: str) -> None:
    assert sentences.build_problem(finished, Target("api/Dockerfile")) == sentence


@pytest.mark.parametrize(
    ("baseline", "finished"),
    [
        ((Verdict.PASSED,), Finished(True, "all checks pass")),
        (
            (Verdict.PASSED, Verdict.FAILED, Verdict.SKIPPED),
            Finished(
                True,
                "all checks pass that passed on the baseline; 1 failed there already, 1 could not be run there",
            ),
        ),
    ],
)
def test_what_the_checks_come_to(baseline: tuple[Verdict, ...], finished: Finished) -> None:
    assert sentences.checks(Verified(verification(Verdict.PASSED)), verification(*baseline)) == finished


def test_what_is_broken_is_counted() -> None:
    broken = verification(Verdict.FAILED, Verdict.FAILED)
    said = [sentences.checks(Verified(broken, broken.results[:n]), verification()).summary for n in (1, 2)]
    assert said == [
        "1 check fails that passed on the baseline",
        "2 checks fail that passed on the baseline",
    ]
