"""Short questions to the session, answered in a thread so that the screen never waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from phasewise.migration.session import Session

Answer = TypeVar("Answer")


class Desk:
    """One question at a time."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lock = threading.Lock()

    async def ask(self, question: Callable[[Session], Answer]) -> Answer:
        """What `question` returns or raises."""
        return await asyncio.to_thread(self.ask_here, question)

    def ask_here(self, question: Callable[[Session], Answer]) -> Answer:
        """The same, on the calling thread; for a job that wants to know where things stand."""
        with self._lock:
            return question(self.session)
