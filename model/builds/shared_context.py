"""Which Dockerfiles are built with the same ignore file as the target's, and what of the context they name."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from phasewise.model.builds.context import guess
from phasewise.model.builds.dockerfile_names import is_named_so, may_be_one, reads_like_one
from phasewise.model.builds.dockerignore import ignore_file
from phasewise.model.builds.places import is_local
from phasewise.model.dockerfile import Dockerfile, DockerfileError, Instruction
from phasewise.model.repo import RepoView, normalise

_REMOTE = ("http://", "https://", "git@", "ssh://")


class NotKnown(Exception):
    """What a Dockerfile takes from the context cannot be told; the message says why."""


class Taken(Struct, frozen=True):
    """One thing of the build context that an instruction names."""

    path: str
    """Relative to the context; `.` for all of it. May hold wildcards."""
    dockerfile: Dockerfile
    instruction: Instruction

    @property
    def is_everything(self) -> bool:
        """Whether the whole context is taken."""
        return self.path in (".", "*", "**")


def sharing(view: RepoView) -> tuple[Dockerfile, ...]:
    """The target's Dockerfile and all others that are built with the same ignore file.

    Raises:
        NotKnown: one of them cannot be read.
    """
    wanted = ignore_file(view, view.target.dockerfile, view.target.context)
    found = [view.dockerfile]
    for path in sorted(view.paths - {view.target.dockerfile}):
        if not _is_dockerfile(view, path):
            continue
        try:
            other = Dockerfile.parse(view.files[path], path)
        except DockerfileError as error:
            if _may_share(view, path, wanted):
                raise NotKnown(f"{path} may share the build context and cannot be read: {error}") from error
            continue
        contexts = {build.context for build in view.builds_of(path)} or {guess(other, view.paths)}
        if any(ignore_file(view, path, context) == wanted for context in contexts if is_local(context)):
            found.append(other)
    return tuple(found)


def taken(view: RepoView, dockerfile: Dockerfile) -> Iterator[Taken]:
    """What COPY, ADD and bind mounts of all its stages take from the build context.

    Raises:
        NotKnown: a name is put together from a variable whose value is not known.
    """
    for instruction in dockerfile.instructions:
        if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None:
            for word in dockerfile.words(instruction)[:-1]:
                if not word.value.startswith(("<<", *_REMOTE)):
                    yield Taken(_relative(view, dockerfile, instruction, word.value), dockerfile, instruction)
        for mount in instruction.flags_named("mount"):
            options = dict(part.partition("=")[::2] for part in mount.split(","))
            if options.get("type", "bind") == "bind" and "from" not in options:
                source = options.get("source") or options.get("src") or "."
                yield Taken(_relative(view, dockerfile, instruction, source), dockerfile, instruction)


def _relative(view: RepoView, dockerfile: Dockerfile, instruction: Instruction, word: str) -> str:
    place = dockerfile.expand(word, instruction)
    given = {name for build in view.builds_of(dockerfile.path) for name, _ in build.arguments}
    if place is None or any(f"${name}" in word or f"${{{name}" in word for name in given):
        raise NotKnown(f"what {word} in line {instruction.line} of {dockerfile.path} stands for is not known")
    return normalise(place)


def _is_dockerfile(view: RepoView, path: str) -> bool:
    if is_named_so(path) or view.builds_of(path):
        return path in view.files
    return may_be_one(path) and path in view.files and reads_like_one(view.files[path])


def _may_share(view: RepoView, path: str, wanted: str) -> bool:
    contexts = {build.context for build in view.builds_of(path)} or {".", path.rpartition("/")[0] or "."}
    return any(ignore_file(view, path, context) == wanted for context in contexts)
