"""An engine that does only what a test scripted: it fails on every unexpected call, and on every missing one."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from phasewise.migration.confinement import STRICT, Confinement
from phasewise.migration.containers import NOT_FOUND, HealthResult, RunResult
from phasewise.migration.errors import Cancelled, PhasewiseError
from phasewise.migration.events import BuildFinished, Cancel, Event, LogLine, StepFinished, StepStarted
from phasewise.migration.images import COMMIT_LABEL, REPOSITORY_LABEL, ImageInfo, LabelledImage
from phasewise.model.census import Layer
from phasewise.model.measurement import Outcome


class Expected(Struct):
    """One call to come: which method, with which arguments (those named), and what it gives."""

    method: str
    arguments: Mapping[str, Any]
    gives: Any


class FakeEngine:
    """Has the methods of `Engine`. Images are remembered; builds, runs and health checks must be scripted.

    Use it as `with FakeEngine() as engine:`; leaving the block fails when a scripted call did not come.
    """

    label = "docker 1.2.3 · buildx 0.13.0 · fake"
    identity = "docker 1.2.3, buildx 0.13.0, fake"
    is_local = False

    def __init__(self) -> None:
        self.images: dict[str, ImageInfo] = {}
        """By tag."""
        self.calls: list[str] = []
        """What was done, in order: `build slug:tag`, `run slug:tag`, `remove slug:tag`, ..."""
        self._expected: deque[Expected] = deque()

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.assert_nothing_is_missing()

    # -- scripting -----------------------------------------------------------------------------------------

    def expect_build(
        self,
        *events: Event,
        image: ImageInfo | None = None,
        error: str = "",
        outcome: Outcome = Outcome.FAILED,
        **arguments: Any,
    ) -> None:
        """A build to come, with those `arguments` (any of `build`'s); with an `error` it ends with `outcome`."""
        self._expected.append(Expected("build", arguments, (events, image or image_info(), error, outcome)))

    def expect_run(self, result: RunResult | None = None, **arguments: Any) -> None:
        """A run to come; without `result` the program is not found, as in an image without Python."""
        self._expected.append(Expected("run", arguments, result or RunResult(NOT_FOUND, "", "not found")))

    def expect_health(self, status: str = "healthy", output: str = "", **arguments: Any) -> None:
        """A health check to come."""
        self._expected.append(Expected("health", arguments, HealthResult(status, output)))

    def assert_nothing_is_missing(self) -> None:
        """Fails when a scripted call did not come."""
        assert not self._expected, f"these calls did not come: {list(self._expected)}"

    def _next(self, method: str, arguments: Mapping[str, Any]) -> Any:
        self.calls.append(f"{method} {arguments.get('tag') or arguments.get('image')}")
        assert self._expected, f"unexpected call: {method}({dict(arguments)})"
        expected = self._expected.popleft()
        assert expected.method == method, f"{expected} was expected, not {method}({dict(arguments)})"
        differing = {
            name: arguments.get(name)
            for name, value in expected.arguments.items()
            if arguments.get(name) != value
        }
        assert not differing, f"{method}: {differing}, but {dict(expected.arguments)} was expected"
        return expected.gives

    # -- the engine's methods ------------------------------------------------------------------------------

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
        called = {"context": context, "dockerfile": dockerfile, "tag": tag, "stage": stage, "cold": cold}
        called |= {"arguments": dict(arguments or {}), "labels": dict(labels or {}), "output": output}
        events, image, error, outcome = self._next("build", called)
        for event in events:
            if cancel and cancel.asked:
                yield BuildFinished(Outcome.CANCELLED, 0.0, error="stopped")
                return
            yield event
        if cancel and cancel.asked:
            yield BuildFinished(Outcome.CANCELLED, 0.0, error="stopped")
        elif error:
            yield BuildFinished(outcome, 1.0, error=error)
        else:
            config = {**image.config, "Labels": {**(image.config.get("Labels") or {}), **(labels or {})}}
            self.images[tag] = ImageInfo(image.id, image.size_bytes, config, image.layers)
            yield BuildFinished(Outcome.BUILT, 1.0, image.id)

    def answers(self) -> bool:
        return True

    def exists(self, image: str) -> bool:
        return self._find(image) is not None

    def inspect(self, image: str) -> ImageInfo:
        found = self._find(image)
        if found is None:
            raise PhasewiseError(f"the engine has no image {image}", "build it first")
        return found

    def images_of(self, repository: str) -> tuple[LabelledImage, ...]:
        found: dict[str, LabelledImage] = {}
        for tag, info in self.images.items():
            labels = info.config.get("Labels") or {}
            if labels.get(REPOSITORY_LABEL) == repository:
                tags = (*(found[info.id].tags if info.id in found else ()), tag)
                found[info.id] = LabelledImage(info.id, tags, labels.get(COMMIT_LABEL, ""), info.size_bytes)
        return tuple(found.values())

    def local_tags(self) -> tuple[str, ...]:
        return tuple(self.images)

    def tag(self, image: str, name: str) -> None:
        self.images[name] = self.inspect(image)
        self.calls.append(f"tag {image} {name}")

    def untag(self, name: str) -> None:
        del self.images[name]
        self.calls.append(f"untag {name}")

    def remove(self, names: Sequence[str]) -> tuple[str, ...]:
        removed = tuple(
            name
            for name in names
            if name in self.images and REPOSITORY_LABEL in (self.images[name].config.get("Labels") or {})
        )
        for name in removed:
            del self.images[name]
            self.calls.append(f"remove {name}")
        return removed

    def discard(self, image_id: str) -> bool:
        self.calls.append(f"discard {image_id}")
        return all(info.id != image_id for info in self.images.values())

    def run(
        self,
        image: str,
        argv: Sequence[str],
        within: Confinement = STRICT,
        cancel: Cancel | None = None,
    ) -> RunResult:
        self.inspect(image)
        if cancel and cancel.asked:
            raise Cancelled("stopped")
        called = {"image": image, "argv": tuple(argv), "within": within}
        result: RunResult = self._next("run", called)
        return result

    def health(
        self, image: str, *, healthcheck: Mapping[str, Any] | None = None, cancel: Cancel | None = None
    ) -> HealthResult:
        self.inspect(image)
        if cancel and cancel.asked:
            raise Cancelled("stopped")
        result: HealthResult = self._next("health", {"image": image, "healthcheck": healthcheck})
        return result

    def sweep(self) -> tuple[str, ...]:
        return ()

    def _find(self, image: str) -> ImageInfo | None:
        by_id = (info for info in self.images.values() if info.id == image)
        return self.images.get(image) or next(by_id, None)


def image_info(size_bytes: int = 100_000_000, name: str = "", **config: Any) -> ImageInfo:
    """An image of that size with one layer; its id follows from all of it."""
    content = f"{size_bytes} {name} {json.dumps(config, sort_keys=True)}"
    id = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    return ImageInfo(id, size_bytes, config, (Layer("RUN everything", size_bytes),))


def step(
    name: str, seconds: float = 1.0, *, cached: bool = False, lines: Sequence[str] = ()
) -> tuple[Event, ...]:
    """The events of one build step."""
    logs = (LogLine(name, line) for line in lines)
    return (StepStarted(name, name), *logs, StepFinished(name, name, seconds, cached))


def printed(answer: object) -> RunResult:
    """The result of a probe that prints `answer` as JSON."""
    return RunResult(0, json.dumps(answer), "")
