"""Checks that what the image starts is there: the programs of its command and health check, its application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from phasewise.migration.checks.command_line import health_command, start_command
from phasewise.migration.checks.python import explain_import, explain_program
from phasewise.migration.checks.subject import Subject, result
from phasewise.migration.probes.commands import programs
from phasewise.model.measurement import CheckResult, Samples, Verdict


def check_start(subject: Subject, answers: Mapping[str, Any]) -> Iterator[CheckResult]:
    """`command` and `command:healthcheck` where the image has such a thing, and `app`."""
    config = subject.info.config
    yield from _programs("command", "command", start_command(config), answers["programs"])
    yield from _programs(
        "command:healthcheck",
        "health check's command",
        health_command({"Healthcheck": subject.health}),
        answers["programs"],
    )
    yield _application(subject, answers["application"])


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


def _application(subject: Subject, found: Mapping[str, Any]) -> CheckResult:
    """Skipped, and why, where nobody can tell which application the command starts."""
    if "unknown" in found:
        lost = subject.baseline.passed("app")
        explanation = f"the command no longer leads to an application: {found['unknown']}" if lost else ""
        verdict = Verdict.FAILED if lost else Verdict.SKIPPED
        return CheckResult("app", "application", verdict, f"not checked: {found['unknown']}", explanation)
    value, error = found["value"], found["error"]
    module = value.partition(":")[0]
    explanation = explain_import(module, error, subject, "app") if found["kind"] == "object" else error
    seen = value if found["kind"] == "object" else f"{value} is there; it was not run"
    found_out = result("app", f"application {value}", not error, error or seen, explanation, found["seconds"])
    timed = found.get("import_seconds")
    if error or not timed:
        return found_out
    samples = Samples(tuple(timed))
    return replace(found_out, seconds=samples.median, samples=samples)
