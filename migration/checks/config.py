"""Checks that the image's configuration is the baseline's: what it runs, as whom, with which environment."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from phasewise.migration.checks.subject import Baseline, Subject, result
from phasewise.model.measurement import CheckResult

OWNED_ENVIRONMENT = (
    r"PYTHONDONTWRITEBYTECODE",
    r"(?:UV|PIP|POETRY)_\w+",
    # What the official Python images set about themselves; another tag of the same image changes it.
    r"PYTHON_VERSION|PYTHON_SHA256|PYTHON_PIP_VERSION|PYTHON_SETUPTOOLS_VERSION|PYTHON_GET_PIP_\w+|GPG_KEY",
)
"""Variables that concern the build, and that a phase may therefore change, as regular expressions."""

_QUOTES = re.compile(r"""['"\\]""")
_FIELDS = {
    "Cmd": "command",
    "Entrypoint": "entry point",
    "WorkingDir": "working directory",
    "ExposedPorts": "exposed ports",
    "Volumes": "volumes",
    "Healthcheck": "health check",
    "StopSignal": "stop signal",
    "Shell": "shell",
}


def check_config(subject: Subject, owned: Collection[str] = ()) -> Iterator[CheckResult]:
    """One result for each field; its detail is the value as JSON, from which a later image is compared.

    Without a baseline every result passes. `owned` names further variables that a phase may change.
    """
    for field, title in _FIELDS.items():
        yield _field(subject, field, title)
    yield _user(subject)
    yield _environment(subject, owned)


def _field(subject: Subject, field: str, title: str) -> CheckResult:
    id, value = f"config:{field}", _plain(field, subject.info.config.get(field))
    expected = subject.baseline.value(id) if id in subject.baseline.results else value
    explanation = f"the image's {title} was {_shown(expected)} and is now {_shown(value)}"
    same = _one_spaced(value) == _one_spaced(expected)
    return result(id, f"config: {title}", same, _json(value), explanation)


def _one_spaced(value: Any) -> Any:
    """The value with a shell command's words one space apart: more of them, unquoted, mean the same to a shell."""
    match value:
        case {"Test": test}:
            return {**value, "Test": _one_spaced(test)}
        case ["CMD-SHELL", str(command)] | ["/bin/sh", "-c", str(command)] if not _QUOTES.search(command):
            return [*value[:-1], re.sub(r"[ \t]+", " ", command)]
    return value


def _plain(field: str, value: Any) -> Any:
    """The value in a form in which equal means the same: nothing for what the engine takes as nothing."""
    if field == "Healthcheck" and value and value.get("Test") in (None, [], ["NONE"], [""]):
        return None
    if field == "WorkingDir":
        return "/" + (value or "").strip("/")
    if field in ("ExposedPorts", "Volumes"):
        return sorted(value) if value else None
    return value or None


def _user(subject: Subject) -> CheckResult:
    """Compares who the user is, not how it is written: `app` and `1000` may be the same."""
    value: dict[str, Any] = {"user": subject.info.config.get("User") or ""}
    if subject.answers:
        value["uid"], value["gid"] = subject.answers["user"]
    expected = subject.baseline.value("config:User") or value
    same = _identity(value) == _identity(expected) or value["user"] == expected["user"]
    explanation = f"the image ran as {_who(expected)} and now runs as {_who(value)}"
    return result("config:User", "config: user", same, _json(value), explanation)


def _identity(user: Mapping[str, Any]) -> Any:
    return (user["uid"], user["gid"]) if "uid" in user else user["user"]


def _who(user: Mapping[str, Any]) -> str:
    name = user["user"] or "root"
    return f"{name} (uid {user['uid']})" if "uid" in user else name


def _environment(subject: Subject, owned: Collection[str]) -> CheckResult:
    actual = subject.info.environment
    expected = _expected_environment(subject.baseline, actual)
    ours = re.compile("|".join([*OWNED_ENVIRONMENT, *map(re.escape, owned)]))
    changes = [
        _change(name, value, actual.get(name))
        for name, value in expected.items()
        if name not in ("PATH", "PYTHONPATH") and not ours.fullmatch(name) and actual.get(name) != value
    ]
    changes += _python_path(expected.get("PYTHONPATH", ""), actual.get("PYTHONPATH", ""))
    changes += _lost_path(expected.get("PATH"), actual.get("PATH"))
    return result("config:Env", "config: environment", not changes, _json(actual), "; ".join(changes))


def _expected_environment(baseline: Baseline, actual: Mapping[str, str]) -> Mapping[str, str]:
    recorded = baseline.value("config:Env")
    return recorded if isinstance(recorded, dict) else actual


def _change(name: str, before: str, after: str | None) -> str:
    if after is None:
        return f"the variable {name} is gone, it was {before!r}"
    return f"the variable {name} was {before!r} and is now {after!r}"


def _lost_path(before: str | None, after: str | None) -> list[str]:
    """PATH may grow, and lose folders that hold an environment's scripts; those of the system must stay."""
    kept = (after or "").split(":")
    ours = (folder for folder in (before or "").split(":") if folder.startswith(("/usr/", "/bin", "/sbin")))
    lost = [folder for folder in ours if folder not in kept]
    return [f"PATH lost {', '.join(lost)}"] if lost else []


def _python_path(before: str, after: str) -> list[str]:
    """PYTHONPATH may lose folders: whether all is still imported is asked for itself. It may gain none."""
    folders = iter(before.split(":"))
    kept = all(folder in folders for folder in after.split(":")) if after else True
    return [] if kept else [_change("PYTHONPATH", before, after)]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _shown(value: Any) -> str:
    return "not set" if value is None else _json(value)
