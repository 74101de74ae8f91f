"""The environment that a builder fills and a runtime copies."""

from __future__ import annotations

import re
from collections.abc import Collection

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.python.environments import SYSTEM, installs
from phasewise.model.repo import RepoView
from phasewise.model.stages.roles import CannotSplit, only_tools
from phasewise.model.stages.runtime_use import named_scripts, start_text

_PATHS = ("/opt/venv", "/venv")
"""Where a new virtual environment is made: the first that the Dockerfile has no other use for."""

_SYSTEM_PATH = re.compile(r"/usr/local/(lib/python|bin/(python|pip))|(find|du) /usr/local\b")
_SYSTEM_COMMAND = re.compile(r"/usr/local/bin/([\w.-]+)")
_OTHER_PATH = re.compile(r"""\b(cron|crond|sudo|sshd)\b|\b(su|runuser)["',\s]+-(l\b|-login\b|["',\s])""")


class Carried(Struct, frozen=True):
    """Where the builder installs and what the runtime copies."""

    path: str
    is_new: bool
    """The Dockerfile makes no environment: the builder is given one."""
    copied: tuple[str, ...]


def carried_environment(view: RepoView, stage: Stage) -> Carried:
    """The environment that `stage` installs into.

    A virtual environment keeps its path, because its scripts carry it in their first line. What is installed
    into the system's Python gets one; where something names the system's own directories or starts past PATH,
    these are copied instead: packages, and the commands beside Python.

    Raises:
        CannotSplit: there are several, or the base image is not Python's.
    """
    dockerfile = view.dockerfile
    found = [i for i in installs(dockerfile, stage) if not only_tools(i.command)]
    paths = list(dict.fromkeys(install.environment for install in found))
    if len(paths) != 1:
        where = " and ".join(paths) or "no place that is understood"
        raise CannotSplit(f"packages are installed into {where}", stage.instructions[0].line)
    if paths[0] != SYSTEM:
        return Carried(paths[0], False, (paths[0],))
    image = dockerfile.base_image(stage)
    if image.split(":")[0].rpartition("/")[2] != "python":
        raise CannotSplit(
            f"{image or 'the base image'} is no `python` image, so where its pip puts packages is not known",
            stage.instructions[0].line,
        )
    if not depends_on_system_paths(view):
        path = free_path(dockerfile)
        if path is None:
            raise CannotSplit(f"{' and '.join(_PATHS)} are in use already")
        return Carried(path, True, (path,))
    version = re.search(r":(\d+\.\d+)", image)
    if not version:
        raise CannotSplit(f"the version of Python in {image} is not known", stage.instructions[0].line)
    packages = f"/usr/local/lib/python{version[1]}/site-packages"
    return Carried(SYSTEM, False, (packages, "/usr/local/bin"))


def free_path(dockerfile: Dockerfile) -> str | None:
    """Where a new virtual environment can be made; None where the Dockerfile uses all of these already."""
    return next((p for p in _PATHS if not re.search(rf"(?<![\w/]){p}\b", dockerfile.text)), None)


def depends_on_system_paths(view: RepoView, skip: Collection[Instruction] = ()) -> bool:
    """Whether something names Python's own directories, or starts the service without its PATH.

    The instructions `skip` are not looked at.
    """
    starts = start_text(view, view.stage)
    started = [starts, *(view.files[path] for path in named_scripts(view, starts))]
    compose = view.matching(re.compile(r"compose[^/]*\.ya?ml$"))
    started += [view.files[path] for path in compose if path in view.files]
    steps = [
        instruction.value
        for instruction in view.dockerfile.making(view.stage)
        if instruction.keyword in ("ADD", "COPY", "ENV", "RUN", "VOLUME", "WORKDIR")
        and instruction not in skip
    ]
    put_there = " ".join(
        instruction.value
        if instruction.keyword in ("ADD", "COPY")
        else " ".join(_SYSTEM_COMMAND.findall(instruction.value))
        for instruction in view.dockerfile.making(view.stage)
        if instruction.keyword in ("ADD", "COPY", "RUN") and instruction not in skip
    )
    return any(_SYSTEM_PATH.search(text) or _OTHER_PATH.search(text) for text in (*started, *steps)) or any(
        not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", put_there) and not name.startswith("docker-")
        for text in started
        for name in _SYSTEM_COMMAND.findall(text)
    )
