"""The engine: builds images, describes, names and removes them, and runs programs inside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker.errors
from msgspec import Struct

from phasewise.migration import buildx
from phasewise.migration.confinement import STRICT, Confinement
from phasewise.migration.connection import Connection, connect
from phasewise.migration.containers import Containers, HealthResult, RunResult
from phasewise.migration.errors import NoEngine, PhasewiseError
from phasewise.migration.events import Cancel, Event
from phasewise.model.census import Layer

REPOSITORY_LABEL = "phasewise.repository"
COMMIT_LABEL = "phasewise.commit"


class ImageInfo(Struct, frozen=True):
    """An image as the engine describes it."""

    id: str
    size_bytes: int
    """Unpacked bytes of all layers."""
    config: Mapping[str, Any]
    """`Cmd`, `Entrypoint`, `Env`, `User`, `WorkingDir`, `ExposedPorts`, `Healthcheck`, `Labels`, `Volumes`,
    `StopSignal`, `Shell`; keys that the image does not set may be missing."""
    layers: tuple[Layer, ...]
    """One for each entry of the history, oldest first; entries that only set configuration have 0 bytes."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables of `Env` by name."""
        pairs = (variable.partition("=") for variable in self.config.get("Env") or ())
        return {name: value for name, _, value in pairs}


class LabelledImage(Struct, frozen=True):
    """An image that we built."""

    id: str
    tags: tuple[str, ...]
    commit: str
    size_bytes: int


class Engine:
    """A Docker Engine with BuildKit, local or remote; for one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._api = connection.api
        self._containers = Containers(connection.api)

    @property
    def label(self) -> str:
        """For people: `docker 26.1.5 · buildx 0.13.1 · local`."""
        return " · ".join(self._parts)

    @property
    def identity(self) -> str:
        """For the record of a measurement: `docker 26.1.5, buildx 0.13.1, local`."""
        return ", ".join(self._parts)

    def answers(self) -> bool:
        """Whether it is still there."""
        try:
            return bool(self._api.ping())
        except (NoEngine, docker.errors.APIError):
            return False

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, so that its processes can be watched from here."""
        return self._connection.place == "local"

    @property
    def _parts(self) -> tuple[str, ...]:
        c = self._connection
        return f"docker {c.engine_version}", f"buildx {c.buildx_version}", c.place

    # -- building ----------------------------------------------------------------------------------------

    def build(
        self,
        context: Path,
        dockerfile: Path,
        *,
        tag: str = "",
        stage: str | None = None,
        arguments: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        cold: bool = False,
        output: Path | None = None,
        cancel: Cancel | None = None,
    ) -> Iterator[Event]:
        """Builds `dockerfile` over `context` into the engine, or its files into the directory `output`.

        Yields StepStarted, LogLine and StepFinished as they happen, and BuildFinished last, always once.
        Closing the generator, or asking `cancel`, ends the build and all its processes.
        """
        build = buildx.Build(
            context, dockerfile, tag, stage, dict(arguments or {}), dict(labels or {}), cold, output
        )
        yield from buildx.run(build, self._connection.builder, cancel or Cancel())

    # -- describing --------------------------------------------------------------------------------------

    def exists(self, image: str) -> bool:
        """Whether the engine has `image`, a tag or an id."""
        try:
            self._api.inspect_image(image)
        except docker.errors.ImageNotFound:
            return False
        return True

    def inspect(self, image: str) -> ImageInfo:
        """What the engine knows of `image`, a tag or an id.

        Raises:
            PhasewiseError: there is no such image.
        """
        try:
            found, history = self._api.inspect_image(image), self._api.history(image)
        except docker.errors.ImageNotFound as error:
            raise PhasewiseError(f"the engine has no image {image}", "build it first") from error
        layers = tuple(
            Layer(str(entry.get("CreatedBy") or ""), int(entry.get("Size") or 0))
            for entry in reversed(history)
        )
        # With the containerd image store, Size is that of the compressed content; the history is unpacked.
        size = max(int(found["Size"]), sum(layer.size_bytes for layer in layers))
        return ImageInfo(str(found["Id"]), size, found.get("Config") or {}, layers)

    def images_of(self, repository: str) -> tuple[LabelledImage, ...]:
        """The images that were built for `repository`, newest first."""
        found = self._api.images(filters={"label": f"{REPOSITORY_LABEL}={repository}"})
        return tuple(
            LabelledImage(
                str(image["Id"]),
                tuple(image.get("RepoTags") or ()),
                str((image.get("Labels") or {}).get(COMMIT_LABEL, "")),
                int(image["Size"]),
            )
            for image in sorted(found, key=lambda image: -int(image["Created"]))
        )

    def local_tags(self) -> tuple[str, ...]:
        """All tags that the engine has."""
        return tuple(tag for image in self._api.images() for tag in image.get("RepoTags") or ())

    # -- naming and removing -----------------------------------------------------------------------------

    def tag(self, image: str, name: str) -> None:
        """Gives `image` the further name `name`, which may have named another one before.

        Raises:
            PhasewiseError: there is no such image.
        """
        repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
        try:
            self._api.tag(image, repository, tag)
        except docker.errors.ImageNotFound as error:
            raise PhasewiseError(f"the engine has no image {image}", "build it first") from error

    def untag(self, name: str) -> None:
        """Takes away a name that `tag` gave; the image stays when it has another one."""
        self._api.remove_image(name, noprune=True)

    def remove(self, names: Sequence[str]) -> tuple[str, ...]:
        """Removes those of `names`, tags or ids, that name images of ours; returns what was removed.

        Nobody else's image is ever touched. What a container uses stays.
        """
        return tuple(name for name in names if self._remove_ours(name))

    def discard(self, image_id: str) -> bool:
        """Removes an image of ours that lost its name to a newer build; whether it was removed."""
        try:
            named = self._api.inspect_image(image_id).get("RepoTags")
        except docker.errors.ImageNotFound:
            return False
        return not named and self._remove_ours(image_id)

    def _remove_ours(self, name: str) -> bool:
        try:
            labels = (self._api.inspect_image(name).get("Config") or {}).get("Labels") or {}
            if REPOSITORY_LABEL not in labels:
                return False
            self._api.remove_image(name)
        except docker.errors.ImageNotFound:
            return False
        except docker.errors.APIError as error:
            # 409: a container uses it, or it has other names too.
            if error.status_code == 409:
                return False
            raise
        return True

    # -- running -----------------------------------------------------------------------------------------

    def run(
        self,
        image: str,
        argv: Sequence[str],
        within: Confinement = STRICT,
        cancel: Cancel | None = None,
    ) -> RunResult:
        """Runs a program in a new container of `image` that is removed afterwards, whatever happens.

        A program that is not there ends with 127, one that cannot be executed with 126, as in a shell.

        Raises:
            Cancelled: `cancel` was asked.
            PhasewiseError: the engine refused.
        """
        return self._containers.run(image, argv, within, cancel)

    def health(
        self, image: str, *, healthcheck: Mapping[str, Any] | None = None, cancel: Cancel | None = None
    ) -> HealthResult:
        """Starts the image's own command and waits until its health check, or `healthcheck`, has decided.

        Raises:
            Cancelled: `cancel` was asked.
            PhasewiseError: the engine refused.
        """
        return self._containers.health(image, healthcheck=healthcheck, cancel=cancel)

    def sweep(self) -> tuple[str, ...]:
        """Removes containers that dead processes of this machine left behind; returns their ids.

        The first `run` does this too.
        """
        return self._containers.sweep()


def find_engine(builder: str | None = None) -> Engine:
    """The engine that the docker CLI would use now.

    Raises:
        NoEngine: none answers, or buildx is missing or older than 0.13; the hint says what to do.
    """
    return Engine(connect(builder))
