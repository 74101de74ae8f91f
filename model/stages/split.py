"""Splits one stage that builds and runs into a clean base, a builder on it, and a runtime on it.

The stage's instructions up to the last one that installs Python packages are given a side each; what follows
is the runtime's, unchanged. Text is moved in whole lines, with the comments above it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from phasewise.model.debian.apt import apt_commands, is_upkeep, rewritten
from phasewise.model.debian.build_tools import Sorting
from phasewise.model.debian.retries import kept_for_retries
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.paths import overlap
from phasewise.model.python.bytecode import compilations
from phasewise.model.python.environments import SYSTEM, installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.carried import Carried, carried_environment
from phasewise.model.stages.clean_base import (
    divide_run,
    divided_runs,
    free_name,
    from_image,
    give_tools,
    heirs_of_tools,
    installs_more,
    only_installers,
)
from phasewise.model.stages.roles import CannotSplit, check, is_installer_copy, kind, role, started_by
from phasewise.model.text import apply_edits

_SYSTEM_FLAG = re.compile(r"[ \t]--system\b")
_MANIFEST = re.compile(
    r"(^|/)(requirements[^/]*|constraints[^/]*|pyproject\.toml|poetry\.(lock|toml)|uv\.(lock|toml)|pdm\.lock|Pipfile(\.lock)?"
    r"|setup\.(py|cfg)|MANIFEST\.in|\.python-version|README[^/]*|LICENSE[^/]*)/?$"
)
_BUILD_ARGUMENT = re.compile(r"^(PIP_|UV_|POETRY_|CFLAGS|CXXFLAGS|LDFLAGS|MAKEFLAGS|CC$|CXX$)")
_RUNTIME_KEYWORDS = frozenset({"LABEL", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "CMD", "ENTRYPOINT"})


class _Piece(Struct, frozen=True):
    """Whole lines of text, and how they stood before."""

    text: str
    blank: bool = True
    """A blank line stood above them."""
    follows: Instruction | None = None
    """The instruction that stood above them."""
    instruction: Instruction | None = None
    settled: bool = False
    """It reads or writes the application's files, and so depends on WORKDIR."""


class _Sides(Struct):
    """The text of the three stages."""

    base: list[_Piece] = field(default_factory=list)
    builder: list[_Piece] = field(default_factory=list)
    runtime: list[_Piece] = field(default_factory=list)

    @property
    def acted(self) -> bool:
        """Whether an instruction was placed that depends on where and how it runs."""
        return any(piece.settled for piece in (*self.builder, *self.runtime))


def split_stage(view: RepoView, stage: Stage, sorting: Sorting, inherited: Sequence[str] = ()) -> str:
    """The Dockerfile with `stage` split; `inherited` are RUNs of tools that it had from the stages below it.

    Raises:
        CannotSplit: it does something whose place is not certain.
    """
    dockerfile = view.dockerfile
    body = stage.instructions[1:]
    roles = [role(dockerfile, instruction) for instruction in body]
    own = {apt.instruction.span for apt in sorting.commands}
    installing = [index for index, role in enumerate(roles) if role == "install"]
    if not installing:
        raise CannotSplit("a RUN that installs packages does other things too", stage.instructions[0].line)
    first = min(
        index
        for index, i in enumerate(body)
        if i.keyword in ("COPY", "ADD") or i.span in own or index in installing
    )
    last = max(installing)
    check(dockerfile, stage, body[: last + 1])
    environment = carried_environment(view, stage)
    while (
        last + 1 < len(body)
        and roles[last + 1] == "maintain"
        and _tends(dockerfile, body[last + 1], environment)
    ):
        last += 1
    sides = _Sides()
    middle = body[first : last + 1]
    sides.builder += [_Piece(f"{chunk}\n") for chunk in inherited]
    for position in range(len(middle)):
        _place(view, sides, middle[position:], roles[first + position], sorting, environment)
    if environment.is_new:
        tools = [_only_tools_piece(dockerfile, piece) for piece in sides.builder]
        sides.builder.insert(tools.index(False), _Piece(f"RUN python -m venv {environment.path}\n"))
    text = _written(view, stage, body[:first], body[last + 1 :], sides, environment)
    return _with_tools_on_top(view, stage, text, [*inherited, *_tools(dockerfile, stage, sorting)])


def tending_runs(view: RepoView, stage: Stage) -> tuple[Instruction, ...]:
    """The RUNs of find, xargs and strip in `stage` that touch nothing but its environment."""
    try:
        environment = carried_environment(view, stage)
    except CannotSplit:
        return ()
    return tuple(
        i
        for i in stage.instructions
        if role(view.dockerfile, i) == "maintain" and _tends(view.dockerfile, i, environment)
    )


def _tends(dockerfile: Dockerfile, instruction: Instruction, environment: Carried) -> bool:
    """Whether a RUN of find, xargs and strip touches nothing but the environment."""
    script = Script.of(dockerfile, instruction)
    words = (
        [word for command in script.commands for word in command.argv if word.startswith("/")]
        if script
        else []
    )
    return bool(words) and all(f"{word}/".startswith(f"{environment.path}/") for word in words)


def _compiles_application(dockerfile: Dockerfile, instruction: Instruction, environment: Carried) -> bool:
    """Whether a RUN does nothing but compile bytecode of files that no install wrote: the service's own."""
    script = Script.of(dockerfile, instruction)
    found = [
        each
        for each in compilations(dockerfile, frozenset({instruction.stage or 0}))
        if each.instruction is instruction and each.command
    ]
    folders = [folder for each in found for folder in each.directories]
    stage = dockerfile.stages[instruction.stage or 0]
    installed = {SYSTEM, environment.path, *(each.environment for each in installs(dockerfile, stage))}
    return (
        script is not None
        and len(found) == len(script.commands) > 0
        and all(each.directories for each in found)
        and not any(overlap(folder, place) for folder in folders for place in installed)
    )


def _tools(dockerfile: Dockerfile, stage: Stage, sorting: Sorting) -> list[str]:
    return [found.tools for found in divided_runs(dockerfile, [stage], sorting)]


def _with_tools_on_top(view: RepoView, stage: Stage, text: str, tools: Sequence[str]) -> str:
    """The text in which the stages that install on top of the split one have the tools themselves."""
    before, after = view.dockerfile, Dockerfile.parse(text, view.target.dockerfile)
    heirs = [heir for heir in heirs_of_tools(before, view.stage, stage.index) if installs_more(before, heir)]
    shift = len(after.stages) - len(before.stages)
    moved = [after.stages[heir.index + shift] for heir in heirs]
    return apply_edits(text, give_tools(after, moved, tools))


def _only_tools_piece(dockerfile: Dockerfile, piece: _Piece) -> bool:
    """Whether it must come before the environment is made: tools of Debian's, uv, poetry."""
    script = Script.of(dockerfile, piece.instruction) if piece.instruction else None
    return piece.instruction is None or (script is not None and only_installers(script))


def _depends_on_place(dockerfile: Dockerfile, instruction: Instruction) -> bool:
    """Whether a WORKDIR in front of the instruction could change what it does."""
    if instruction.keyword in ("COPY", "ADD"):
        return not dockerfile.words(instruction)[-1].value.startswith("/")
    script = Script.of(dockerfile, instruction)
    return instruction.keyword == "RUN" and not (script is not None and only_installers(script))


# --- the sides ----------------------------------------------------------------------------------------------


def _place(
    view: RepoView,
    sides: _Sides,
    rest: Sequence[Instruction],
    role: str,
    sorting: Sorting,
    environment: Carried,
) -> None:
    """Puts the first of `rest` on its side or sides; the others are what follows it in the middle."""
    dockerfile, instruction = view.dockerfile, rest[0]
    piece = _piece(dockerfile, instruction)
    if role == "apt":
        _place_apt(dockerfile, sides, instruction, sorting, piece)
    elif role == "install" or (role == "maintain" and _tends(dockerfile, instruction, environment)):
        _place_install(dockerfile, sides, instruction, sorting, environment, piece)
    elif role == "users":
        _place_users(dockerfile, sides, instruction, rest[1:], piece)
    elif role in ("ENV", "USER"):
        sides.base.append(piece)
    elif role in ("WORKDIR", "SHELL"):
        for side in (sides.builder, sides.runtime) if sides.acted else (sides.base,):
            side.append(piece)
    elif role == "ARG":
        _place_argument(dockerfile, sides, instruction, rest[1:], piece)
    elif role in ("COPY", "ADD"):
        _place_copy(view, sides, instruction, rest[1:], piece)
    elif role in _RUNTIME_KEYWORDS or _compiles_application(dockerfile, instruction, environment):
        sides.runtime.append(piece)
    else:
        raise CannotSplit(
            "whether this belongs to the build or to the service is not certain: "
            + " ".join(instruction.value.split())[:60],
            instruction.line,
        )


def _place_apt(
    dockerfile: Dockerfile, sides: _Sides, instruction: Instruction, sorting: Sorting, piece: _Piece
) -> None:
    if sides.acted and not _only_apt(dockerfile, instruction):
        raise CannotSplit("a RUN of packages may read files that were copied before it", instruction.line)
    divided = divide_run(dockerfile, instruction, sorting)
    script = Script.of(dockerfile, instruction)
    if divided is None and script and kept_for_retries(script) is None:
        raise CannotSplit("the loop around the packages does more than to try again", instruction.line)
    if divided is None:
        sides.base.append(piece)
        return
    if divided.clean is not None:
        sides.base.append(_Piece(divided.clean + "\n"))
    sides.builder.append(_Piece(divided.tools + "\n"))


def _only_apt(dockerfile: Dockerfile, instruction: Instruction) -> bool:
    script = Script.of(dockerfile, instruction)
    return script is not None and all(kind(c) == "apt" or is_upkeep(c) for c in script.commands)


def _place_install(
    dockerfile: Dockerfile,
    sides: _Sides,
    instruction: Instruction,
    sorting: Sorting,
    environment: Carried,
    piece: _Piece,
) -> None:
    """An install goes to the builder; what Debian's packages of the same RUN run with, to all.

    With a new environment `--system` goes, since it would pass the environment by.
    """
    script = Script.of(dockerfile, instruction)
    if script is None:
        sides.builder.append(piece)
        return
    if apt_commands(script, "install"):
        others = [
            command for command in script.commands if kind(command) not in ("apt",) and not is_upkeep(command)
        ]
        below = rewritten(dockerfile, script, sorting.clean, without=others)
        if below is not None:
            sides.base.append(_Piece(f"{below}\n"))
        text = rewritten(dockerfile, script, sorting.tools)
        if text is not None:
            piece = replace(piece, text=piece.text.replace(instruction.span.of(dockerfile.text), text))
    if environment.is_new:
        piece = replace(piece, text=_SYSTEM_FLAG.sub("", piece.text))
    sides.builder.append(piece)


def _place_users(
    dockerfile: Dockerfile,
    sides: _Sides,
    instruction: Instruction,
    rest: Sequence[Instruction],
    piece: _Piece,
) -> None:
    """Users are everybody's; what happens to copied files happens in the runtime."""
    script = Script.of(dockerfile, instruction)
    touches = any(c.name in ("chown", "chmod") for c in script.commands) if script else True
    copied = any(
        p.instruction and p.instruction.keyword in ("COPY", "ADD") for p in (*sides.builder, *sides.runtime)
    )
    if not (touches and copied):
        sides.base.append(piece)
        return
    if any(later.flag("chown") for later in rest):
        raise CannotSplit("the user is made after files were copied, and before others are", instruction.line)
    sides.runtime.append(piece)


def _place_argument(
    dockerfile: Dockerfile,
    sides: _Sides,
    instruction: Instruction,
    rest: Sequence[Instruction],
    piece: _Piece,
) -> None:
    """An ARG goes where it is used; one that steers pip or a compiler, to the builder."""
    names = [word.value.partition("=")[0] for word in dockerfile.words(instruction)]
    used = re.compile(r"\$\{?(" + "|".join(map(re.escape, names)) + r")\b")
    stage = dockerfile.stages[instruction.stage or 0]
    tail = [i for i in stage.instructions if i.span > instruction.span and i not in rest]
    builds = any(used.search(i.span.of(dockerfile.text)) for i in rest) or any(
        map(_BUILD_ARGUMENT.match, names)
    )
    runs = any(used.search(i.span.of(dockerfile.text)) for i in tail)
    hoisted = any(used.search(i.value) for i in rest if i.keyword in ("ENV", "WORKDIR", "USER"))
    side = sides.base if hoisted or (builds and runs) else sides.builder if builds else sides.runtime
    side.append(piece)


def _place_copy(
    view: RepoView,
    sides: _Sides,
    instruction: Instruction,
    rest: Sequence[Instruction],
    piece: _Piece,
) -> None:
    """What only installs read goes to the builder, what the service reads too to both."""
    dockerfile = view.dockerfile
    *sources, target = (word.value for word in dockerfile.words(instruction))
    if instruction.flag("from") is None:
        sides.builder.append(piece)
        if instruction.heredocs or not all(_MANIFEST.search(source) for source in sources):
            sides.runtime.append(piece)
    elif is_installer_copy(instruction):
        (sides.base if started_by(view) else sides.builder).append(piece)
    else:
        stage = dockerfile.stages[instruction.stage or 0]
        place = target.rstrip("/") or "/"
        if any(place in later.value for later in rest if later.keyword == "RUN"):
            sides.builder.append(piece)
            if not any(
                place in i.value for i in stage.instructions if i.span > instruction.span and i not in rest
            ):
                return
        sides.runtime.append(piece)


# --- the text -----------------------------------------------------------------------------------------------


def _piece(dockerfile: Dockerfile, instruction: Instruction) -> _Piece:
    """The whole lines of an instruction, the comments above it and those that stand apart from all."""
    lines = dockerfile.lines(instruction)
    stage = dockerfile.stages[instruction.stage or 0]
    earlier = stage.instructions[stage.instructions.index(instruction) - 1]
    between = dockerfile.text[dockerfile.lines(earlier).end : lines.start]
    text = lines.of(dockerfile.text)
    apart = between.strip("\n") and between.strip("\n") + "\n\n"
    return _Piece(
        apart + (text if text.endswith("\n") else text + "\n"),
        bool(between),
        earlier,
        instruction,
        _depends_on_place(dockerfile, instruction),
    )


def _joined(pieces: Sequence[_Piece], previous: Instruction | None = None) -> str:
    """The pieces, with a blank line where there was one and where two meet that did not."""
    parts = []
    for piece in pieces:
        together = not piece.blank and previous is not None and piece.follows is previous
        parts.append(piece.text if together else f"\n{piece.text}")
        previous = piece.instruction
    return "".join(parts)


def _written(
    view: RepoView,
    stage: Stage,
    head: Sequence[Instruction],
    tail: Sequence[Instruction],
    sides: _Sides,
    environment: Carried,
) -> str:
    """The whole text with the stage's own part replaced by the three stages."""
    dockerfile = view.dockerfile
    text, start, end = dockerfile.text, stage.instructions[0], dockerfile.lines(stage.instructions[-1]).end
    parent = dockerfile.stages[stage.base_stage].name if stage.base_stage is not None else None
    inherits = parent is not None and not head and not sides.base
    base = (parent or "") if inherits else free_name(dockerfile, "base", "common", "python-base")
    builder = free_name(dockerfile, "builder", "build", "dependencies", taken={base})
    runtime = stage.name or free_name(dockerfile, "runtime", "final", taken={base, builder})
    image = from_image(dockerfile, stage)
    path = _path_line(environment, view, stage)
    own_path = f"\n{path}" if path and inherits else ""
    last_of_head = head[-1] if head else start
    head_end = dockerfile.lines(last_of_head, comments=False).end
    copies = "".join(f"COPY --from={builder} {copied} {copied}\n" for copied in environment.copied)
    below = [
        f"{text[start.span.start : image.end]} AS {base}\n",
        text[dockerfile.lines(start, comments=False).end : head_end],
        _joined(sides.base, last_of_head),
        f"\n{path}" if path else "",
        "\n",
    ]
    rest = text[_start_of(dockerfile, tail[0]) : end] if tail else ""
    written = [
        *([] if inherits else below),
        f"FROM {base} AS {builder}\n{own_path}",
        _joined(sides.builder),
        f"\nFROM {base} AS {runtime}\n{own_path}\n{copies}",
        _joined(sides.runtime),
        rest if not rest or rest.startswith("\n") else f"\n{rest}",
    ]
    return text[: start.span.start] + "".join(written) + text[end:]


def _start_of(dockerfile: Dockerfile, instruction: Instruction) -> int:
    """Where the text of an instruction begins, with blank lines and separate comments above it."""
    stage = dockerfile.stages[instruction.stage or 0]
    earlier = stage.instructions[stage.instructions.index(instruction) - 1]
    return dockerfile.lines(earlier, comments=False).end


def _path_line(environment: Carried, view: RepoView, stage: Stage) -> str:
    """The ENV that puts a new environment on PATH; uv and poetry want to be told of it."""
    if not environment.is_new:
        return ""
    told = any(
        install.command.name in ("uv", "poetry", "pdm", "pipenv")
        for install in installs(view.dockerfile, stage)
    )
    path = f'PATH="{environment.path}/bin:$PATH"'
    return f"ENV VIRTUAL_ENV={environment.path} \\\n    {path}\n" if told else f"ENV {path}\n"
