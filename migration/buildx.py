"""One build through `docker buildx build`: its argument list, and its progress as events."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from phasewise.migration import scratch
from phasewise.migration.events import BuildFinished, Cancel, Event
from phasewise.migration.failure import judge
from phasewise.migration.process import Running
from phasewise.migration.rawjson import ProgressDecoder
from phasewise.model.measurement import Outcome

_ENVIRONMENT = {
    # Provenance and git details are not needed, and looking them up takes time that would be measured.
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    "BUILDX_GIT_INFO": "false",
    "BUILDX_METADATA_PROVENANCE": "disabled",
    "DOCKER_CLI_HINTS": "false",
}


class Build(Struct, frozen=True):
    """What to build, and what to call the result."""

    context: Path
    dockerfile: Path
    tag: str = ""
    """Empty with `output`: nothing is loaded into the engine then."""
    stage: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cold: bool = False
    """Nothing from the cache, cache mounts empty; the user's own cache mounts stay as they are."""
    output: Path | None = None
    """A directory that receives the files of the result, in place of an image."""


def argument_list(build: Build, builder: str, id_file: Path) -> list[str]:
    """The `docker buildx build` command; no value of the repository can be taken for an option.

    Cold builds rename their cache mounts instead of emptying the user's: `--no-cache` alone starts them
    empty and keeps what it leaves there (BuildKit's `BUILDKIT_CACHE_MOUNT_NS` build argument).
    """
    arguments = dict(build.arguments)
    if build.cold:
        arguments["BUILDKIT_CACHE_MOUNT_NS"] = uuid.uuid4().hex
    # The exporter of files refuses to write an image's id.
    result = (
        [f"--output=type=local,dest={build.output}"] if build.output else ["--load", f"--iidfile={id_file}"]
    )
    return [
        *("docker", "buildx", "build", f"--builder={builder}", "--progress=rawjson", *result),
        *("--provenance=false", "--sbom=false", f"--file={build.dockerfile}"),
        *([f"--tag={build.tag}"] if build.tag else []),
        *([f"--target={build.stage}"] if build.stage else []),
        *(["--no-cache"] if build.cold else []),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        *(f"--label={name}={value}" for name, value in build.labels.items()),
        *("--", str(build.context)),
    ]


def run(build: Build, builder: str, cancel: Cancel) -> Iterator[Event]:
    """Runs the build; the last event is BuildFinished, however it ends.

    The clock runs from the start of buildx to its end. Closing the generator ends the build too.
    """
    started = time.monotonic()
    decoder = ProgressDecoder()
    with scratch.folder("build") as directory:
        id_file = directory / "id"
        with Running(argument_list(build, builder, id_file), environment=_ENVIRONMENT) as program:
            for chunk in program.output(cancel):
                yield from decoder.feed(chunk)
            status = None if cancel.asked else program.wait()
        seconds = time.monotonic() - started
        yield from decoder.close()
        yield _finished(status, seconds, decoder, id_file)


def _finished(status: int | None, seconds: float, decoder: ProgressDecoder, id_file: Path) -> BuildFinished:
    if status is None:
        return BuildFinished(Outcome.CANCELLED, seconds, error="stopped")
    if status == 0:
        image_id = id_file.read_text(encoding="utf-8").strip() if id_file.exists() else ""
        return BuildFinished(Outcome.BUILT, seconds, image_id)
    verdict = judge(decoder.failure, decoder.text)
    return BuildFinished(verdict.outcome, seconds, error=verdict.message)
