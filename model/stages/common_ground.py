"""What two stages start from: the stages they share, and whether their Pythons are the same."""

from __future__ import annotations

import re

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.image_tags import ImageName
from phasewise.model.repo import RepoView

_FULL = re.compile(r"(.+/library/|library/)?(python|buildpack-deps)")


def python_image(dockerfile: Dockerfile, stage: Stage) -> ImageName | None:
    """The official Python image that the stage's lineage starts from; None for any other image."""
    image = ImageName.of(dockerfile.base_image(stage))
    return image if image and image.repository.rpartition("/")[2] == "python" else None


def has_toolchain(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether the stage's lineage starts from a full image, which has compilers and binutils: `python:3.12`.

    Source: Docker's own Python images are built on buildpack-deps, but for slim and Alpine's; that has gcc and
    dpkg-dev, but for its flavours curl and scm. An image of another owner may be anything.
    """
    image = ImageName.of(dockerfile.base_image(stage))
    return image is not None and {*image.flavour} <= {"latest"} and bool(_FULL.fullmatch(image.repository))


def python_version(dockerfile: Dockerfile, stage: Stage) -> str | None:
    """`3.12`, as the tag of the official Python image says; None where it does not."""
    image = python_image(dockerfile, stage)
    return ".".join(image.version[:2]) if image and len(image.version) > 1 else None


def version_may_differ(view: RepoView, stage: Stage) -> str | None:
    """The variable in FROM that a build gives another value than the Dockerfile does; None: there is none."""
    first = view.dockerfile.lineage(stage)[0]
    names = re.findall(r"\$\{?(\w+)", first.base)
    known = view.dockerfile.variables(first.instructions[0])
    builds = [build.arguments for build in view.builds_of(view.dockerfile.path)]
    given = [pair for arguments in (view.target.arguments, *builds) for pair in arguments]
    return next((name for name, value in given if name in names and known.get(name) != value), None)


def same_python(dockerfile: Dockerfile, one: Stage, other: Stage) -> bool:
    """Whether both stages have the same interpreter at the same place.

    The official images have it in /usr/local, slim or not; Alpine's is linked against another C library.
    """
    if same_start(dockerfile, one, other):
        return python_image(dockerfile, one) is not None
    images = [python_image(dockerfile, stage) for stage in (one, other)]
    versions = {python_version(dockerfile, stage) for stage in (one, other)}
    platforms = {dockerfile.lineage(stage)[0].platform for stage in (one, other)}
    alpine = {image is not None and any("alpine" in word for word in image.flavour) for image in images}
    repositories = {image.repository if image else None for image in images}
    return (
        None not in versions
        and None not in repositories
        and all(len(each) == 1 for each in (versions, platforms, alpine, repositories))
    )


def same_start(dockerfile: Dockerfile, one: Stage, other: Stage) -> bool:
    """Whether both start from one stage of the file, or from the same image for the same platform."""
    first, second = (dockerfile.lineage(stage)[0] for stage in (one, other))
    if first.index == second.index:
        return True
    images = [dockerfile.base_image(stage) for stage in (first, second)]
    return images[0] != "" and images[0] == images[1] and first.platform == second.platform


def own_steps(dockerfile: Dockerfile, stage: Stage, other: Stage) -> tuple[Instruction, ...]:
    """The instructions of the stage and of what it inherits that `other` does not have as well, FROM left out."""
    shared = {ancestor.index for ancestor in dockerfile.lineage(other)}
    return tuple(
        instruction
        for ancestor in dockerfile.lineage(stage)
        if ancestor.index not in shared
        for instruction in ancestor.instructions[1:]
    )
