"""Shell scripts and crontabs that the final image holds although nothing that starts it names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from phasewise.model.builds.dockerignore import ignore_file, is_ignored
from phasewise.model.debian.apt import installed
from phasewise.model.dockerfile import Instruction
from phasewise.model.paths import overlap
from phasewise.model.repo import RepoView, normalise
from phasewise.model.shell import Script
from phasewise.model.stages.context_copies import target_of
from phasewise.model.stages.runtime_use import Use, mentioned, without_comment

_SHELL = (".sh", ".bash")
_CRONTAB = re.compile(r"(^|[/._-])cron(tabs?|\.(d|daily|hourly|weekly|monthly))?([/._-]|$)")
_NOT_RUN_IN_IT = re.compile(r"(^|/)(tests?|docs?|examples?|benchmarks?|node_modules|venv|\.[\w-]+)/")
_CALLS_AN_ENGINE = re.compile(
    r"^[^#\n]*\b(docker|docker-compose|podman|nerdctl)[ \t]+(compose|build|run|push|up|exec)\b", re.M
)
"""A script of the machine that builds: no engine answers in the image."""
_SCHEDULERS = frozenset(
    {"anacron", "at", "bcron", "cron", "monit", "runit", "s6", "supervisor", "systemd-cron"}
)
_SCHEDULE = re.compile(rf"{_CRONTAB.pattern}|\bsupervisord?\b")


def script_uses(view: RepoView, commands: Collection[str]) -> dict[str, Use]:
    """The first line for each of `commands` in a script or crontab that a COPY brings into the target's image."""
    wanted = frozenset(commands)
    found: dict[str, Use] = {}
    for path in shipped_scripts(view) if wanted else ():
        for number, line in enumerate(view.files[path].split("\n"), 1):
            for command in () if line.startswith("#!") else mentioned(without_comment(line), wanted):
                found.setdefault(command, Use(command, path, number))
    return found


def scheduler(view: RepoView) -> int | None:
    """The line that installs cron, supervisor or the like, or copies what they are told; None: there is none.

    Their jobs call what no start command shows, and may be given to the container from outside.
    """
    for instruction in view.dockerfile.making(view.stage):
        script = Script.of(view.dockerfile, instruction) if instruction.keyword == "RUN" else None
        names = installed(script) if script else frozenset()
        words = view.dockerfile.words(instruction) if instruction.keyword in ("COPY", "ADD") else ()
        if names & _SCHEDULERS or any(_SCHEDULE.search(word.value) for word in words):
            return instruction.line
    return None


def shipped_scripts(view: RepoView) -> tuple[str, ...]:
    """The tracked shell scripts and crontabs in the target's image, sorted by path."""
    root = normalise(view.target.context)
    ignored = view.files.get(ignore_file(view, view.target.dockerfile, view.target.context), "")
    copied = _copied(view)
    found = []
    for path in sorted(view.files) if copied else ():
        inside = path if root == "." else path.removeprefix(f"{root}/")
        is_inside = root == "." or inside != path
        if is_inside and _comes_in(view, copied, path, inside) and not is_ignored(ignored, inside):
            found.append(path)
    return tuple(found)


def _comes_in(view: RepoView, copied: Mapping[str, bool], path: str, inside: str) -> bool:
    """Whether a COPY brings the script or crontab `path`; from a folder, only what seems to be for the image."""
    if path in copied:
        return copied[path] or (_may_be_script(path) and _is_script(view.files[path], path))
    if not _may_be_script(path) or _NOT_RUN_IN_IT.search(inside):
        return False
    if not any(_brings(pattern, path) for pattern in copied):
        return False
    text = view.files[path]
    return _is_script(text, path) and not _CALLS_AN_ENGINE.search(text)


def _copied(view: RepoView) -> dict[str, bool]:
    """The repository paths that COPYs for the image name, wildcards in them, and whether they are for cron.

    All of the context where a name is not known.
    """
    found: dict[str, bool] = {}
    for copy in _copies(view):
        *sources, target = view.dockerfile.words(copy)
        for word in sources:
            path = view.context_path(view.dockerfile.expand(word.value, copy) or ".")
            found[path] = found.get(path, False) or bool(_CRONTAB.search(target.value))
    return found


def _copies(view: RepoView) -> Iterator[Instruction]:
    """What takes from the build context for the image, by way of another stage too."""
    dockerfile = view.dockerfile
    for instruction in dockerfile.making(view.stage):
        if _takes_context(instruction):
            yield instruction
        elif instruction.keyword == "COPY" and (source := dockerfile.source_stage(instruction)):
            taken = [word.value for word in dockerfile.words(instruction)[:-1]]
            for earlier in filter(_takes_context, dockerfile.making(source)):
                if any(overlap(target_of(view, earlier), each) for each in taken):
                    yield earlier


def _takes_context(instruction: Instruction) -> bool:
    is_copy = instruction.keyword in ("COPY", "ADD")
    return is_copy and not instruction.flag("from") and not instruction.heredocs


def _brings(pattern: str, path: str) -> bool:
    if pattern == "." or path.startswith(f"{pattern}/"):
        return True
    either = (path, *(str(folder) for folder in PurePosixPath(path).parents))
    return any(fnmatchcase(each, pattern) for each in either)


def _may_be_script(path: str) -> bool:
    """Whether its name leaves that open: only then is the file read."""
    name = path.rpartition("/")[2]
    return name.endswith(_SHELL) or "." not in name or bool(_CRONTAB.search(path))


def _is_script(text: str, path: str) -> bool:
    return (
        path.endswith(_SHELL) or text.startswith("#!") or (bool(_CRONTAB.search(path)) and path[-3:] != ".py")
    )
