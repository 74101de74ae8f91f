"""Watches how much memory the steps of a local build hold, from the kernel's control groups."""

from __future__ import annotations

import threading
from collections.abc import Container
from pathlib import Path
from types import TracebackType

ROOT = Path("/sys/fs/cgroup")

_SAMPLE_SECONDS = 0.5

_GROUPS: tuple[tuple[str, str], ...] = (
    ("memory/docker/buildkit/*", "total_rss"),
    ("memory/system.slice/*buildkit*", "total_rss"),
    ("docker/buildkit/*", "anon"),
    ("system.slice/*buildkit*", "anon"),
)
"""Where the engine's BuildKit puts its steps (version 1 of control groups, then version 2), and the field of
`memory.stat` that leaves out the page cache. `memory.peak` and `memory.max_usage_in_bytes` count it, and
then every step that writes a large file looks as if it needed as much memory."""


class PeakMemory:
    """Samples in a thread of its own while its `with` block runs; `bytes` is the largest sum seen.

    All steps that run at one moment are counted together. Steps that ran before it began are another
    build's; those that another build starts meanwhile cannot be told apart.
    """

    def __init__(self, local: bool, root: Path = ROOT) -> None:
        self._local, self._root = local, root
        self.bytes: int | None = None
        self._others = frozenset(step_groups(root))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        if not self.why_not:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def why_not(self) -> str:
        """Why no figure can be had here; empty when it can."""
        if not self._local:
            return "peak memory: not available, the engine runs on another machine"
        if not any(self._root.joinpath(group).parent.is_dir() for group, _ in _GROUPS):
            return "peak memory: not available, this engine's control groups cannot be read"
        return ""

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            held = resident_bytes(self._root, self._others)
            if held is not None:
                self.bytes = max(self.bytes or 0, held)


def step_groups(root: Path = ROOT) -> dict[Path, str]:
    """The control groups of the build steps that run now, each with the field that tells its memory."""
    return {directory: field for group, field in _GROUPS for directory in root.glob(group)}


def resident_bytes(root: Path = ROOT, others: Container[Path] = ()) -> int | None:
    """Bytes that all build steps but `others` hold now, page cache excluded; None when none runs."""
    found = [
        value
        for directory, field in step_groups(root).items()
        if directory not in others and (value := _field(directory / "memory.stat", field)) is not None
    ]
    return sum(found) if found else None


def _field(path: Path, name: str) -> int | None:
    try:
        text = path.read_text(encoding="ascii")
    except OSError:
        # The step ended between the listing and the reading.
        return None
    fields = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    return int(fields[name]) if name in fields else None
