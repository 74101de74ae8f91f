"""Which locked dependencies of a target have no wheel for arm64, and what is known of those that are not locked."""

from __future__ import annotations

from collections.abc import Mapping

from phasewise.model.image_tags import ImageName
from phasewise.model.python.installs import installs
from phasewise.model.python.lock_wheels import Platform, Unbuilt, only_on
from phasewise.model.python.projects import lock_of, projects
from phasewise.model.repo import RepoView


def without_wheels(view: RepoView) -> dict[str, tuple[Unbuilt, ...]]:
    """By lock file that the target is installed from: what has a wheel for amd64 and none for arm64."""
    name = ImageName.of(view.dockerfile.base_image(view.stage))
    is_python = name is not None and name.repository.rpartition("/")[2] == "python" and len(name.version) > 1
    python = (int(name.version[0]), int(name.version[1])) if name and is_python else None
    libc = "musllinux" if name and "alpine" in name.flavour else "manylinux"
    here, there = Platform("x86_64", python, libc), Platform("aarch64", python, libc)
    locks = [lock for project in projects(view) if (lock := lock_of(view, project))]
    return {lock: only_on(view.files[lock], here, there) for lock in locks if lock.endswith("lock")}


def wheels_said(view: RepoView, missing: Mapping[str, tuple[Unbuilt, ...]]) -> str:
    """What is known of the dependencies on arm64, in sentences; `missing` is what `without_wheels` found."""
    sentences = []
    for lock, packages in missing.items():
        names = ", ".join(f"{each.name} {each.version}" for each in packages)
        sentences.append(
            f"By {lock}, these have no wheel for arm64 and are built from source there, for which the stage that "
            f"installs them needs a compiler: {names}."
            if packages
            else f"By {lock}, every dependency has a wheel for arm64."
        )
    needed = view.dockerfile.needed_by(view.stage)
    lists = [s.key for each in installs(view) if each.instruction.stage in needed for s in each.sources]
    if lists:
        name = next((key for key in lists if ".toml" not in key), "requirements.txt")
        sentences.append(
            f"{', '.join(dict.fromkeys(lists))} does not say which wheels there are, so it is not known whether all "
            "dependencies have one for arm64. To find out: `pip download --only-binary=:all: --platform "
            f"manylinux_2_28_aarch64 --platform manylinux2014_aarch64 --dest /tmp/wheels -r {name}`."
        )
    return " ".join(sentences) or "It installs no Python packages from lists."
