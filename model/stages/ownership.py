"""Recursive chown and chmod over copied files: the same ownership without a second copy of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from phasewise.model.debian.apt import edited, is_upkeep
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import within
from phasewise.model.shell import Script
from phasewise.model.stages.recursion import Recursive, destination, goes_beside, recursive_changes
from phasewise.model.stages.user_first import run_edits
from phasewise.model.stages.written_files import EMPTY_DIRECTORIES, made_directories, others_wrote
from phasewise.model.text import Edit, Span, apply_edits


class Handover(Struct, frozen=True):
    """The recursive commands of a stage that COPY flags can replace, and the text with that done."""

    replaced: tuple[Recursive, ...]
    text: str
    searched: bool = False
    """`find` still looks for files that somebody else than a COPY wrote."""

    @property
    def from_stages(self) -> bool:
        """Whether any of the files come from another stage, as an environment does."""
        return any(copy.flag("from") for change in self.replaced for copy in change.copies)


def hand_over(dockerfile: Dockerfile, stage: Stage) -> Handover | None:
    """The Dockerfile in which `stage` copies files as their owner; None when there is nothing to replace.

    The directories that are no copies (a WORKDIR, what mkdir made) still change hands, without what is in
    them. Where another RUN may have written among the files, `find` changes just those that are not right
    yet. A user that is made after the COPY is made before it.

    Source: chown and chmod write a file again into the later layer, whole, even when nothing changes.
    """
    changes = tuple(
        change
        for change in recursive_changes(dockerfile, stage)
        if not brings_nothing(dockerfile, stage, change)
    )
    if not changes:
        return None
    edits = [*_flag_edits(dockerfile, changes)]
    texts: dict[int, str | None] = {}
    for run in dict.fromkeys(change.instruction.span.start for change in changes):
        own = [change for change in changes if change.instruction.span.start == run]
        texts[run] = _without_recursion(dockerfile, stage, own)
    edits += run_edits(dockerfile, stage, changes, texts)
    searched = any(
        others_wrote(dockerfile, stage, change, path) for change in changes for path in change.paths
    )
    return Handover(changes, apply_edits(dockerfile.text, edits), searched)


def brings_nothing(dockerfile: Dockerfile, stage: Stage, change: Recursive) -> bool:
    """Whether flags would spare next to no bytes: the COPYs of lone files have them, and others wrote the rest."""
    return all(has_flag(copy, change) and goes_beside(dockerfile, copy) for copy in change.copies) and any(
        others_wrote(dockerfile, stage, change, path) for path in change.paths
    )


def has_flag(copy: Instruction, change: Recursive) -> bool:
    """Whether the COPY sets already what the command would."""
    return copy.flag(change.flag) == change.value


def _flag_edits(dockerfile: Dockerfile, changes: tuple[Recursive, ...]) -> Iterator[Edit]:
    """Puts `--chown=` and `--chmod=` on the copies; what stood there is replaced."""
    flags: dict[int, dict[str, str]] = {}
    copies: dict[int, Instruction] = {}
    for change in changes:
        for copy in change.copies:
            copies[copy.span.start] = copy
            flags.setdefault(copy.span.start, {})[change.flag] = change.value
    for start, wanted in flags.items():
        copy = copies[start]
        new = []
        for name, value in sorted(wanted.items(), key=lambda item: item[0] != "chown"):
            present = next((flag for flag in copy.flags if flag.name == name), None)
            if present:
                yield Edit(present.span, f"--{name}={value}")
            else:
                new.append(f" --{name}={value}")
        end = copy.flags[-1].span.end if copy.flags else copy.span.start + len(copy.keyword)
        if new:
            yield Edit(Span(end, end), "".join(new))


def _without_recursion(dockerfile: Dockerfile, stage: Stage, changes: list[Recursive]) -> str | None:
    """The RUN's text with each command confined to what the copies do not settle; None: nothing is left."""
    instruction = changes[0].instruction
    script = Script.of(dockerfile, instruction)
    edits: list[Edit] = []
    dropped = []
    for change in changes:
        replacement = _confined(dockerfile, stage, change)
        if replacement:
            edits.append(Edit(change.command.span, replacement))
        else:
            dropped.append(change.command)
    left = [c for c in (script.commands if script else ()) if c not in dropped and not is_upkeep(c)]
    if not left or script is None:
        return None
    pruned = script.without(dropped)
    return edited(dockerfile.text, instruction.span, [*edits, *(pruned or ())])


def _confined(dockerfile: Dockerfile, stage: Stage, change: Recursive) -> str:
    """The command for the directories that are no copies, or over what others wrote; empty: none is left."""
    plain: list[str] = []
    searched: list[str] = []
    for path in change.paths:
        if others_wrote(dockerfile, stage, change, path):
            searched.append(path)
        else:
            plain += _own_directories(dockerfile, stage, change, path)
    commands = []
    if change.left:
        commands.append(" ".join([change.flag, "-R", change.written, *change.left]))
    if plain:
        commands.append(" ".join([change.flag, change.written, *dict.fromkeys(plain)]))
    if searched:
        test = (
            f"! -user {change.written.partition(':')[0]}"
            if change.flag == "chown"
            else f"! -perm {change.written}"
        )
        run = f"chown -h {change.written}" if change.flag == "chown" else f"chmod {change.written}"
        kinds = "" if change.flag == "chown" else " ! -type l"
        commands.append(f"find {' '.join(searched)}{kinds} {test} -exec {run} {{}} +")
    return " && ".join(commands)


def _own_directories(dockerfile: Dockerfile, stage: Stage, change: Recursive, path: str) -> list[str]:
    """`path` and the directories under it that the flags of COPY leave as they are.

    What a WORKDIR or a mkdir made, with mode 755 from the start. `--chown` reaches the directories that COPY makes
    on its way, `--chmod` just what is in them (seen with Engine 26.1.5).
    """
    made = dict.fromkeys(
        d for d in made_directories(dockerfile, stage, change.command.span.start) if within(d, path)
    )
    targets = [(copy, destination(dockerfile, copy)) for copy in change.copies]
    copied = [where for _, where in targets if where and within(where, path)]
    if change.flag == "chmod" and change.value.lstrip("0") == "755":
        there = path in made or path in EMPTY_DIRECTORIES
        return [path] if path not in copied and not there else []
    if change.flag == "chmod":
        folders = [w for copy, w in targets if w and within(w, path) and not _is_file(dockerfile, copy)]
        passed = [str(above) for where in folders for above in reversed([*PurePosixPath(where).parents])]
        made |= dict.fromkeys(where for where in (*passed, *folders) if within(where, path))
    root = [path] if path not in copied or path in made or path in EMPTY_DIRECTORIES else []
    return [*root, *(directory for directory in made if directory != path)]


def _is_file(dockerfile: Dockerfile, copy: Instruction) -> bool:
    """Whether a COPY gives its one file a place by name, as far as names tell."""
    *sources, target = (word.value for word in dockerfile.words(copy))
    if len(sources) != 1 or target.endswith(("/", ".")):
        return False
    return PurePosixPath(target).suffix != "" or PurePosixPath(target).name == PurePosixPath(sources[0]).name
