"""Lets a workflow publish an image for several platforms: the input or option, and the steps that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ruamel.yaml.nodes import MappingNode, Node

from phasewise.model.builds.build_commands import BuildCommand, build_commands
from phasewise.model.builds.script_builds import is_pushing_output
from phasewise.model.builds.yaml_edit import (
    YamlRefusal,
    add_entry,
    add_item_before,
    compose,
    edited,
    embedded,
    node_at,
    scalar,
    value_of,
)
from phasewise.model.builds.yaml_tree import elements
from phasewise.model.repo import BuildReference
from phasewise.model.text import Edit, Span

PLATFORMS = "linux/amd64,linux/arm64"
_QEMU, _BUILDX = "docker/setup-qemu-action", "docker/setup-buildx-action"
_TITLES = {_QEMU: "Set up QEMU", _BUILDX: "Set up Docker Buildx"}
_SAME_MAJOR = (_BUILDX, _QEMU, "docker/login-action")
_OF_BUILD_PUSH = {"2": "1", "3": "2", "4": "2", "5": "3", "6": "3", "7": "4"}
"""The majors of the setup actions that came out with a major of docker/build-push-action."""
_MAJOR = "3"
"""Where no neighbour tells."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_USES = re.compile(r"^\s*-?\s*uses:\s*[\"']?([\w./-]+)@([\w.-]+)", re.M)


def why_not(text: str, build: BuildReference) -> str:
    """Why the step of `build` cannot publish for several platforms; empty when it can.

    Raises:
        YamlRefusal: the step is not written out in the file.
    """
    step = node_at(compose(text), build.where)
    if "DOCKER_DEFAULT_PLATFORM" in text:
        return "DOCKER_DEFAULT_PLATFORM is set"
    if value_of(step, "run") is not None:
        return _against_command(text, step, build)
    inputs = value_of(step, "with")
    pushes = (scalar(inputs, "push") or "false").lower() != "false" if inputs is not None else False
    outputs = ((scalar(inputs, "outputs") or "") if inputs is not None else "").split("\n")
    if not pushes and not any(map(is_pushing_output, outputs)):
        return "it does not push"
    assert inputs is not None
    if value_of(inputs, "platforms") is not None:
        return f"it names its platforms already: {scalar(inputs, 'platforms')}"
    if (scalar(inputs, "load") or "false").lower() != "false":
        return "it loads the image into the engine (load:), which takes one platform only"
    if any(each.strip() and not is_pushing_output(each) for each in outputs):
        return "it has outputs that take one platform only"
    return ""


def with_platforms(text: str, builds: Sequence[BuildReference]) -> str:
    """The workflow in which the steps of `builds`, all of this file, publish for `PLATFORMS`.

    QEMU and Buildx are set up in front of the first of each job where that is not done yet, at the major
    version of the actions beside them.

    Raises:
        YamlRefusal: that would change something else, or which version to take cannot be told.
    """
    for where in dict.fromkeys(build.where for build in builds):
        build = next(each for each in builds if each.where == where)
        edit, address = _platforms(text, build)
        text = edited(text, [edit], {address})
    jobs: dict[str, list[int]] = {}
    for build in builds:
        job, _, index = build.where.rstrip("]").rpartition(".steps[")
        jobs.setdefault(job, []).append(int(index))
    for job, indexes in jobs.items():
        text = _with_setup(text, job, min(indexes))
    return text


def _platforms(text: str, build: BuildReference) -> tuple[Edit, str]:
    step = node_at(compose(text), build.where)
    run = value_of(step, "run")
    if run is not None:
        script = embedded(text, run)
        command = _command(text, run, build)
        end = script.offsets[command.build.span.end - 1] + 1
        return Edit(Span(end, end), f" --platform {PLATFORMS}"), f"{build.where}.run"
    inputs = value_of(step, "with")
    if not isinstance(inputs, MappingNode):
        raise YamlRefusal("its inputs are not written out in the step")
    value = f'"{PLATFORMS}"' if inputs.flow_style else PLATFORMS
    after = next(
        (key for key in ("target", "file", "context", "push") if value_of(inputs, key) is not None), None
    )
    return add_entry(text, inputs, "platforms", value, after=after), f"{build.where}.with.platforms"


def _with_setup(text: str, job: str, first: int) -> str:
    """The steps that are missing, in front of step `first`; QEMU in front of a Buildx that is there."""
    steps = node_at(compose(text), f"{job}.steps")
    before = elements(steps)[:first]
    place = first
    missing = []
    for action in (_QEMU, _BUILDX):
        found = [index for index, step in enumerate(before) if _does(step, action)]
        if not found:
            missing.append(action)
        elif action == _BUILDX:
            place = found[0]
    if not missing:
        return text
    major = _major(text)
    edits = []
    for action in missing:
        at = place if action == _QEMU else first
        edits.append(
            add_item_before(text, steps, at, (f"name: {_TITLES[action]}", f"uses: {action}@v{major}"))
        )
    return edited(text, edits, {f"{job}.steps"})


def _does(step: Node, action: str) -> bool:
    """Whether a step sets that up: with the action, or with the command behind it."""
    if (scalar(step, "uses") or "").partition("@")[0] == action:
        return True
    run = scalar(step, "run") or ""
    return "tonistiigi/binfmt" in run if action == _QEMU else "buildx create" in run


def _major(text: str) -> str:
    """The major version of the setup actions that fits the actions of the workflow.

    Raises:
        YamlRefusal: they are pinned more exactly than that.
    """
    used = dict(_USES.findall(text))
    for action, version in used.items():
        if _COMMIT.fullmatch(version):
            raise YamlRefusal(
                f"{action} is pinned by commit, and which commits {_QEMU} and {_BUILDX} have, the file does not say"
            )
    majors = {action: version for action, version in used.items() if re.fullmatch(r"v\d+", version)}
    exact = next((a for a, v in used.items() if a.startswith("docker/") and a not in majors), None)
    if exact:
        raise YamlRefusal(
            f"{exact}@{used[exact]} is no major version, so which one to take for {_QEMU} is not known"
        )
    same = next((majors[action][1:] for action in _SAME_MAJOR if action in majors), None)
    built = majors.get("docker/build-push-action", "v")[1:]
    return same or _OF_BUILD_PUSH.get(built, _MAJOR)


def _against_command(text: str, step: Node, build: BuildReference) -> str:
    run = value_of(step, "run")
    assert run is not None
    command = _command(text, run, build)
    script = embedded(text, run).text
    start = max(script.rfind(mark, 0, command.build.span.start) for mark in ("\n", ";", "&")) + 1
    if "docker" not in script[start : command.build.span.start]:
        return "it builds with another tool than docker"
    names = [name for name, _ in command.options]
    outputs = [value for name, value in command.options if name in ("-o", "--output")]
    if "--platform" in names:
        return "it names its platforms already"
    if "--push" not in names and not any(map(is_pushing_output, outputs)):
        return "it pushes in a command of its own, which takes one platform: `docker buildx build --push` takes several"
    if "--load" in names or any(not is_pushing_output(each) for each in outputs):
        return "it loads the image into the engine, which takes one platform only"
    return ""


def _command(text: str, run: Node, build: BuildReference) -> BuildCommand:
    script = embedded(text, run)
    commands = build_commands(script.text)
    lines = [text.count("\n", 0, script.offsets[each.build.span.start]) + 1 for each in commands]
    here = [each for each, line in zip(commands, lines, strict=True) if line == build.line]
    if len(here) != 1:
        raise YamlRefusal("which of its commands builds the image cannot be told")
    return here[0]


def timeouts(text: str, builds: Iterable[BuildReference]) -> Iterator[int]:
    """The 1-based lines of the time limits that hold for these steps and their jobs."""
    root = compose(text)
    for build in builds:
        for address in (build.where.rpartition(".steps[")[0], build.where):
            limit = value_of(node_at(root, address), "timeout-minutes")
            if limit is not None:
                yield limit.start_mark.line + 1
