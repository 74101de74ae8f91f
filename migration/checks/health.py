"""Checks that the image, started as it is, is called healthy by its own health check."""

from __future__ import annotations

from phasewise.migration.checks.subject import Subject, result
from phasewise.migration.events import Cancel
from phasewise.migration.images import Engine
from phasewise.model.measurement import CheckResult, Verdict

_ID, _TITLE = "health", "health check"
_EXPLANATIONS = {
    "unhealthy": "started without network, the container is unhealthy",
    "starting": "started without network, the container does not become healthy within its own limits",
    "exited": "started without network, the container ends by itself",
}


def check_health(engine: Engine, image: str, subject: Subject, cancel: Cancel) -> CheckResult:
    """Starts the image without network and waits for its health check; skipped where that can tell nothing.

    Raises:
        Cancelled: `cancel` was asked; the container is gone.
    """
    own = subject.health is subject.info.config.get("Healthcheck")
    title = _TITLE if own else f"{_TITLE} of the compose file"
    if not subject.health:
        lost = subject.baseline.passed(_ID)
        verdict = Verdict.FAILED if lost else Verdict.SKIPPED
        explanation = "the image has no health check any more" if lost else ""
        return CheckResult(_ID, _TITLE, verdict, "the image has no health check", explanation)
    if subject.baseline.verification and not subject.baseline.passed(_ID):
        return CheckResult(_ID, title, Verdict.SKIPPED, "the baseline did not become healthy here")
    found = engine.health(image, healthcheck=None if own else subject.health, cancel=cancel)
    printed = found.output.strip()
    explanation = _EXPLANATIONS.get(found.status, found.status)
    last = printed.splitlines()[-1] if printed else "it printed nothing"
    return result(
        _ID,
        title,
        found.status == "healthy",
        f"{found.status}\n{printed}".strip(),
        f"{explanation}: {last}",
        found.seconds,
    )
