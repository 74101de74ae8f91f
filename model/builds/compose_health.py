"""The health check that a compose file gives a service, in the form that the engine takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml.nodes import Node, SequenceNode

from phasewise.model.builds.yaml_tree import get, text, texts

_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
_TIMES = {"Interval": "interval", "Timeout": "timeout", "StartPeriod": "start_period"}


def health_check(service: Node, filled: Callable[[str], str | None]) -> Mapping[str, Any] | None:
    """`Test`, `Interval`, `Timeout`, `StartPeriod` (nanoseconds) and `Retries`, as far as they are given.

    None where the service has none, or none that says something about the image: it is switched off, depends
    on variables that are set elsewhere, or the service runs another command than the image's own.
    """
    check = get(service, "healthcheck")
    others = (get(service, name) for name in ("command", "entrypoint"))
    if check is None or any(other is not None for other in others):
        return None
    test = _test(get(check, "test"), filled)
    if not test or text(get(check, "disable")) == "true":
        return None
    times = {key: _nanoseconds(text(get(check, name)) or "") for key, name in _TIMES.items()}
    retries = text(get(check, "retries")) or ""
    return {
        "Test": test,
        **{key: value for key, value in times.items() if value},
        **({"Retries": int(retries)} if retries.isdigit() else {}),
    }


def _test(node: Node | None, filled: Callable[[str], str | None]) -> list[str]:
    """The check's words, `CMD` or `CMD-SHELL` first; empty where there are none."""
    words = texts(node) if isinstance(node, SequenceNode) else ("CMD-SHELL", *texts(node))
    known = [filled(word) for word in words]
    if len(words) < 2 or words[0] not in ("CMD", "CMD-SHELL") or None in known:
        return []
    return [word for word in known if word is not None]


def _nanoseconds(duration: str) -> int:
    """`1m30s` as nanoseconds; 0 for what is no duration."""
    parts = _PART.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration:
        return 0
    return int(sum(float(number) * _UNITS[unit] for number, unit in parts))
