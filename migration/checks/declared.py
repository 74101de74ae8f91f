"""Runs the checks that a repository declares about itself in `[tool.phasewise]`."""

from __future__ import annotations

import shlex

from phasewise.migration.checks.subject import result
from phasewise.migration.confinement import Confinement
from phasewise.migration.containers import RunResult
from phasewise.migration.events import Cancel
from phasewise.migration.images import Engine
from phasewise.migration.settings import DeclaredCheck as DeclaredCheck
from phasewise.model.measurement import CheckResult

_SHOWN_CHARACTERS = 2000


def check_declared(engine: Engine, image: str, check: DeclaredCheck, cancel: Cancel) -> CheckResult:
    """`declared:NAME`, with what the command printed last.

    Raises:
        Cancelled: `cancel` was asked; the container is gone.
    """
    within = Confinement(network=check.network, timeout_seconds=check.timeout_seconds)
    ran = engine.run(image, check.command, within, cancel)
    printed = f"{ran.stdout}\n{ran.stderr}".strip()[-_SHOWN_CHARACTERS:]
    return result(
        f"declared:{check.name}", check.name, ran.ok, printed, _explanation(check, ran, printed), ran.seconds
    )


def _explanation(check: DeclaredCheck, ran: RunResult, printed: str) -> str:
    command = shlex.join(check.command)
    if ran.timed_out:
        return f"{command} did not end within {check.timeout_seconds:.0f} s"
    if ran.oom:
        return f"{command} ran out of memory"
    last = printed.splitlines()[-1] if printed else "it printed nothing"
    return f"{command} ended with status {ran.exit_code}: {last}"
