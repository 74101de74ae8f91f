"""The mounts that a RUN has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from phasewise.model.dockerfile import Flag, Instruction
from phasewise.model.repo import RepoView


class Mount(Struct, frozen=True):
    """One `--mount=...` of a RUN."""

    flag: Flag
    options: Mapping[str, str]
    target: str
    """Where it stands in the image; variables filled in where they are known, and no slash at the end."""

    @property
    def is_cache(self) -> bool:
        """Whether it keeps its content from build to build."""
        return self.options.get("type") == "cache"


def mounts(view: RepoView, instruction: Instruction) -> Iterator[Mount]:
    """The RUN's mounts in the order in which they are written."""
    for flag in instruction.flags:
        if flag.name == "mount":
            options = dict(part.partition("=")[::2] for part in flag.value.split(","))
            target = options.get("target") or options.get("dst") or options.get("destination") or ""
            target = view.dockerfile.expand(target, instruction) or target
            yield Mount(flag, options, target.rstrip("/"))


def is_lent(instruction: Instruction, path: str) -> bool:
    """Whether the RUN mounts a file of another stage or image at just that path, so that the image need not have it."""
    for value in instruction.flags_named("mount"):
        options = dict(part.partition("=")[::2] for part in value.split(","))
        target = options.get("target") or options.get("dst") or options.get("destination")
        if target == path and options.get("from"):
            return True
    return False
