"""Tells what a failed build says about the Dockerfile: that it is wrong, or nothing at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from phasewise.migration.rawjson import Failure
from phasewise.model.measurement import Outcome

SHOWN_LINES = 20
"""How many of the failing step's last lines the message holds."""

_ENGINE_LOST = re.compile(
    r"cannot connect to the docker daemon|rpc error: code = unavailable|failed to receive status"
    r"|error reading from server: EOF|transport is closing|docker\.sock: connect",
    re.IGNORECASE,
)
"""What buildx says when the engine goes away; in a step's own output it means another engine."""

_CIRCUMSTANCES: tuple[tuple[str, str], ...] = (
    (r"no space left on device|disk quota exceeded|ENOSPC", "the disk is full"),
    (
        r"temporary failure (?:in name resolution|resolving)|could not resolve (?:host|')|no such host"
        r"|name or service not known|nodename nor servname|server misbehaving",
        "a host name could not be resolved",
    ),
    (
        r"tls handshake timeout|certificate signed by unknown authority|certificate verify failed"
        r"|CERTIFICATE_VERIFY_FAILED|SSLError|tls: (?:failed|bad|handshake)|x509:",
        "a secure connection could not be made",
    ),
    (
        r"toomanyrequests|429 too many requests|http error 429|unexpected status[^\n]* (?:429|5\d\d)"
        r"|\b50[0234] (?:bad gateway|service unavailable|gateway time-?out|(?:internal )?server error)"
        r"|http error 5\d\d",
        "a registry or package index refused for now",
    ),
    (
        r"connection reset by peer|connection timed out|network is unreachable|no route to host|i/o timeout"
        r"|read timed out|ReadTimeoutError|ConnectTimeoutError|NewConnectionError|max retries exceeded with"
        r"|remote end closed connection|httpReadSeeker[^\n]*EOF|(?:could not|unable to) connect to \S+:\d+"
        r"|unable to connect to \S+:http|operation timed out|error sending request for url"
        r"|client\.timeout exceeded|dial tcp",
        "a connection could not be made or broke off",
    ),
)
"""What the messages of BuildKit, apt, pip, uv, curl, git and npm have in common, and the sentence for it."""


class Verdict(Struct, frozen=True):
    """How a build that did not succeed is to be taken, and the message for the user."""

    outcome: Outcome
    message: str


def judge(failure: Failure | None, text: Sequence[str]) -> Verdict:
    """FAILED, or INCONCLUSIVE where the network or the disk was at fault, with what the build said last.

    `text` is what buildx printed around its progress: it alone speaks when no step failed, for a
    Dockerfile that does not parse or a COPY of a missing file.
    """
    said = "\n".join([failure.error, *failure.lines]) if failure else "\n".join(text)
    message = _of_step(failure) if failure else _of_buildx(text)
    lost = _ENGINE_LOST.search(failure.error if failure else said)
    circumstance = "the engine does not answer any more" if lost else _circumstance(said)
    if circumstance is None:
        return Verdict(Outcome.FAILED, message)
    sentence = f"{circumstance}, which says nothing about the Dockerfile; try again."
    return Verdict(Outcome.INCONCLUSIVE, f"{sentence[0].upper()}{sentence[1:]}\n{message}")


def _circumstance(said: str) -> str | None:
    return next((why for pattern, why in _CIRCUMSTANCES if re.search(pattern, said, re.IGNORECASE)), None)


def _of_step(failure: Failure) -> str:
    return "\n".join([failure.step, *failure.lines[-SHOWN_LINES:], failure.error])


def _of_buildx(text: Sequence[str]) -> str:
    last = [line for line in text if line.strip()][-SHOWN_LINES:]
    return "\n".join(last) or "buildx ended without saying why"
