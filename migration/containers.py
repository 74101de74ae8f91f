"""Runs programs inside images: limited in every direction, and always cleaned up."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import docker.errors
import urllib3.exceptions
from msgspec import Struct, field

from phasewise.migration import owner
from phasewise.migration.confinement import STRICT, Confinement
from phasewise.migration.errors import Cancelled, PhasewiseError
from phasewise.migration.events import Cancel

RUN_LABEL = "phasewise.run"
_HOST_LABEL = "phasewise.host"
_PROCESS_LABEL = "phasewise.process"
"""As `owner.this_process` names it."""

_POLL_SECONDS = 0.05
OUTPUT_BYTES = 4_000_000
"""What is kept of each of a program's two streams; the rest is read and dropped."""

_PROCESSES = 512
_CPUS = 2

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""Exit statuses for a program that cannot be started, as shells and the docker CLI give them."""


class RunResult(Struct, frozen=True):
    """How a program inside an image ended."""

    exit_code: int | None
    """None when it was stopped at its time limit."""
    stdout: str
    stderr: str
    timed_out: bool = False
    oom: bool = False
    """Whether the kernel ended it at the memory limit."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, with status 0."""
        return self.exit_code == 0 and not self.timed_out


class HealthResult(Struct, frozen=True):
    """What the image's own health check said of a started container."""

    status: str
    """`healthy`, `unhealthy`, `starting` (never decided within its limits), `exited`, `none`."""
    output: str
    """What the last check printed, or the container when it ended."""
    seconds: float = 0.0


class _Output(Struct):
    """The first bytes of both streams, filled by a thread of its own."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)

    def collect(self, stream: Any) -> None:
        """Reads until the container closes its streams; a broken connection ends it too."""
        try:
            for pair in stream:
                for kept, chunk in zip((self.stdout, self.stderr), pair, strict=True):
                    if chunk:
                        kept += chunk[: OUTPUT_BYTES - len(kept)]
        except (OSError, docker.errors.DockerException, urllib3.exceptions.HTTPError):
            pass
        finally:
            self.ended.set()


class Containers:
    """Starts and removes containers on one engine."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._swept = False

    @cached_property
    def _limits(self) -> dict[str, Any]:
        """Memory, process and CPU limits, as far as the engine's kernel knows them."""
        info = self._api.info()
        cpus = min(_CPUS, int(info.get("NCPU") or _CPUS))
        return {
            "pids_limit": _PROCESSES,
            **({"nano_cpus": cpus * 10**9} if info.get("CpuCfsQuota") else {}),
        }

    def run(
        self,
        image: str,
        argv: Sequence[str],
        within: Confinement = STRICT,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """Runs `argv` in a new container of `image`, whose own entry point is switched off.

        Raises:
            Cancelled: `cancel` was asked; the container is gone.
            PhasewiseError: the engine refused.
        """
        cancel = cancel or Cancel()
        self._sweep_once()
        # An empty string would be taken for "the image's own"; a list with one is how the API says "none".
        started = time.monotonic()
        container = self._create(
            image,
            command=list(argv),
            entrypoint=[""],
            user=within.user,
            healthcheck={"test": ["NONE"]},
            host=self._host_config(within),
        )
        try:
            output = self._attach(container)
            if failure := self._start(container):
                return RunResult(failure[0], "", failure[1], seconds=time.monotonic() - started)
            in_time = self._wait(container, output, started + within.timeout_seconds, cancel)
            state = self._api.inspect_container(container)["State"]
            return RunResult(
                int(state["ExitCode"]) if in_time else None,
                bytes(output.stdout).decode("utf-8", "replace"),
                bytes(output.stderr).decode("utf-8", "replace"),
                timed_out=not in_time,
                oom=bool(state.get("OOMKilled")),
                seconds=time.monotonic() - started,
            )
        except docker.errors.APIError as error:
            raise _refused(error) from error
        finally:
            self._remove(container)

    def health(
        self,
        image: str,
        *,
        healthcheck: Mapping[str, Any] | None = None,
        cancel: Cancel | None = None,
        ceiling_seconds: float = 120.0,
    ) -> HealthResult:
        """Starts the image's own command without network and waits for its health check, or `healthcheck`, to decide.

        The check runs more often than the image asks for, so that nobody waits for a long interval; start
        period, time limit and the total time until the image would be called unhealthy stay as they are,
        but never more than `ceiling_seconds`.

        Raises:
            Cancelled: `cancel` was asked; the container is gone.
            PhasewiseError: the engine refused.
        """
        cancel = cancel or Cancel()
        self._sweep_once()
        check = healthcheck or self._api.inspect_image(image)["Config"].get("Healthcheck") or {}
        if not check.get("Test") or check["Test"][0] == "NONE":
            return HealthResult("none", "")
        pace = _pace(check)
        started = time.monotonic()
        container = self._create(image, healthcheck=pace.healthcheck, host=self._host_config(STRICT))
        try:
            output = self._attach(container)
            if failure := self._start(container):
                return HealthResult("exited", failure[1])
            deadline = started + min(pace.total_seconds, ceiling_seconds)
            status, said = self._decided(container, output, deadline, cancel)
            return HealthResult(status, said, time.monotonic() - started)
        except docker.errors.APIError as error:
            raise _refused(error) from error
        finally:
            self._remove(container)

    def sweep(self) -> tuple[str, ...]:
        """Removes containers of processes on this machine that ended without doing so; returns their ids."""
        removed = []
        for container in self._api.containers(all=True, filters={"label": RUN_LABEL}):
            labels = container.get("Labels") or {}
            if labels.get(_HOST_LABEL) == owner.host() and not owner.is_alive(labels.get(_PROCESS_LABEL, "")):
                self._remove(container["Id"])
                removed.append(container["Id"])
        return tuple(removed)

    def _sweep_once(self) -> None:
        if not self._swept:
            self._swept = True
            self.sweep()

    def _host_config(self, within: Confinement) -> Any:
        return self._api.create_host_config(
            network_mode="default" if within.network else "none",
            cap_drop=["ALL"],
            cap_add=list(within.capabilities),
            security_opt=["no-new-privileges"],
            mem_limit=within.memory_bytes,
            memswap_limit=within.memory_bytes,
            log_config={"Type": "none"},
            **self._limits,
        )

    def _create(self, image: str, *, host: Any, **settings: Any) -> str:
        try:
            created = self._api.create_container(
                image,
                host_config=host,
                labels={
                    RUN_LABEL: uuid.uuid4().hex,
                    _HOST_LABEL: owner.host(),
                    _PROCESS_LABEL: owner.this_process(),
                },
                stop_signal="SIGKILL",
                **settings,
            )
        except docker.errors.APIError as error:
            raise _refused(error) from error
        return str(created["Id"])

    def _attach(self, container: str) -> _Output:
        """Listens before the start, so that nothing is missed; the log driver keeps nothing."""
        output = _Output()
        stream = self._api.attach(container, stdout=True, stderr=True, stream=True, demux=True)
        threading.Thread(target=output.collect, args=(stream,), daemon=True).start()
        return output

    def _start(self, container: str) -> tuple[int, str] | None:
        """Starts it; (exit status, reason) when its program cannot be started."""
        try:
            self._api.start(container)
        except docker.errors.APIError as error:
            reason = str(error.explanation or error)
            if "not found" in reason or "no such file" in reason:
                return NOT_FOUND, reason
            if "permission denied" in reason or "is a directory" in reason or "exec format" in reason:
                return NOT_EXECUTABLE, reason
            raise
        return None

    def _wait(self, container: str, output: _Output, deadline: float, cancel: Cancel) -> bool:
        """Waits for the end; False when the time limit came first, and the container was killed."""
        while True:
            if cancel.asked:
                raise Cancelled("stopped")
            if (
                output.ended.wait(_POLL_SECONDS)
                and not self._api.inspect_container(container)["State"]["Running"]
            ):
                return True
            if time.monotonic() > deadline:
                self._kill(container)
                output.ended.wait(5)
                return False
            if output.ended.is_set():
                cancel.wait(_POLL_SECONDS)

    def _decided(self, container: str, output: _Output, deadline: float, cancel: Cancel) -> tuple[str, str]:
        """The health status once it is final, or `starting` at the deadline, with the last output."""
        while True:
            if cancel.wait(4 * _POLL_SECONDS):
                raise Cancelled("stopped")
            state = self._api.inspect_container(container)["State"]
            health = state.get("Health") or {}
            log = health.get("Log") or [{}]
            if not state["Running"]:
                output.ended.wait(5)
                printed = bytes(output.stdout + output.stderr).decode("utf-8", "replace")
                return "exited", f"exit status {state['ExitCode']}\n{printed[-2000:]}"
            if health.get("Status") in ("healthy", "unhealthy") or time.monotonic() > deadline:
                return str(health.get("Status") or "starting"), str(log[-1].get("Output") or "")

    def _kill(self, container: str) -> None:
        try:
            self._api.kill(container)
        except docker.errors.APIError as error:
            # 409: it ended by itself in the meantime.
            if error.status_code != 409:
                raise

    def _remove(self, container: str) -> None:
        try:
            self._api.remove_container(container, force=True, v=True)
        except docker.errors.APIError as error:
            # 404 and 409: somebody else, a sweep perhaps, is removing it or has done so.
            if error.status_code not in (404, 409):
                raise


class _Pace(Struct, frozen=True):
    healthcheck: dict[str, Any]
    total_seconds: float


_SECOND = 10**9
_OFTEN_SECONDS = 1


def _pace(check: Mapping[str, Any]) -> _Pace:
    """The image's health check at a shorter interval, with more retries; defaults are the engine's."""
    interval = check.get("Interval") or 30 * _SECOND
    timeout = check.get("Timeout") or 30 * _SECOND
    start = check.get("StartPeriod") or 0
    retries = check.get("Retries") or 3
    often = min(interval, _OFTEN_SECONDS * _SECOND)
    faster = {
        "test": check["Test"],
        "interval": often,
        "timeout": timeout,
        "start_period": start,
        "retries": max(1, retries * interval // often),
    }
    return _Pace(faster, (start + retries * (interval + timeout)) / _SECOND)


def _refused(error: docker.errors.APIError) -> PhasewiseError:
    return PhasewiseError(f"the engine refused: {error.explanation or error}")
