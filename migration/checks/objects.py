"""Checks the ELF files: would the dynamic loader take each, and would it find the libraries that it needs?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phasewise.migration.checks.subject import Subject, result
from phasewise.model.measurement import CheckResult

_ALWAYS = ("python", "system", "app")
_NO_FILES: Mapping[str, Any] = {"refused": [], "missing": []}
_NAMED = 3


def check_objects(subject: Subject, objects: Mapping[str, Any]) -> Iterator[CheckResult]:
    """`elf:GROUP` and `libraries:GROUP`: a group is a distribution, `python`, `system`, or `app` for the rest.

    A library that the baseline lacks too (a GPU's, which only the host has) is recorded there and taken as
    given afterwards: only what is new fails.
    """
    for group in (*_ALWAYS, *_distributions(subject, objects)):
        found = objects.get(group, _NO_FILES)
        yield _alignment(group, found)
        yield _libraries(subject, group, found)


def _distributions(subject: Subject, objects: Mapping[str, Any]) -> list[str]:
    """The distributions that the application can import; another environment's, or an installer, may go."""
    known = objects if subject.answers is None else subject.answers["distributions"]
    return sorted(group for group in objects if group in known and group not in _ALWAYS)


def _alignment(group: str, found: Mapping[str, Any]) -> CheckResult:
    files = sorted({_name(path) for path in found["refused"]})
    explanation = f"the dynamic loader refuses {_some(files)} of {group}: misaligned after strip, or cut off"
    return result(f"elf:{group}", f"ELF files of {group}", not files, "\n".join(files), explanation)


def _libraries(subject: Subject, group: str, found: Mapping[str, Any]) -> CheckResult:
    id = f"libraries:{group}"
    pairs = sorted({f"{library} needed by {_name(path)}" for library, path in found["missing"]})
    known = subject.baseline.lines(id) if subject.baseline.verification else frozenset(pairs)
    fresh = [pair for pair in pairs if pair not in known]
    libraries = sorted({pair.partition(" ")[0] for pair in fresh})
    explanation = f"{group} needs {_some(libraries)}, which the image does not have" if fresh else ""
    if fresh and subject.baseline.passed(id):
        explanation += " any more"
    return result(id, f"shared libraries of {group}", not fresh, "\n".join(pairs), explanation)


def _name(path: str) -> str:
    """The file's name: its folder may move from phase to phase."""
    return path.rpartition("/")[2]


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
