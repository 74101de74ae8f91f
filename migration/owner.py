"""Says which process of which machine made something, and whether that process still runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def host() -> str:
    """The machine's name; that of a container, which has processes of its own, is another."""
    return socket.gethostname()


def this_process() -> str:
    """`pid@start`: a pid alone may belong to another program by the time somebody looks."""
    return f"{os.getpid()}@{_start_of(os.getpid())}"


def is_alive(process: str) -> bool:
    """Whether the process that `this_process` named runs on this machine."""
    pid, _, start = process.partition("@")
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _start_of(int(pid)) == start


def _start_of(pid: int) -> str:
    """When the process began, in clock ticks since boot, where /proc tells; empty elsewhere."""
    try:
        # The program's name stands in parentheses and may hold anything; 20 fields later comes the start.
        return (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[19]
        )
    except (OSError, IndexError):
        return ""
