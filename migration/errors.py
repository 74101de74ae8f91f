"""What can be refused or missing; each error carries the sentence that the user reads."""

from __future__ import annotations


class PhasewiseError(Exception):
    """A failure with a sentence for the user, and what to do about it."""

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Usage(PhasewiseError):
    """The call names something that does not exist: no repository, no such phase or Dockerfile."""

    exit_status = 2


class Refused(PhasewiseError):
    """Nothing was changed, because it would not have been safe or possible."""

    exit_status = 3


class NoEngine(PhasewiseError):
    """No Docker Engine with BuildKit answers."""

    exit_status = 4


class Cancelled(PhasewiseError):
    """The user stopped a job; what it had started is cleaned up."""
