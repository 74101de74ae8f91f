"""What a check looks at: the image, what was found inside it, and what the baseline's checks had found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from phasewise.migration.checks.command_line import health_command
from phasewise.migration.images import ImageInfo
from phasewise.model.measurement import CheckResult, Verdict, Verification


class Baseline(Struct, frozen=True):
    """The baseline's results, or none: then this image is the baseline."""

    verification: Verification | None = None

    @property
    def results(self) -> Mapping[str, CheckResult]:
        """By id."""
        return {result.id: result for result in self.verification.results} if self.verification else {}

    def passed(self, id: str) -> bool:
        """Whether that check passed on the baseline."""
        result = self.results.get(id)
        return result is not None and result.verdict is Verdict.PASSED

    def names(self, family: str) -> tuple[str, ...]:
        """What stands behind `family:` in the ids that passed on the baseline."""
        prefix = f"{family}:"
        return tuple(
            id.removeprefix(prefix) for id in self.results if id.startswith(prefix) and self.passed(id)
        )

    def value(self, id: str) -> Any:
        """The value that a check of the baseline recorded as its detail; None where it recorded none."""
        result = self.results.get(id)
        if result is None or not result.detail:
            return None
        try:
            return json.loads(result.detail)
        except json.JSONDecodeError:
            return None

    def lines(self, id: str) -> frozenset[str]:
        """The lines of what a check of the baseline recorded."""
        result = self.results.get(id)
        return frozenset(result.detail.splitlines()) if result else frozenset()


class Subject(Struct, frozen=True):
    """One image, with what was found inside it."""

    info: ImageInfo
    baseline: Baseline = field(default_factory=Baseline)
    answers: Mapping[str, Any] | None = None
    """What `probes/application.py` printed; None when the image has no Python or it did not run."""
    objects: Mapping[str, Any] | None = None
    """What `probes/objects.py` printed; None likewise."""
    compose_health: Mapping[str, Any] | None = None
    """The health check that a compose file gives the image."""

    @property
    def health(self) -> Mapping[str, Any] | None:
        """The health check that counts, as the engine takes it: the image's own, else compose's."""
        return (
            self.info.config.get("Healthcheck") if health_command(self.info.config) else self.compose_health
        )

    def no_longer(self, id: str, verb: str, infinitive: str) -> str:
        """`no longer loads` where the baseline did, `does not load` otherwise."""
        return f"no longer {verb}" if self.baseline.passed(id) else f"does not {infinitive}"


def result(
    id: str, title: str, passed: bool, detail: str = "", explanation: str = "", seconds: float = 0.0
) -> CheckResult:
    """A result that passed or failed; the explanation is kept only when it failed."""
    verdict = Verdict.PASSED if passed else Verdict.FAILED
    return CheckResult(id, title, verdict, detail, "" if passed else explanation, seconds)
