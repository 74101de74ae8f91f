"""Where the baseline's image has the packages that a Dockerfile installs, when phases have moved them since."""

from __future__ import annotations

from phasewise.model.census import Census, Distribution
from phasewise.model.paths import overlap, within
from phasewise.model.python.environments import SYSTEM, installs
from phasewise.model.python.installers import BROUGHT_ALONG
from phasewise.model.repo import RepoView
from phasewise.model.stages.common_ground import python_image
from phasewise.model.stages.roles import only_tools

_DEBIAN = "/usr/lib"
"""Debian's own packages, mercurial of the full Python images for one; pip installs nothing there."""


def measured_folders(view: RepoView, path: str) -> tuple[str, ...]:
    """The folders of the baseline's image with the packages that are now below `path`, in any stage; sorted.

    Below `path` itself, where the image has packages there. Else they stood elsewhere, which is known when the
    Dockerfile fills one environment and the image has all its packages in one folder, none of them its base's.
    Empty: not known.
    """
    folders = _folders(view)
    if here := tuple(folder for folder in folders if within(folder, path)):
        return here
    dockerfile = view.dockerfile
    filled = {
        found.environment
        for index in dockerfile.needed_by(view.stage)
        for found in installs(dockerfile, dockerfile.stages[index])
        if not only_tools(found.command)
    }
    is_only = len(filled) == len(folders) == 1 and overlap(filled.pop(), path)
    return folders if is_only and python_image(dockerfile, view.stage) else ()


def measured_places(view: RepoView, path: str) -> tuple[str, ...]:
    """What stands for `path` in the census: itself, where its packages are in the image, else their folders.

    Empty: not known.
    """
    folders = measured_folders(view, path)
    return (path,) if folders and within(folders[0], path) else folders


def base_pip(census: Census) -> Distribution | None:
    """The pip of the base image's Python, as large as the one that a new environment gets."""
    found = (each for each in census.distributions if each.name == "pip" and within(each.location, SYSTEM))
    return next(found, None)


def _folders(view: RepoView) -> tuple[str, ...]:
    """Where the image has packages that something installed."""
    packages = view.census.distributions if view.census else ()
    return tuple(
        sorted(
            {
                each.location
                for each in packages
                if each.name not in BROUGHT_ALONG and not within(each.location, _DEBIAN)
            }
        )
    )
