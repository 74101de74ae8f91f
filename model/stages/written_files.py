"""What the RUNs of a stage leave in a directory, as far as their commands tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import PurePosixPath
from posixpath import join, normpath

from phasewise.model.debian.apt import is_upkeep
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import overlap, within
from phasewise.model.python.environments import installs
from phasewise.model.shell import Command, Script
from phasewise.model.stages.owners import USER_TOOLS
from phasewise.model.stages.recursion import Recursive, absolute, destination, goes_beside

_QUIET = frozenset({"apt-get", "apt", "echo", "set", "true", ":", "ldconfig", "test", "["}) | USER_TOOLS
_BY_ARGUMENT = frozenset({"find", "rm", "mkdir", "touch", "ln", "cp", "mv", "chmod", "chown", "install"})
_SYSTEM_TREES = ("/usr", "/etc", "/var", "/lib", "/bin", "/sbin", "/root", "/tmp", "/run")
EMPTY_DIRECTORIES = frozenset({"/boot", "/home", "/media", "/mnt", "/opt", "/srv"})
"""What every image has from the start, with nothing in it."""
_BARE_IMAGES = re.compile(r"python|debian|ubuntu|alpine|node|rust|golang|scratch|buildpack-deps")
"""Official images that have no files outside the system's own directories."""
_OUTPUT = re.compile(r"(?:\d|&)?>[>|]?\s*([^&\s].*)$")
_HERE = re.compile(r"\.(\[.*\])?$")
"""The project itself, which a build leaves its own files in."""
_INSTALLERS = re.compile(r"pip[\d.]*|uv|poetry|pdm|virtualenv")
_OUTPUT_OPTIONS = frozenset({"-o", "-O", "--output", "--output-file", "--output-document"})


def made_directories(dockerfile: Dockerfile, stage: Stage, before: int) -> dict[str, bool]:
    """What WORKDIR and mkdir make in front of the offset `before`, with the directories above; whether it is there.

    Not so where mkdir does not run in every build, or where rm may have taken it out again.
    """
    made: dict[str, bool] = {}
    for instruction in dockerfile.making(stage):
        if instruction.span.start >= before:
            break
        if instruction.keyword == "WORKDIR":
            words = dockerfile.words(instruction)
            if words and (path := absolute(dockerfile, instruction, words[0].value)):
                made |= dict.fromkeys(_with_those_above(path), True)
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            if command.span.start >= before:
                break
            if script and command.name == "mkdir":
                for path in made_by(dockerfile, instruction, command):
                    made |= {
                        d: made.get(d, False) or script.certain(command) for d in _with_those_above(path)
                    }
            elif command.name in ("rm", "rmdir"):
                made |= dict.fromkeys(_removed(dockerfile, instruction, command, made), False)
    return made


def made_by(dockerfile: Dockerfile, instruction: Instruction, command: Command) -> Iterator[str]:
    """The directories that a mkdir names, absolute, without those whose names only the shell knows."""
    words = iter(command.argv[1:])
    for word in words:
        if word in ("-m", "--mode"):
            next(words, None)
        elif not word.startswith("-") and (path := absolute(dockerfile, instruction, word)):
            yield path


def _removed(
    dockerfile: Dockerfile, instruction: Instruction, command: Command, made: Iterable[str]
) -> Iterator[str]:
    """Those of `made` that an rm may take out."""
    for word in _operands(command):
        plain, *pattern = re.split(r"[*?\[`]|\$\(", dockerfile.expand(word, instruction) or "$(", maxsplit=1)
        where = normpath(join(dockerfile.workdir(instruction), plain or "/" * len(pattern)))
        yield from (d for d in made if within(d, where) or (pattern and d.startswith(where)))


def _with_those_above(path: str) -> Iterator[str]:
    yield from reversed([str(above) for above in PurePosixPath(path).parents])
    yield path


def file_names_before(dockerfile: Dockerfile, stage: Stage, before: int) -> frozenset[str]:
    """The last parts of the paths that COPY, and commands which name what they write, fill before an offset.

    Of the RUNs in front of the one at the offset only those commands count that run in every build.
    """
    names: set[str] = set()
    for instruction in dockerfile.making(stage):
        if instruction.span.start >= before:
            break
        if instruction.keyword in ("COPY", "ADD") and (words := dockerfile.words(instruction)):
            names.add(PurePosixPath(words[-1].value).name)
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            same = instruction.span.end > before
            if script and command.span.start < before and (same or script.certain(command)):
                names.update(PurePosixPath(word).name for word in _output_files(command))
    return frozenset(names)


def _output_files(command: Command) -> Iterator[str]:
    """The files that a command says it writes, as written there."""
    yield from (match[1].strip("\"'") for each in command.redirects if (match := _OUTPUT.match(each)))
    for word, following in zip(command.argv, (*command.argv[1:], ""), strict=True):
        option, _, value = word.partition("=")
        if option in _OUTPUT_OPTIONS:
            yield value or following
    if command.name in ("cp", "mv"):
        yield from _operands(command)[-1:]
    elif command.name == "tee":
        yield from _operands(command)
    elif command.name in ("curl", "wget"):
        yield from (word for word in command.argv[1:] if "://" in word)


def others_wrote(dockerfile: Dockerfile, stage: Stage, change: Recursive, path: str) -> bool:
    """Whether something else than a COPY of the stage may have left files, or a directory, under `path` by then.

    That is the base image, a stage that this one inherits, or a RUN up to the command.
    """
    if _base_may_have_files(dockerfile, stage, path):
        return True
    made = made_directories(dockerfile, stage, change.command.span.start)
    if any(within(directory, path) and not there for directory, there in made.items()):
        return True
    inherited = [copy for parent in dockerfile.lineage(stage)[:-1] for copy in parent.instructions]
    if any(_copies_into(dockerfile, copy, path) for copy in inherited):
        return True
    for instruction in dockerfile.making(stage):
        if instruction.span.start > change.instruction.span.start:
            break
        if instruction.keyword != "RUN":
            continue
        script = Script.of(dockerfile, instruction)
        if script is None:
            return True
        for command in script.commands:
            if command.span.start < change.command.span.start and (
                may_write(dockerfile, instruction, command, path)
                or _redirects_into(dockerfile, instruction, command, path)
            ):
                return True
    return False


def _copies_into(dockerfile: Dockerfile, copy: Instruction, path: str) -> bool:
    """Whether a COPY may bring files under `path`."""
    if copy.keyword not in ("COPY", "ADD"):
        return False
    where = destination(dockerfile, copy)
    return where is None or within(where, path) or (within(path, where) and not goes_beside(dockerfile, copy))


def _redirects_into(dockerfile: Dockerfile, instruction: Instruction, command: Command, path: str) -> bool:
    """Whether `>` writes a file under `path`, or one whose place is not known."""
    for written in command.redirects:
        if match := _OUTPUT.match(written):
            where = absolute(dockerfile, instruction, match[1].strip("\"'"))
            if where is None or within(where, path):
                return True
    return False


def _base_may_have_files(dockerfile: Dockerfile, stage: Stage, path: str) -> bool:
    """Whether files of the image that the lineage starts from may lie under `path`."""
    if path == "/" or any(within(path, tree) for tree in _SYSTEM_TREES):
        return True
    image = dockerfile.base_image(stage)
    return _BARE_IMAGES.fullmatch(image.partition("@")[0].rpartition("/")[2].partition(":")[0]) is None


def may_write(dockerfile: Dockerfile, instruction: Instruction, command: Command, path: str) -> bool:
    """Whether the command may leave a file under `path`, by its name and arguments; redirects are not looked at."""
    if command.name in _QUIET or is_upkeep(command):
        return False
    if command.name in ("mkdir", "chown", "chmod"):
        return False
    if _INSTALLERS.fullmatch(command.name) or command.argv[1:3] in (("-m", "pip"), ("-m", "venv")):
        stage = dockerfile.stages[instruction.stage or 0]
        places = [i.environment for i in installs(dockerfile, stage) if i.instruction is instruction]
        words = [word for word in command.argv[1:] if "/" in word or _HERE.match(word)]
        named = [absolute(dockerfile, instruction, _HERE.sub(".", word)) for word in words]
        return any(within(where, path) for where in (*places, *filter(None, named)))
    if command.name == "find" and ("-delete" in command.argv or "rm" in command.argv):
        return False
    if command.name in _BY_ARGUMENT:
        words = _operands(command)
        named = [absolute(dockerfile, instruction, word) for word in words]
        return any(where is not None and overlap(where, path) for where in named) and (command.name != "rm")
    return True


def _operands(command: Command) -> list[str]:
    """The arguments that can be paths; for find those in front of its expression."""
    if command.name == "find":
        return list(takewhile(lambda word: word[0] not in "-!(", filter(None, command.argv[1:])))
    return [word for word in command.argv[1:] if not word.startswith("-")]
