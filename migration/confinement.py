"""What a program that runs inside an image may do, and how much of the machine it may use."""

from __future__ import annotations

from msgspec import Struct


class Confinement(Struct, frozen=True):
    """By default no network, no capabilities and little of the machine, as the image's own user."""

    user: str | None = None
    """None: the image's own."""
    capabilities: tuple[str, ...] = ()
    """Kept, all others being dropped: `DAC_READ_SEARCH`."""
    network: bool = False
    timeout_seconds: float = 60.0
    memory_bytes: int = 2_000_000_000


STRICT = Confinement()
"""For a program that needs nothing more."""
