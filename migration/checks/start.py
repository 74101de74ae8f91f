"""Checks that what the image starts is there: the programs of its command and health check, its application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from phasewise.migration.checks.command_line import application, health_command, programs, start_command
from phasewise.migration.checks.python import explain_import, explain_program
from phasewise.migration.checks.subject import Subject, result
from phasewise.model.measurement import CheckResult


def check_start(subject: Subject, answers: Mapping[str, Any]) -> Iterator[CheckResult]:
    """`command`, `command:healthcheck` and `app`, each where the image has such a thing."""
    config = subject.info.config
    yield from _programs("command", "command", start_command(config), answers["programs"])
    yield from _programs(
        "command:healthcheck", "health check's command", health_command(config), answers["programs"]
    )
    yield from _application(subject, answers)


def _programs(
    id: str, title: str, argv: Sequence[str], found: Mapping[str, Mapping[str, str]]
) -> Iterator[CheckResult]:
    if not argv:
        return
    named = programs(argv)
    failing = [(name, found[name]["error"]) for name in named if found[name]["error"]]
    paths = ", ".join(found[name]["path"] or f"{name}: {found[name]['error']}" for name in named)
    yield result(
        id, title, not failing, paths, "; ".join(explain_program(name, error) for name, error in failing)
    )


def _application(subject: Subject, answers: Mapping[str, Any]) -> Iterator[CheckResult]:
    named, found = application(start_command(subject.info.config)), answers["application"]
    if named is None or found is None:
        return
    error = found["error"]
    module = named.value.partition(":")[0]
    explanation = explain_import(module, error, subject, "app") if named.kind == "object" else error
    yield result(
        "app", f"application {named.value}", not error, error or named.value, explanation, found["seconds"]
    )
