"""Finds the Docker Engine as the docker CLI finds it: DOCKER_HOST, the docker context, the default socket."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import docker.errors
import docker.tls
import docker.utils
import requests.exceptions
import urllib3.exceptions
from msgspec import Struct

from phasewise.migration.errors import NoEngine
from phasewise.migration.process import capture

BUILDX_NEEDED = (0, 13)
"""The first version with `--progress=rawjson`."""

_ANSWER_SECONDS = 10
"""How long an engine has to say its version, before it is taken for unreachable."""

_REQUEST_SECONDS = 120


class Connection(Struct, frozen=True):
    """An engine that answered, and how it was reached."""

    api: Any
    """The docker SDK's low-level client."""
    builder: str
    """The buildx builder that builds straight into the engine: the one named as the docker context."""
    host: str
    engine_version: str
    buildx_version: str

    @property
    def place(self) -> str:
        """`local`, or the remote host's name."""
        url = urlsplit(self.host)
        return "local" if url.scheme in ("unix", "npipe", "") else (url.hostname or self.host)


def connect(builder: str | None = None) -> Connection:
    """The engine that a `docker` command typed now would talk to.

    `builder` names another buildx builder than the engine's own; the images come to the engine all the same.

    Raises:
        NoEngine: no docker CLI, no answer, or a buildx that is too old; the hint says what to do.
    """
    context = _context()
    buildx = _buildx_version()
    host = str(context["Endpoints"]["docker"]["Host"])
    api = _client(context, host)
    version = api.version()
    api.timeout = _REQUEST_SECONDS
    return Connection(
        _Answering(api, host),
        builder or str(context["Name"]),
        host,
        _numbers(str(version.get("Version", ""))),
        buildx,
    )


def _context() -> dict[str, Any]:
    """The current docker context; DOCKER_HOST and DOCKER_CONTEXT count as for every docker command."""
    answer = _docker("context", "inspect")
    try:
        found = json.loads(answer.stdout)[0]
    except (json.JSONDecodeError, IndexError):
        raise NoEngine(
            f"docker has no usable context: {answer.stderr.strip()}", "see `docker context ls`"
        ) from None
    if not isinstance(found, dict):
        raise NoEngine("docker has no usable context", "see `docker context ls`")
    return found


def _buildx_version() -> str:
    answer = _docker("buildx", "version")
    found = re.search(r"v?(\d+)\.(\d+)(?:\.\d+)?", answer.stdout)
    if answer.returncode or not found:
        raise NoEngine("docker has no buildx", "install the docker-buildx plugin, 0.13 or newer")
    if (int(found[1]), int(found[2])) < BUILDX_NEEDED:
        raise NoEngine(f"buildx {found[0]} is too old", "install docker-buildx 0.13 or newer")
    return found[0].removeprefix("v")


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return capture(["docker", *arguments])
    except FileNotFoundError:
        raise NoEngine("no docker command on PATH", "install Docker with buildx 0.13 or newer") from None
    except subprocess.TimeoutExpired:
        raise NoEngine(
            f"`docker {' '.join(arguments)}` does not answer", "see whether Docker hangs"
        ) from None


def _client(context: dict[str, Any], host: str) -> Any:
    try:
        return docker.APIClient(base_url=host, version="auto", timeout=_ANSWER_SECONDS, tls=_tls(context))
    except Exception as error:  # the SDK lets requests', urllib3's and socket errors through
        raise NoEngine(f"no Docker Engine answers at {host}: {_why(error)}", _hint(host)) from error


def _tls(context: dict[str, Any]) -> Any:
    """The context's certificates; for the default context those of DOCKER_CERT_PATH."""
    path = str((context.get("Storage") or {}).get("TLSPath") or "")
    folder = Path(path) / "docker"
    if not folder.is_dir():
        return docker.utils.kwargs_from_env().get("tls", False)
    pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
    authority = folder / "ca.pem"
    skip = bool(context["Endpoints"]["docker"].get("SkipTLSVerify"))
    return docker.tls.TLSConfig(
        client_cert=pair if (folder / "cert.pem").exists() else None,
        ca_cert=str(authority) if authority.exists() else None,
        verify=not skip,
    )


def _hint(host: str) -> str:
    if host.startswith("ssh://"):
        return "engines over ssh need the paramiko package: pip install 'docker[ssh]'"
    return "start Docker, or set DOCKER_HOST or `docker context use`"


class _Answering:
    """The SDK's client; when the engine goes away in the middle, that is said in our words."""

    def __init__(self, api: Any, host: str) -> None:
        self._api, self._host = api, host

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._api, name)
        return self._told(found) if callable(found) else found

    def _told(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*positional: Any, **named: Any) -> Any:
            try:
                return method(*positional, **named)
            except docker.errors.APIError:
                # An answer, though requests' errors are its base.
                raise
            except (
                requests.exceptions.RequestException,
                urllib3.exceptions.HTTPError,
                ConnectionError,
            ) as error:
                raise NoEngine(
                    f"the engine at {self._host} does not answer any more: {_why(error)}",
                    "what is committed stays; start Docker again, then go on",
                ) from error

        return call


_REASONS = (
    (("FileNotFoundError", "No such file"), "nothing is there"),
    (("PermissionError", "Permission denied"), "this user may not use it; see the docker group"),
    (("ConnectionRefusedError", "Connection refused"), "nothing listens there"),
    (("NameResolutionError", "gaierror", "Name or service", "getaddrinfo"), "its name cannot be resolved"),
    (("timed out", "Timeout"), f"it does not answer within {_ANSWER_SECONDS} s"),
    (("SSL", "certificate"), "its certificate is not accepted"),
    (("RemoteDisconnected", "reset by peer", "Broken pipe", "IncompleteRead"), "the connection broke off"),
    (("paramiko",), "it is reached over ssh, and paramiko is missing"),
)
"""What the messages of the SDK and of what it is built on hold, and the sentence for it."""


def _why(error: Exception) -> str:
    """The reason in words; the exceptions inside each other that the SDK shows are for nobody to read."""
    said = f"{type(error).__name__} {error}"
    return next(
        (why for signs, why in _REASONS if any(sign in said for sign in signs)), "it gives no usable answer"
    )


def _numbers(version: str) -> str:
    """`26.1.5` of `26.1.5+dfsg1`."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return found[0] if found else version
