"""Checks what the application's Python still can: import its modules, answer for metadata, find its scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from phasewise.migration.checks.subject import Subject, result
from phasewise.model.measurement import CheckResult, Verdict

_LIBRARY = re.compile(r"(?P<library>[\w.+-]*\.so[\w.]*): (?P<why>[^\n]+)")
_NO_MODULE = re.compile(r"No module named '(?P<module>[^']+)'")
_NO_METADATA = re.compile(r"PackageNotFoundError: (?:No package metadata was found for )?(?P<name>[\w.-]+)")


def check_imports(subject: Subject, answers: Mapping[str, Any]) -> Iterator[CheckResult]:
    """`import:MODULE` for the top-level modules of all distributions, and for those of the baseline."""
    for name, outcome in answers["imports"].items():
        id, title, error = f"import:{name}", f"import {name}", outcome["error"]
        if outcome.get("skipped"):
            yield CheckResult(id, title, Verdict.SKIPPED, error)
            continue
        explanation = explain_import(name, error, subject, id) if error else ""
        yield result(id, title, not error, error, explanation, outcome["seconds"])


def explain_import(name: str, error: str, subject: Subject, id: str) -> str:
    """One sentence on why `import name` raised `error`."""
    loads = f"{name} {subject.no_longer(id, 'loads', 'load')}"
    if library := _LIBRARY.search(error):
        return f"{loads}: {_explain_library(library['library'], library['why'])}"
    if module := _NO_MODULE.search(error):
        if module["module"] == name:
            return f"{name} is not in the image{' any more' if subject.baseline.passed(id) else ''}"
        return f"{loads}: it needs the module {module['module']}, which is not in the image"
    if asked := _NO_METADATA.search(error):
        return f"{loads}: it asks for the metadata of {asked['name']}, whose dist-info directory is gone"
    return f"{loads}: {error.splitlines()[-1] if error else 'no reason given'}"


def _explain_library(library: str, why: str) -> str:
    if "not page-aligned" in why or "not properly aligned" in why:
        return f"{library} is misaligned after strip"
    if "cannot open shared object file" in why:
        return f"the shared library {library} is not in the image"
    if "file too short" in why or "invalid ELF header" in why:
        return f"{library} is damaged"
    return f"{library}: {why}"


def check_metadata(subject: Subject, answers: Mapping[str, Any]) -> Iterator[CheckResult]:
    """`metadata:DISTRIBUTION`: importlib.metadata knows its version, and its entry points lead to modules."""
    for name, found in answers["distributions"].items():
        broken = found["entry_points"]
        detail = found["version"] if not found["error"] else found["error"]
        yield result(
            f"metadata:{name}",
            f"metadata of {name}",
            not found["error"] and not broken,
            f"{detail}; entry points without a module: {', '.join(broken)}" if broken else detail,
            _explain_metadata(name, found["error"], broken),
        )


def _explain_metadata(name: str, error: str, broken: list[str]) -> str:
    if error == "no metadata":
        return (
            f"importlib.metadata.version('{name}') raises: the dist-info directory of {name} is gone, "
            "and its entry points with it"
        )
    if error:
        return f"importlib.metadata cannot read {name}: {error}"
    return f"{name} announces entry points whose modules are not in the image: {', '.join(broken)}"


def check_scripts(subject: Subject, answers: Mapping[str, Any]) -> Iterator[CheckResult]:
    """`scripts:NAME`: the command that a distribution installs is on PATH, and its interpreter exists."""
    for name, found in answers["scripts"].items():
        yield result(
            f"scripts:{name}",
            f"command {name}",
            not found["error"],
            found["path"] or found["error"],
            explain_program(name, found["error"]),
        )


def explain_program(name: str, error: str) -> str:
    """One sentence on why a command would not start."""
    if error == "not found":
        return f"the command {name} is not on PATH in the image"
    return f"the command {name} cannot be started: {error}"
