"""What stands between pip and uv in a step: users, indexes, settings and environments that they would read apart."""

from __future__ import annotations

import re

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.python.own_install import OwnInstall
from phasewise.model.python.uv_places import leads_to_system
from phasewise.model.repo import RepoView
from phasewise.model.stages.common_ground import python_image
from phasewise.model.syntax.arguments import key_values

_SAME_RESULT = frozenset(
    {
        "PIP_NO_CACHE_DIR",
        "PIP_CACHE_DIR",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_ROOT_USER_ACTION",
        "PIP_BREAK_SYSTEM_PACKAGES",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_NO_INPUT",
        "PIP_PROGRESS_BAR",
        "PIP_RETRIES",
        "UV_CACHE_DIR",
        "UV_HTTP_TIMEOUT",
        "UV_LINK_MODE",
        "UV_NO_PROGRESS",
        "UV_PYTHON_DOWNLOADS",
        "UV_SYSTEM_PYTHON",
        "UV_VERSION",
    }
)
"""Variables of pip and uv that do not change what a build of the project fetches, nor where it goes."""
_SETTINGS_FILE = re.compile(r"\bpip\.conf\b|\buv\.toml\b|\bpip3? config\b|\.netrc\b|\bPIP_CONFIG_FILE\b")


def obstacle(view: RepoView, step: OwnInstall) -> str:
    """Why uv would not do what pip does in the step, half a sentence; empty where nothing is in the way."""
    dockerfile, instruction = view.dockerfile, step.instruction
    if not dockerfile.runs_as_root(instruction):
        return "it does not run as root"
    names = {name for name in _declared(dockerfile, instruction) if name.startswith(("PIP_", "UV_"))}
    names |= {name for command in step.commands for name, _ in command.assignments}
    if odd := sorted(names - _SAME_RESULT):
        return f"{', '.join(odd)} may mean something else to uv"
    if settings := _SETTINGS_FILE.search(dockerfile.text):
        return f"{settings[0]} has settings that only one of pip and uv may read"
    if any(path.rpartition("/")[2] in ("uv.toml", "pip.conf") for path in view.paths):
        return "the repository has settings of its own for pip or uv"
    if python_image(dockerfile, dockerfile.stages[instruction.stage or 0]) is None:
        return "its stage does not start from an official Python image"
    if any(flag.name != "mount" for flag in instruction.flags):
        return "its RUN has flags other than --mount"
    if environment_option(dockerfile, step) is None:
        return "which Python it installs for is not certain"
    return ""


def environment_option(dockerfile: Dockerfile, step: OwnInstall) -> str | None:
    """What tells uv the environment that pip takes: `--system`, nothing where VIRTUAL_ENV does; None: not known."""
    variables = dockerfile.variables(step.instruction)
    environment, path = variables.get("VIRTUAL_ENV", "").rstrip("/"), variables.get("PATH", "")
    if environment:
        first = path.partition(":")[0] == f"{environment}/bin" and not step.folder
        asked = variables.get("UV_SYSTEM_PYTHON", "") not in ("", "0", "false")
        return "" if (first or step.folder == f"{environment}/bin/") and not asked else None
    known = not path or leads_to_system(path)
    return "--system" if known and step.folder in ("", "/usr/local/bin/") else None


def _declared(dockerfile: Dockerfile, instruction: Instruction) -> set[str]:
    """The names of all ARG and ENV in scope, those without a value too, which a build may give."""
    stage = dockerfile.stages[instruction.stage or 0]
    return {
        name
        for each in dockerfile.making(stage)
        if each.keyword in ("ARG", "ENV") and each.span < instruction.span
        for name, _ in key_values(each.value, dockerfile.escape)
    }
