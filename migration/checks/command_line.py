"""What an image's configuration starts: its command, and its health check's. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def start_command(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What a container of the image executes: ENTRYPOINT with CMD behind it."""
    return (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))


def health_command(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the health check executes; empty when there is none."""
    kind, *words = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if kind == "CMD-SHELL":
        return ("/bin/sh", "-c", *words)
    return tuple(words) if kind == "CMD" else ()
