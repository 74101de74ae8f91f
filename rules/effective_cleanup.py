"""Moves clean-up to where it has an effect: into the step that wrote the files, at the path where they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from phasewise.model.census import Census
from phasewise.model.cleaning import Cleaning, appended, cleanings, installer_removal, only_cleans, repaired
from phasewise.model.debian.apt import apt_commands, edited
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction, insert_after
from phasewise.model.layers import layer_bytes
from phasewise.model.paths import within
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.environments import SYSTEM, environment_copies, installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.text import Edit, Span, apply_edits
from phasewise.model.units import size
from phasewise.rules.base import Example, Picks, Rule


class EffectiveCleanup(Rule):
    """An image never gets smaller by a later layer: what is deleted there is only hidden. Clean-up counts in the RUN
    that wrote the files, or in the stage that they are copied from. And it must look where they are: a measured image
    of 11.89 GB cleaned /usr/local while its packages were in /opt/venv, which removed 0 bytes.

    Two traps are repaired on the way. `find -type d -name tests -o -name test | xargs rm -rf` means (a directory
    called tests) or (anything called test). `rm -rf {pip,setuptools,wheel}*` does nothing in sh, which knows no
    braces, and in bash takes pip_audit and every dist-info that begins alike; `pip uninstall` removes just what the
    three recorded. `*.dist-info` is never deleted: entry points and importlib.metadata read it.

    Left alone: clean-up of what COPY brought from the build context (a .dockerignore keeps that out), of directories
    that a cache mount covers, and of lists that a later step still needs. hadolint's DL3009 is the same for apt's
    lists; BuildKit's checks have no rule for it.
    """

    title = "Clean up where it counts"
    risk = Risk.CHECK
    order = 30

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        found = list(_moves(view))
        moves = [move for move in found if not move.reason]
        if not moves:
            reason = (
                found[0].reason if found else "no clean-up stands in a later layer or looks where nothing is"
            )
            return self.declined(reason)
        after = apply_edits(dockerfile.text, [edit for move in moves for edit in move.edits])
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(view, moves),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(view.evidence(dockerfile.path, move.instruction.line) for move in moves),
            risk=self.risk,
            predicted=_predicted(view.census, moves),
            costs=_costs(moves),
            costs_start_up=_names(moves, "__pycache__", ".pyc"),
        )

    FIRES = (
        Example(
            title="at a path where nothing is, in a layer behind the copy",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\n\nFROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n\n"
            "# Dead weight\nRUN find /usr/local -depth \\\n    \\( -type d \\( -name test -o -name tests \\) \\) \\\n"
            "    -exec rm -rf '{}' + || true\n\nCOPY . .\n",
            after="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\n\n# Dead weight\nRUN find /opt/venv -depth \\\n"
            "    \\( -type d \\( -name test -o -name tests \\) \\) \\\n    -exec rm -rf '{}' + || true\n\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n\nCOPY . .\n",
        ),
        Example(
            title="in a later layer than the install",
            before="FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
            "RUN find /usr/local -type d -name tests -exec rm -rf {} + 2>/dev/null || true\n",
            after="FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt && \\\n"
            "    { find /usr/local -type d -name tests -exec rm -rf {} + 2>/dev/null || true; }\n",
        ),
        Example(
            title="tests that bind otherwise than they read, and braces that sh does not know",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy\n"
            "RUN find /opt/venv -type d -name tests -o -name test | xargs rm -rf && \\\n"
            "    rm -rf /opt/venv/lib/python*/site-packages/{pip,setuptools,wheel}*\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
            after="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy\n"
            "RUN find /opt/venv -type d \\( -name tests -o -name test \\) -prune -exec rm -rf {} + && \\\n"
            "    /opt/venv/bin/python -m pip uninstall -y setuptools wheel pip\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="apt's lists and pip's cache, in a heredoc too",
            before="FROM python:3.12-slim\nRUN <<EOF\nset -e\napt-get update\napt-get install -y libpq5\nEOF\n"
            "RUN pip install numpy\nRUN rm -rf /var/lib/apt/lists/*\nRUN rm -rf /root/.cache/pip\n",
            after="FROM python:3.12-slim\nRUN <<EOF\nset -e\napt-get update\napt-get install -y libpq5\n"
            "rm -rf /var/lib/apt/lists/*\nEOF\nRUN pip install numpy && \\\n    rm -rf /root/.cache/pip\n",
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN pip install numpy && find /usr/local -name tests -exec rm -rf {} +\n",
            title="in the layer that wrote them",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy\n"
            "RUN find /opt/venv -type d -name tests -exec rm -rf {} +\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n",
            title="in the stage that is copied from: its layers do not count",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . /srv\nRUN rm -rf /srv/tests\n",
            title="what the build context brought",
        ),
        Example(
            "FROM python:3.12-slim\nRUN apt-get update\nRUN apt-get install -y libpq5\n"
            "RUN rm -rf /var/lib/apt/lists/*\n",
            title="lists that a later step needs",
        ),
        Example(
            "FROM python:3.12-slim\nRUN --mount=type=cache,target=/root/.cache pip install numpy\n"
            "RUN rm -rf /root/.cache/pip\n",
            title="under a cache mount",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Move:
    """One RUN that cleans, and what becomes of it."""

    instruction: Instruction
    found: tuple[Cleaning, ...]
    edits: tuple[Edit, ...] = ()
    why: str = ""
    path: str = ""
    """Where the packages are."""
    saves: bool = False
    reason: str = ""
    """Why it stays as it is, where it has no effect."""


@dataclass(frozen=True, slots=True)
class _Home:
    """Where the files are that a RUN would clean."""

    path: str
    source: Stage | None
    """The stage that they are copied from; None where RUNs of the lineage write them."""


def _moves(view: RepoView) -> Iterator[_Move]:
    dockerfile = view.dockerfile
    lineage = {stage.index for stage in dockerfile.lineage(view.stage)}
    sources = {copy.source.index for copy in environment_copies(dockerfile, view.stage)}
    for instruction in dockerfile.instructions:
        script = Script.of(dockerfile, instruction)
        if script is None or instruction.stage not in lineage | sources:
            continue
        found = cleanings(script)
        if not found or not only_cleans(script):
            if move := _repaired_in_place(view, script, found):
                yield move
            continue
        python = [each for each in found if not all(_is_cache(root) for root, _ in each.roots)]
        if not python:
            if instruction.stage in lineage and (move := _cache_move(view, script, found)):
                yield move
        elif move := _package_move(view, script, found, in_image=instruction.stage in lineage):
            yield move


def _homes(view: RepoView) -> list[_Home]:
    dockerfile = view.dockerfile
    copied = [_Home(copy.path, copy.source) for copy in environment_copies(dockerfile, view.stage)]
    installed = [_Home(found.environment, None) for found in installs(dockerfile, view.stage)]
    return list({home.path: home for home in [*installed, *copied]}.values())


def _home_of(homes: list[_Home], root: str) -> tuple[_Home, str] | None:
    """The files' place, and `root` there; None where it is not certain."""
    for home in homes:
        if within(root, home.path) or within(home.path, root):
            return home, root
    places = [home for home in homes if not within(home.path, SYSTEM)]
    if within(root, SYSTEM) and len(places) == len(homes) == 1:
        return places[0], places[0].path + root.removeprefix(SYSTEM)
    return None


def _package_move(
    view: RepoView, script: Script, found: tuple[Cleaning, ...], *, in_image: bool
) -> _Move | None:
    """The RUN that cleans packages: at the right path, in the stage or the RUN that wrote them."""
    dockerfile, instruction = view.dockerfile, script.instruction
    homes = _homes(view)
    targets = [_home_of(homes, root) for each in found for root, _ in each.roots]
    known = [target for target in targets if target]
    if not known or len(known) != len(targets) or len({home.path for home, _ in known}) != 1:
        return None
    home = known[0][0]
    places = iter([root for _, root in known])
    renamed = {span: next(places) for each in found for _, span in each.roots}
    wrong = any(renamed[span] != root for each in found for root, span in each.roots)
    trapped = any(each.misbinds or each.braces or each.metadata for each in found)
    if not in_image and not wrong and not trapped:
        return None
    written = [_written(dockerfile.text, each, renamed, home.path) for each in found]
    if any(text is None for text in written):
        return _Move(
            instruction, found, reason=f"line {instruction.line}: what its find means is not certain"
        )
    commands = [text for text in written if text]
    edits: tuple[Edit, ...] | None
    if not in_image:
        edits = _in_place(dockerfile, script, found, commands, renamed, trapped)
    elif home.source is not None:
        edits = _into_stage(dockerfile, script, home.source, commands, renamed, trapped)
    else:
        edits = _into_runs(dockerfile, script, found, commands, home.path, view.stage)
    if edits is None:
        return _Move(
            instruction,
            found,
            reason=f"line {instruction.line}: the step that wrote the files cannot be continued",
        )
    return _Move(
        instruction, found, edits, _reason(instruction, found, home, wrong, in_image), home.path, saves=True
    )


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


def _repaired_in_place(view: RepoView, script: Script, found: tuple[Cleaning, ...]) -> _Move | None:
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
    why = " ".join(_trap(each) for each in told)
    return _Move(instruction, tuple(told), tuple(edits), f"Line {instruction.line}: {why}")


def _is_cache(root: str) -> bool:
    return (
        root.startswith(("/var/lib/apt", "/var/cache", "/var/log", "/tmp", "/var/tmp")) or "/.cache" in root
    )


def _cache_move(view: RepoView, script: Script, found: tuple[Cleaning, ...]) -> _Move | None:
    """The RUN that only empties caches, into the one RUN that filled them."""
    dockerfile, instruction = view.dockerfile, script.instruction
    roots = [root for each in found for root, _ in each.roots]
    of_apt = any(root.startswith(("/var/lib/apt", "/var/cache/apt")) for root in roots)
    of_pip = any("/.cache" in root for root in roots)
    if of_apt == of_pip:
        return None
    writers: list[Script] = []
    for stage in dockerfile.lineage(view.stage):
        for run in stage.instructions:
            writer = Script.of(dockerfile, run)
            if writer is None or run is instruction:
                continue
            fills = bool(apt_commands(writer, "update", "install"))
            if of_pip:
                fills = any(found.instruction is run for found in installs(dockerfile, view.stage))
            if fills and run.span > instruction.span:
                return _Move(
                    instruction, found, reason=f"line {instruction.line}: a later step fills the cache again"
                )
            writers += [writer] if fills else []
    if not writers:
        return None
    if of_apt and (len(writers) > 1 or _used_later(dockerfile, writers[0].instruction)):
        return _Move(
            instruction, found, reason=f"line {instruction.line}: another step still needs the lists"
        )
    edits = [drop_instruction(dockerfile, instruction)]
    for writer in writers:
        if any("type=cache" in mount for mount in writer.instruction.flags_named("mount")):
            return _Move(
                instruction,
                found,
                reason=f"line {instruction.line}: a cache mount keeps that out of the image",
            )
        words = {root for each in cleanings(writer) for root, _ in each.roots}
        missing = [
            each.span.of(dockerfile.text) for each in found if not {root for root, _ in each.roots} <= words
        ]
        newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
        edit = appended(dockerfile.text, writer, f" && \\{newline}    ".join(missing)) if missing else None
        if missing and edit is None:
            return None
        edits += [edit] if edit else []
    line = writers[-1].instruction.line
    why = f"Line {instruction.line} empties a cache that line {line} filled in an earlier layer. It moves there."
    return _Move(instruction, found, tuple(edits), why)


def _used_later(dockerfile: Dockerfile, writer: Instruction) -> bool:
    """Whether a step of any stage on top installs without fetching the lists itself."""
    for run in dockerfile.instructions:
        script = Script.of(dockerfile, run) if run.span > writer.span else None
        if script and apt_commands(script, "install") and not apt_commands(script, "update"):
            return True
    return False


def _reason(
    instruction: Instruction, found: tuple[Cleaning, ...], home: _Home, wrong: bool, in_image: bool
) -> str:
    parts = [f"Line {instruction.line}"]
    if wrong:
        parts.append(f"looks in {found[0].roots[0][0]}, but the packages are in {home.path}.")
    elif in_image:
        parts.append(f"cleans {home.path} in a later layer than the one that wrote it.")
    else:
        parts.append(f"cleans {home.path}.")
    if in_image:
        where = f"stage {home.source.label}, before the copy" if home.source else "the RUN that installs"
        parts.append(f"It moves to {where}.")
    return " ".join([*parts, *filter(None, map(_trap, found))])


def _trap(each: Cleaning) -> str:
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


def _names(moves: list[_Move], *names: str) -> bool:
    """Whether clean-up that begins to count deletes one of `names`."""
    return any(
        move.saves and word.strip("*") in names
        for move in moves
        for each in move.found
        for word in each.words
    )


def _costs(moves: list[_Move]) -> str:
    told = []
    if _names(moves, "test", "tests"):
        told.append("Packages that import their own tests would fail; the checks import them all.")
    if _names(moves, "__pycache__", ".pyc"):
        told.append(
            "Without bytecode, a start compiles what it imports: the checks time it before and after."
        )
    return " ".join(told)


def _why(view: RepoView, moves: list[_Move]) -> str:
    parts = [move.why for move in moves]
    lineage = {stage.index for stage in view.dockerfile.lineage(view.stage)}
    late = [move for move in moves if move.instruction.stage in lineage]
    sizes = [layer_bytes(view.census, move.instruction) for move in late]
    if late:
        known = [found for found in sizes if found is not None]
        layer = f", and its own layer is {size(sum(known))}" if known else ""
        parts.append(f"As it is, it removes 0 B from the image: a later layer only hides files{layer}.")
    return "\n\n".join(parts)


def _predicted(census: Census | None, moves: list[_Move]) -> Prediction:
    """What the census has found of the kinds that the clean-up names, where the packages are."""
    if census is None:
        return Prediction(None, "known once the baseline is built")
    total = 0
    for move in moves:
        if not move.saves:
            continue
        words = {word.strip("*") for each in move.found for word in each.words}
        tables = [census.test_bytes] if words & {"test", "tests"} else []
        tables += [census.bytecode_bytes] if words & {"__pycache__", ".pyc"} else []
        tables += [census.legacy_bytecode_bytes] if ".pyc" in words else []
        tables += [census.static_library_bytes] if ".a" in words else []
        total += sum(census.under(table, move.path) for table in tables)
    if not total:
        return Prediction(None, "the census does not count what is cleaned")
    return Prediction(
        -total, "bytes of what the clean-up names, where the packages are in the baseline's image"
    )
