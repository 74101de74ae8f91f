"""Moves what cleans installed packages to where they are: the stage or the RUN that wrote them."""

from __future__ import annotations

from msgspec import Struct

from phasewise.model.cleaning.commands import (
    Cleaning,
    appended,
    installer_removal,
    repaired,
)
from phasewise.model.cleaning.move import Move
from phasewise.model.debian.apt import edited
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction, insert_after
from phasewise.model.paths import overlap, within
from phasewise.model.python.environments import SYSTEM, environment_copies, installs
from phasewise.model.python.sourceless import ALL_SOURCES
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.text import Edit, Span


class _Home(Struct, frozen=True):
    """Where the files are that a RUN would clean."""

    path: str
    source: Stage | None
    """The stage that they are copied from; None where RUNs of the lineage write them."""


def _homes(view: RepoView) -> list[_Home]:
    dockerfile = view.dockerfile
    copied = [_Home(copy.path, copy.source) for copy in environment_copies(dockerfile, view.stage)]
    installed = [_Home(found.environment, None) for found in installs(dockerfile, view.stage)]
    return list({home.path: home for home in [*installed, *copied]}.values())


def _home_of(homes: list[_Home], root: str) -> tuple[_Home, str] | None:
    """The files' place, and `root` there; None where it is not certain."""
    for home in homes:
        if overlap(root, home.path):
            return home, root
    places = [home for home in homes if not within(home.path, SYSTEM)]
    if within(root, SYSTEM) and len(places) == len(homes) == 1:
        return places[0], places[0].path + root.removeprefix(SYSTEM)
    return None


def package_move(
    view: RepoView, script: Script, found: tuple[Cleaning, ...], *, in_image: bool
) -> Move | None:
    """The RUN that cleans packages: at the right path, in the stage or the RUN that wrote them."""
    dockerfile, instruction = view.dockerfile, script.instruction
    homes = _homes(view)
    targets = [_home_of(homes, root) for each in found for root, _ in each.roots]
    known = [target for target in targets if target]
    if not known or len(known) != len(targets) or len({home.path for home, _ in known}) != 1:
        return None
    home = known[0][0]
    if in_image and any(ALL_SOURCES.fullmatch(word) for each in found for word in each.words):
        reason = f"line {instruction.line} deletes sources, which other steps may have to compile before that"
        return Move(instruction, found, reason=reason)
    places = iter([root for _, root in known])
    renamed = {span: next(places) for each in found for _, span in each.roots}
    wrong = any(renamed[span] != root for each in found for root, span in each.roots)
    trapped = any(each.misbinds or each.braces or each.metadata for each in found)
    if not in_image and not wrong and not trapped:
        return None
    written = [_written(dockerfile.text, each, renamed, home.path) for each in found]
    if any(text is None for text in written):
        return Move(instruction, found, reason=f"line {instruction.line}: what its find means is not certain")
    commands = [text for text in written if text]
    edits: tuple[Edit, ...] | None
    if not in_image:
        edits = _in_place(dockerfile, script, found, commands, renamed, trapped)
    elif home.source is not None:
        edits = _into_stage(dockerfile, script, home.source, commands, renamed, trapped)
    else:
        edits = _into_runs(dockerfile, script, found, commands, home.path, view.stage)
    if edits is None:
        return Move(
            instruction,
            found,
            reason=f"line {instruction.line}: the step that wrote the files cannot be continued",
        )
    return Move(
        instruction,
        found,
        edits,
        _reason(instruction, found, home, wrong, in_image, bool(commands)),
        home.path,
        saves=True,
    )


def repaired_in_place(view: RepoView, script: Script, found: tuple[Cleaning, ...]) -> Move | None:
    """A trap in a RUN that does other things too."""
    text, instruction = view.dockerfile.text, script.instruction
    edits = []
    homes = _homes(view)
    told = [each for each in found if each.misbinds or each.braces]
    for each in told:
        home = _home_of(homes, each.roots[0][0])
        same: dict[Span, str] = {span: span.of(text) for _, span in each.roots}
        written = _written(text, each, same, home[0].path) if home else None
        if written is None:
            return None
        edits.append(Edit(each.span, written))
    if not edits:
        return None
    why = " ".join(trap(each) for each in told)
    return Move(instruction, tuple(told), tuple(edits), f"Line {instruction.line}: {why}")


def _written(text: str, each: Cleaning, renamed: dict[Span, str], path: str) -> str | None:
    """The command at the right path; empty where nothing of it is left, None where it is not understood."""
    if each.metadata and each.only_metadata:
        return ""
    if each.braces:
        return installer_removal(each, path)
    if each.misbinds or each.metadata:
        return repaired(each, tuple(renamed[span] for _, span in each.roots))
    return edited(text, each.span, [Edit(span, renamed[span]) for _, span in each.roots if span in renamed])


def _in_place(
    dockerfile: Dockerfile,
    script: Script,
    found: tuple[Cleaning, ...],
    commands: list[str],
    renamed: dict[Span, str],
    trapped: bool,
) -> tuple[Edit, ...]:
    if not commands:
        return (drop_instruction(dockerfile, script.instruction),)
    return (Edit(script.instruction.span, _as_run(dockerfile, script, commands, renamed, trapped)),)


def _as_run(
    dockerfile: Dockerfile, script: Script, commands: list[str], renamed: dict[Span, str], trapped: bool
) -> str:
    """The RUN as it was, at the right path, or written anew where a command is repaired."""
    text, instruction = dockerfile.text, script.instruction
    newline = "\r\n" if "\r\n" in text else "\n"
    if trapped:
        return "RUN " + f" && \\{newline}    ".join(commands)
    edits = [Edit(span, name) for span, name in renamed.items() if name != span.of(text)]
    return edited(text, instruction.span, edits)


def _into_stage(
    dockerfile: Dockerfile,
    script: Script,
    source: Stage,
    commands: list[str],
    renamed: dict[Span, str],
    trapped: bool,
) -> tuple[Edit, ...] | None:
    """The RUN behind the last install of the stage that is copied from."""
    gone = drop_instruction(dockerfile, script.instruction)
    written = [
        found.instruction for found in installs(dockerfile, source) if found.instruction.stage == source.index
    ]
    if not commands:
        return (gone,)
    if not written:
        return None
    last, text = written[-1], dockerfile.text
    lines = dockerfile.lines(script.instruction)
    comments = text[lines.start : script.instruction.span.start].replace("\r\n", "\n")
    run = _as_run(dockerfile, script, commands, renamed, trapped).replace("\r\n", "\n")
    follows = text[dockerfile.lines(last).end :]
    block = f"\n{comments}{run}\n" + ("" if follows.startswith(("\n", "\r\n")) else "\n")
    return insert_after(dockerfile, last, block), gone


def _into_runs(
    dockerfile: Dockerfile,
    script: Script,
    found: tuple[Cleaning, ...],
    commands: list[str],
    path: str,
    stage: Stage,
) -> tuple[Edit, ...] | None:
    """The commands at the end of every RUN of the lineage that installs into `path`."""
    ignored = any(command.failure_ignored for command in script.commands)
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    writers = {
        i.instruction.span: i.instruction for i in installs(dockerfile, stage) if i.environment == path
    }
    before = [run for run in writers.values() if run.span < script.instruction.span]
    if not before or any(run.span > script.instruction.span for run in writers.values()):
        return None
    wrapped = [f"{{ {command} || true; }}" if ignored else command for command in commands]
    edits = [drop_instruction(dockerfile, script.instruction)]
    for run in before:
        writer = Script.of(dockerfile, run)
        edit = appended(dockerfile.text, writer, f" && \\{newline}    ".join(wrapped)) if writer else None
        if edit is None:
            return None
        edits += [edit] if wrapped else []
    return tuple(edits)


def _reason(
    instruction: Instruction,
    found: tuple[Cleaning, ...],
    home: _Home,
    wrong: bool,
    in_image: bool,
    moves: bool,
) -> str:
    parts = [f"Line {instruction.line}"]
    if wrong:
        parts.append(f"looks in {found[0].roots[0][0]}, but the packages are in {home.path}.")
    elif in_image:
        parts.append(f"cleans {home.path} in a later layer than the one that wrote it.")
    else:
        parts.append(f"cleans {home.path}.")
    if in_image and moves:
        where = f"stage {home.source.label}, before the copy" if home.source else "the RUN that installs"
        parts.append(f"It moves to {where}.")
    return " ".join([*parts, *filter(None, map(trap, found))])


def trap(each: Cleaning) -> str:
    """What the command would do that its author did not mean; empty where nothing."""
    told = []
    if each.misbinds:
        told.append(
            "`-o` binds weaker than the tests beside it, so that some of them count for one name only: parentheses say "
            "what is meant."
        )
    if each.braces:
        told.append(
            f"`{{{','.join(each.braces)}}}*` does nothing in sh, and in bash takes all that begins alike, dist-info "
            "too: pip uninstall removes just what was recorded."
        )
    if each.metadata:
        told.append("Deleting dist-info breaks entry points and importlib.metadata: that is left out.")
    return " ".join(told)
