"""Runs the checks on an image: does it still behave as the baseline did?"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from phasewise.migration import probe, removals
from phasewise.migration.checks.command_line import health_command, start_command
from phasewise.migration.checks.config import check_config
from phasewise.migration.checks.declared import DeclaredCheck as DeclaredCheck
from phasewise.migration.checks.declared import check_declared
from phasewise.migration.checks.health import check_health
from phasewise.migration.checks.objects import check_objects
from phasewise.migration.checks.python import check_imports, check_metadata, check_scripts
from phasewise.migration.checks.start import check_start
from phasewise.migration.checks.subject import Baseline, Subject, result
from phasewise.migration.errors import Cancelled, NoEngine, PhasewiseError
from phasewise.migration.events import Cancel, CheckFinished, Event, Narration, Verified
from phasewise.migration.images import Engine
from phasewise.migration.probes.commands import programs
from phasewise.model.measurement import CheckResult, Verification

_APPLICATION = ("environments", "commands", "application")
_OBJECTS = ("elf", "libraries", "environments", "census", "objects")
_PROBE_SECONDS = 1200.0


def verify(
    engine: Engine,
    image: str,
    *,
    commit: str,
    baseline: Verification | None = None,
    declared: Sequence[DeclaredCheck] = (),
    owned_environment: Collection[str] = (),
    gone: Collection[str] = (),
    compose_health: Mapping[str, Any] | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Event]:
    """Checks `image`, built from `commit`; yields CheckFinished for each check and Verified, without `broken`, last.

    With `baseline`, what its image was, could import and could find is expected here too. Without, this is
    the baseline: its configuration is recorded, and the rest stands for itself. `owned_environment` names
    variables that a phase may change, `gone` the checks that ask for packages which a phase took out;
    `compose_health` counts where the image has no health check of its own.
    What the image runs on is not asked for as such; only behaviour is.

    Raises:
        Cancelled: `cancel` was asked; all containers are gone.
        PhasewiseError: there is no such image, or the engine refused.
    """
    cancel = cancel or Cancel()
    results: list[CheckResult] = []
    for event in _checks(
        engine, image, Baseline(baseline), declared, owned_environment, compose_health, cancel
    ):
        if isinstance(event, CheckFinished):
            event = CheckFinished(removals.allowed(event.result, gone))
            results.append(event.result)
        yield event
    for missing in tuple(removals.unasked(baseline, results, gone)):
        results.append(missing)
        yield CheckFinished(missing)
    image_id = engine.inspect(image).id
    yield Verified(Verification(commit, image_id, datetime.now(UTC), tuple(results)))


def _checks(
    engine: Engine,
    image: str,
    baseline: Baseline,
    declared: Sequence[DeclaredCheck],
    owned: Collection[str],
    compose_health: Mapping[str, Any] | None,
    cancel: Cancel,
) -> Iterator[Event]:
    info = engine.inspect(image)
    subject = Subject(info, baseline, compose_health=compose_health)
    yield Narration("importing every module that the image has")
    answers, python = _ask(engine, image, _APPLICATION, [_request(subject)], cancel)
    yield from _finished(python)
    objects = None
    if python:
        yield Narration("looking at the image's libraries")
        objects, _ = _ask(engine, image, _OBJECTS, [], cancel, sees_all=True)
    subject = replace(subject, answers=answers, objects=objects)
    yield from _finished(check_config(subject, owned))
    if answers is not None:
        yield from _finished(check_start(subject, answers))
        yield from _finished(check_imports(subject, answers))
        yield from _finished(check_metadata(subject, answers))
        yield from _finished(check_scripts(subject, answers))
    if objects is not None:
        yield from _finished(check_objects(subject, objects))
    if subject.health:
        yield Narration("starting the image and waiting for its health check")
    yield CheckFinished(check_health(engine, image, subject, cancel))
    for check in declared:
        yield Narration(f"running the declared check {check.name}")
        yield CheckFinished(check_declared(engine, image, check, cancel))


def _finished(results: Iterator[CheckResult] | Sequence[CheckResult]) -> Iterator[Event]:
    return (CheckFinished(result) for result in results)


def _request(subject: Subject) -> str:
    """What the probe is asked: what the image starts, and what the baseline could besides what is found here."""
    start, baseline = start_command(subject.info.config), subject.baseline
    health = health_command({"Healthcheck": subject.health})
    return json.dumps(
        {
            "programs": [*programs(start), *programs(health)],
            "start": start,
            "imports": baseline.names("import"),
            "distributions": baseline.names("metadata"),
            "scripts": baseline.names("scripts"),
        }
    )


def _ask(
    engine: Engine,
    image: str,
    modules: Sequence[str],
    arguments: Sequence[str],
    cancel: Cancel,
    sees_all: bool = False,
) -> tuple[Any, tuple[CheckResult, ...]]:
    """A probe's answer, None when there is none, and the result on the Python itself; no result without Python."""
    id, title = "python", "Python"
    try:
        answer = probe.run(
            engine,
            image,
            modules,
            arguments,
            within=probe.confinement(_PROBE_SECONDS, sees_all),
            cancel=cancel,
        )
    except probe.NoPython:
        # Nothing to check in an image without Python; where the baseline had one, its checks are missed.
        return None, ()
    except (Cancelled, NoEngine):
        raise
    except PhasewiseError as error:
        return None, (
            result(id, title, False, error.message, f"the image's Python does not run: {error.message}"),
        )
    version = answer.get("version", "") if isinstance(answer, dict) else ""
    return answer, (result(id, title, True, version),)
