"""Takes the build tools out of the stages that the final image inherits, and gives them to those that build."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from phasewise.model.debian.apt import apt_commands, installed, rewritten
from phasewise.model.debian.build_tools import Sorting
from phasewise.model.debian.packages import is_build_tool, is_headers
from phasewise.model.debian.retries import kept_for_retries
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.downloads.mounts import is_lent
from phasewise.model.edits import drop_instruction, insert_after
from phasewise.model.python.environments import environment_copies, installs
from phasewise.model.shell import Command, Script
from phasewise.model.syntax.comments import divide
from phasewise.model.syntax.scopes import is_root
from phasewise.model.text import Edit, Span, apply_edits

INSTALLERS = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch", "virtualenv", "pip-tools", "maturin"})
"""Packages that install others and that a running service does without."""


_INSTALL = re.compile(r"(?:\b[A-Z_]+=\S+\s+)*\bapt(-get)?\b[^\n]*?\binstall\b")


class Divided(Struct, frozen=True):
    """One RUN as two: for the final image, and for the stages that build."""

    instruction: Instruction
    clean: str | None
    """With its comment lines; None: nothing of it stays."""
    tools: str
    """With its comment lines."""


def divide_run(dockerfile: Dockerfile, instruction: Instruction, sorting: Sorting) -> Divided | None:
    """The RUN with its packages divided; None where it has none of the moved ones or cannot be taken apart."""
    script = Script.of(dockerfile, instruction)
    names = installed(script) if script else frozenset()
    moving = names & set(sorting.moved)
    if script is None or not moving or _installs_packages(dockerfile, instruction):
        return None
    kept = kept_for_retries(script)
    if kept is None:
        return None
    others = [c for c in script.commands if not _serves_packages(c) and c.span not in kept]
    tools = rewritten(dockerfile, script, sorting.tools, without=others)
    if tools is None:
        return None
    if not apt_commands(script, "update"):
        tools = _INSTALL.sub(r"apt-get update && \g<0>", tools, count=1)
    clean = rewritten(dockerfile, script, sorting.clean)
    staying = (
        (names - moving).union(*(sorting.libraries.get(name, ()) for name in moving)) if clean else set()
    )
    lines = dockerfile.lines(instruction)
    above = dockerfile.text[lines.start : instruction.span.start]
    stays, taken = divide(above.splitlines(), staying, moving)
    taken = taken or [_said_of(moving)]
    return Divided(
        instruction, "\n".join([*stays, clean]) if clean is not None else None, "\n".join([*taken, tools])
    )


def _said_of(packages: Collection[str]) -> str:
    """The comment above packages whose author gave them none."""
    if all(is_build_tool(package) or is_headers(package) for package in packages):
        return "# Only the build needs these."
    return "# The final image does without these."


def _installs_packages(dockerfile: Dockerfile, instruction: Instruction) -> bool:
    """Whether the RUN installs Python packages, too."""
    stage = dockerfile.stages[instruction.stage or 0]
    return any(found.instruction is instruction for found in installs(dockerfile, stage))


def _serves_packages(command: Command) -> bool:
    return command.name in ("apt-get", "apt", "rm", "set") or command.argv[:1] == ("sudo",)


def installer_runs(dockerfile: Dockerfile, stages: Sequence[Stage]) -> tuple[Instruction, ...]:
    """The RUNs of `stages` that do nothing but install a tool which installs packages, such as uv."""
    return tuple(
        instruction
        for stage in stages
        for instruction in stage.instructions
        if (script := Script.of(dockerfile, instruction)) and only_installers(script)
    )


def only_installers(script: Script) -> bool:
    """Whether the script does nothing but install tools that install others, with pip."""
    if not script.commands:
        return False
    for command in script.commands:
        argv = command.argv
        words = argv[argv.index("install") + 1 :] if "install" in argv else ()
        named = [re.split(r"[=<>!~\[;]", word)[0] for word in words if not word.startswith("-")]
        pip = command.name.startswith(("pip", "python")) and not command.name.startswith("pipx")
        if not (pip and "install" in argv and named and set(named) <= INSTALLERS):
            return False
    return True


def _unused(
    dockerfile: Dockerfile, lineage: Sequence[Stage], runs: Sequence[Instruction]
) -> tuple[Instruction, ...]:
    """Those of `runs` whose tools no other RUN of the lineage calls."""
    called = {
        command.name
        for stage in lineage
        for instruction in stage.instructions
        if instruction not in runs and (script := Script.of(dockerfile, instruction))
        for command in script.commands
        if not is_lent(instruction, "".join(command.argv[:1]))
    }
    return () if called & INSTALLERS else tuple(runs)


class Relocatable(Struct, frozen=True):
    """A RUN of the final image that works on copied packages with a tool that leaves."""

    instruction: Instruction
    source: Stage
    """The stage that the packages are copied from."""


def relocatable_runs(
    dockerfile: Dockerfile, stage: Stage, commands: Collection[str]
) -> tuple[Relocatable, ...]:
    """The RUNs of `stage` that call any of `commands` and touch nothing but an environment copied into it."""
    copies = environment_copies(dockerfile, stage)
    found = []
    for instruction in stage.instructions:
        script = Script.of(dockerfile, instruction)
        if script is None or not any(set(_called(c)) & set(commands) for c in script.commands):
            continue
        paths = [word for c in script.commands for word in c.argv if word.startswith("/") and len(word) > 1]
        for copy in copies:
            inside = all(path == copy.path or path.startswith(f"{copy.path}/") for path in paths)
            plain = all(c.name in ("find", "xargs", "true", ":", *commands) for c in script.commands)
            if paths and inside and plain and copy.instruction.span < instruction.span:
                found.append(Relocatable(instruction, copy.source))
                break
    return tuple(found)


def _called(command: Command) -> Iterator[str]:
    return (word.rpartition("/")[2] for word in command.argv)


def relocate(dockerfile: Dockerfile, stage: Stage, commands: Collection[str]) -> str:
    """The text with the RUNs moved that work on a copied environment with any of `commands`."""
    return apply_edits(dockerfile.text, _relocations(dockerfile, stage, commands))


def _relocations(dockerfile: Dockerfile, stage: Stage, commands: Collection[str]) -> Iterator[Edit]:
    for run in relocatable_runs(dockerfile, stage, commands):
        yield drop_instruction(dockerfile, run.instruction)
        last = _last_of_build(dockerfile, run.source)
        lines = dockerfile.lines(run.instruction).of(dockerfile.text)
        yield insert_after(dockerfile, last, f"\n{lines}")


def clean_base(
    dockerfile: Dockerfile, stage: Stage, sorting: Sorting, *, started: bool = False
) -> str | None:
    """The text in which the lineage of `stage` is free of the moved packages; None where it cannot be done.

    With `started`, the service itself is started with the tool that installs packages, which stays.

    A stage that inherits them and is not in the lineage gets them itself; several get them from a new one.
    """
    lineage = dockerfile.lineage(stage)
    divided = divided_runs(dockerfile, lineage, sorting)
    if {found.instruction.span for found in divided} != {apt.instruction.span for apt in sorting.commands}:
        return None
    heirs = heirs_of_tools(dockerfile, stage, min(found.instruction.stage or 0 for found in divided))
    moved_runs = (
        _unused(dockerfile, lineage, installer_runs(dockerfile, lineage)) if heirs and not started else ()
    )
    edits = [clean_edit(dockerfile, found) for found in divided]
    edits += [drop_instruction(dockerfile, instruction) for instruction in moved_runs]
    chunks = [found.tools for found in divided]
    chunks += [dockerfile.lines(i).of(dockerfile.text).rstrip("\r\n") for i in moved_runs]
    edits += give_tools(dockerfile, heirs, chunks)
    edits += _relocations(dockerfile, stage, sorting.lost_commands)
    return apply_edits(dockerfile.text, edits)


def clean_below(dockerfile: Dockerfile, stage: Stage, sorting: Sorting) -> tuple[str, tuple[str, ...]]:
    """The text with clean stages below `stage`, which builds, and the RUNs of tools that it must get itself.

    Other stages that inherit them have got theirs.
    """
    below = dockerfile.lineage(stage)[:-1]
    divided = divided_runs(dockerfile, below, sorting)
    if not divided:
        return dockerfile.text, ()
    first = min(found.instruction.stage or 0 for found in divided)
    lineage = {ancestor.index for ancestor in dockerfile.lineage(stage)}
    carrying = {ancestor.index for ancestor in below if ancestor.index >= first}
    heirs = [s for s in dockerfile.stages if s.base_stage in carrying and s.index not in lineage]
    chunks = tuple(found.tools for found in divided)
    edits = [*(clean_edit(dockerfile, found) for found in divided), *give_tools(dockerfile, heirs, chunks)]
    return apply_edits(dockerfile.text, edits), chunks


def divided_runs(dockerfile: Dockerfile, lineage: Sequence[Stage], sorting: Sorting) -> list[Divided]:
    """The RUNs of `lineage` that install any of the moved packages, divided."""
    return [
        found
        for ancestor in lineage
        for instruction in ancestor.instructions
        if (found := divide_run(dockerfile, instruction, sorting))
    ]


def heirs_of_tools(dockerfile: Dockerfile, stage: Stage, first: int) -> list[Stage]:
    """The stages outside the lineage that build on a stage of it with the tools, or on the final one."""
    lineage = {ancestor.index for ancestor in dockerfile.lineage(stage)}
    carrying = {index for index in lineage if index >= first}
    heirs = [s for s in dockerfile.stages if s.index not in lineage and s.base_stage in carrying]
    return [heir for heir in heirs if heir.base_stage != stage.index or installs_more(dockerfile, heir)]


def installs_more(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether a stage that is based on the final one installs packages of its own."""
    return any(found.instruction.stage == stage.index for found in installs(dockerfile, stage))


def clean_edit(dockerfile: Dockerfile, found: Divided) -> Edit:
    if found.clean is None:
        return drop_instruction(dockerfile, found.instruction)
    start = dockerfile.lines(found.instruction).start
    return Edit(Span(start, found.instruction.span.end), found.clean)


def give_tools(dockerfile: Dockerfile, heirs: Sequence[Stage], chunks: Sequence[str]) -> Iterator[Edit]:
    """Puts the tools at the top of the one heir, or in a stage between the base and several heirs."""
    body = tools = "\n\n".join(chunks)
    if heirs and not is_root(user := _inherited_user(dockerfile, heirs[0])):
        body = f"USER root\n\n{tools}\n\nUSER {user}"
    by_base: dict[int, list[Stage]] = {}
    for heir in heirs:
        by_base.setdefault(heir.base_stage or 0, []).append(heir)
    taken: set[str] = set()
    for base, siblings in by_base.items():
        parent = dockerfile.stages[base]
        numbered = any((i.flag("from") or "").isdecimal() for i in dockerfile.instructions)
        if len(siblings) == 1 or parent.name is None or numbered:
            yield from (_at_the_top(dockerfile, heir, body, tools) for heir in siblings)
            continue
        name = free_name(dockerfile, "builder", "build-base", "build-tools", taken=taken)
        taken.add(name)
        start = dockerfile.lines(siblings[0].instructions[0]).start
        stage = f"FROM {parent.name} AS {name}\n\n{body}\n\n"
        yield Edit(Span(start, start), stage)
        for heir in siblings:
            span = from_image(dockerfile, heir)
            yield Edit(span, name)


def _inherited_user(dockerfile: Dockerfile, stage: Stage) -> str:
    """Who runs the first RUN of a stage, as far as the file says; '' when nobody was set."""
    parent = dockerfile.stages[stage.base_stage or 0]
    named = [i for i in dockerfile.making(parent) if i.keyword == "USER"]
    return named[-1].value if named else ""


def _at_the_top(dockerfile: Dockerfile, heir: Stage, body: str, tools: str) -> Edit:
    """The tools directly behind FROM, so that nothing that changes more often stands above them.

    `body` is `tools` with the changes of USER that they need; where the stage begins as root, it needs none.
    """
    above = heir.instructions[0]
    following = heir.instructions[1] if len(heir.instructions) > 1 else above
    if body != tools and following.keyword == "USER" and is_root(following.value):
        above, body = following, tools
    end = dockerfile.lines(above).end
    text = dockerfile.text
    gap = "" if text[end:].startswith("\n") or end == len(text) else "\n"
    missing = "" if text[:end].endswith("\n") else "\n"
    return Edit(Span(end, end), f"{missing}\n{body}\n{gap}")


def from_image(dockerfile: Dockerfile, stage: Stage) -> Span:
    """The span of what FROM names."""
    return dockerfile.words(stage.instructions[0])[0].span


def free_name(dockerfile: Dockerfile, *wanted: str, taken: Collection[str] = ()) -> str:
    """The first of `wanted` that no stage has, in any case; with a number where all are in use."""
    used = {(stage.name or "").lower() for stage in dockerfile.stages} | {name.lower() for name in taken}
    numbered = (f"{wanted[0]}-{number}" for number in range(2, len(used) + 3))
    return next(name for name in (*wanted, *numbered) if name.lower() not in used)


def without_leftovers(dockerfile: Dockerfile, stage: Stage, sorting: Sorting) -> str:
    """The text without what still names moved packages in the lineage of `stage`.

    Installs that nothing after them builds with; and purges, for which apt would not find the package.
    """
    edits = [
        clean_edit(dockerfile, found)
        for found in divided_runs(dockerfile, dockerfile.lineage(stage), sorting)
    ]
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        purged = (
            {n for apt in apt_commands(script, "purge", "remove") for n in apt.names} if script else set()
        )
        if script is None or not purged & set(sorting.moved) or apt_commands(script, "install"):
            continue
        text = rewritten(dockerfile, script, lambda name: () if name in sorting.moved else (name,))
        edits.append(
            drop_instruction(dockerfile, instruction) if text is None else Edit(instruction.span, text)
        )
    return apply_edits(dockerfile.text, edits)


def _last_of_build(dockerfile: Dockerfile, stage: Stage) -> Instruction:
    """The last instruction of a stage that changes its files."""
    changing = [i for i in stage.instructions if i.keyword in ("FROM", "RUN", "COPY", "ADD")]
    return changing[-1]
