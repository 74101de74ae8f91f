"""Strips symbols from compiled extensions in the builder, without breaking the files that must not be touched."""

from __future__ import annotations

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction, insert_paragraph
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.environments import environment_copies, installs
from phasewise.model.python.large import NOT_MEASURED, WORTHWHILE_BYTES, may_hold_large_packages
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.common_ground import has_toolchain
from phasewise.model.stages.measured_packages import measured_places
from phasewise.model.stages.stripping import stripping
from phasewise.model.text import apply_edits
from phasewise.rules.base import Example, Picks, Rule

_BUILD_TOOLS = frozenset({"binutils", "gcc", "g++", "build-essential", "clang", "gfortran", "dpkg-dev"})

_STRIP = """\
# Strip symbols, on all processors. Never in *.libs/, which patchelf rewrote; a result is kept when it
# is smaller and its segments are still aligned to pages.
RUN set -eu; \\
    {install}before=$(du -sk {path}); processors=$(nproc); workers=; \\
    find {path} -type f -name '*.so*' ! -path '*.libs/*' > /tmp/libraries; \\
    for worker in $(seq "$processors"); do \\
        turn=0; \\
        while IFS= read -r library; do \\
            turn=$((turn % processors + 1)); [ "$turn" -eq "$worker" ] || continue; \\
            strip --strip-unneeded -o "/tmp/stripped$worker" "$library" 2> "/tmp/refused$worker" || continue; \\
            [ "$(stat -c %s "/tmp/stripped$worker")" -lt "$(stat -c %s "$library")" ] || continue; \\
            readelf -lW "/tmp/stripped$worker" > "/tmp/headers$worker" || continue; \\
            while read -r kind offset address _ _ _ align; do \\
                [ "$kind" != LOAD ] || [ $(((offset - address) % ${{align##* }})) -eq 0 ] || continue 2; \\
            done < "/tmp/headers$worker"; \\
            cat "/tmp/stripped$worker" > "$library"; \\
        done < /tmp/libraries & workers="$workers $!"; \\
    done; \\
    for worker in $workers; do wait "$worker"; done; \\
    rm -f /tmp/libraries /tmp/stripped* /tmp/refused* /tmp/headers*; \\
    after=$(du -sk {path}); echo "stripped: $((${{before%%[!0-9]*}} - ${{after%%[!0-9]*}})) kB less"
"""

_INSTALL_BINUTILS = """\
apt-get update; apt-get install -y --no-install-recommends binutils; rm -rf /var/lib/apt/lists/*; \\
    """


class StripSymbols(Rule):
    """Compiled extensions carry symbols that nothing reads at run time.

    `strip` over everything saves 19 of 186 MB of numpy, scipy, pandas and scikit-learn, exits 0, and breaks
    all four: libraries in `*.libs/` were rewritten by patchelf and lose their page alignment. So this strips
    file by file, leaves `*.libs/` alone, checks every segment, and keeps the original where in doubt. It runs
    in the stage that is copied from: in a later layer it would add bytes.

    hadolint and BuildKit's checks do not look into files and have no rule for it. The step is one chain of commands,
    since heredocs need Dockerfile syntax 1.4, and it is long, since it checks what it does: tally/prefer-run-heredoc
    and tally/max-lines say so.
    """

    title = "Strip symbols where it is safe"
    risk = Risk.CHECK
    order = 40

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        copies = environment_copies(dockerfile, view.stage)
        if not copies:
            return self.declined(
                "no stage installs packages that a later one copies; strip would only add a layer here "
                "(split_base_builder makes such a stage)"
            )
        source, path = copies[0].source, copies[0].path
        present = _present(dockerfile, view.stage)
        if any(".libs/" in instruction.value for instruction, _ in present):
            return self.declined("symbols are stripped already, without *.libs/")
        saving = _strippable(view, path)
        if saving is not None and saving < WORTHWHILE_BYTES and not present:
            return self.declined(f"less than 1 MB of symbols under {path} would go")
        last = [found for found in installs(dockerfile, source) if not found.project_only]
        if not last:
            return self.declined("the stage that is copied from installs nothing")
        if saving is None and not present and not may_hold_large_packages(view):
            return self.declined(NOT_MEASURED)
        install = last[-1].instruction
        if not dockerfile.runs_as_root(install) and not _has_binutils(dockerfile, install):
            return self.declined(
                f"line {install.line} installs as another user than root, who cannot install binutils for it"
            )
        after = _stripped(dockerfile, install, path, present)
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(dockerfile, source, path, present),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(
                view.evidence(dockerfile.path, instruction.line)
                for instruction in [*(i for i, _ in present), copies[0].instruction]
            ),
            risk=self.risk,
            predicted=_predicted(saving, path),
        )

    FIRES = (
        Example(
            title="a builder without compilers gets binutils for the step",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="after the dependencies, before the application",
            before="FROM python:3.12-slim AS builder\nRUN apt-get update && apt-get install -y gcc\n"
            "ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH\nRUN python -m venv /opt/venv\n"
            "RUN pip install numpy\nCOPY . .\nRUN pip install --no-deps .\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n",
            after="FROM python:3.12-slim AS builder\nRUN apt-get update && apt-get install -y gcc\n"
            "ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH\nRUN python -m venv /opt/venv\n"
            "RUN pip install numpy\n\n" + _STRIP.format(install="", path="/opt/venv") + "\nCOPY . .\n"
            "RUN pip install --no-deps .\nFROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="a strip in the final stage moves, its silenced failure goes",
            before="FROM python:3.12-slim AS deps\nRUN apt-get update && apt-get install -y build-essential\n"
            "RUN pip install numpy\nFROM python:3.12-slim\nCOPY --from=deps /usr/local /usr/local\n"
            "# make it smaller\nRUN find /usr/local -name '*.so*' -exec strip -s {} \\; 2>/dev/null || true\n"
            'CMD ["python"]\n',
            after="FROM python:3.12-slim AS deps\nRUN apt-get update && apt-get install -y build-essential\n"
            "RUN pip install numpy\n\n"
            + _STRIP.format(install="", path="/usr/local")
            + "\nFROM python:3.12-slim\n"
            'COPY --from=deps /usr/local /usr/local\nCMD ["python"]\n',
        ),
    )
    SILENT = (
        Example("FROM python:3.12-slim\nRUN pip install numpy\n", title="one stage: it would add a layer"),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install --prefix=/install numpy\n\n"
            + _STRIP.format(install="", path="/install")
            + "FROM python:3.12-slim\nCOPY --from=builder /install /usr/local\n",
            title="done already",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN useradd -m app\nUSER app\nRUN pip install --user numpy\n"
            "FROM python:3.12-slim\nCOPY --from=builder /home/app/.local /home/app/.local\n",
            title="installed by a user who cannot install binutils",
        ),
        Example("FROM alpine\nCOPY . .\n", title="no packages"),
    )


def _strippable(view: RepoView, path: str) -> int | None:
    """Bytes of symbols in what is under `path` now; None where the baseline's image does not tell."""
    places = measured_places(view, path)
    return view.census.under(view.census.strippable_bytes, *places) if view.census and places else None


def _present(dockerfile: Dockerfile, stage: Stage) -> list[tuple[Instruction, list[Command]]]:
    """The RUNs that strip already, with the commands that do it, in all stages the target needs."""
    needed = dockerfile.needed_by(stage)
    return [*stripping(dockerfile, (each for each in dockerfile.instructions if each.stage in needed))]


def _stripped(
    dockerfile: Dockerfile, install: Instruction, path: str, present: list[tuple[Instruction, list[Command]]]
) -> str:
    """The Dockerfile with the strip behind `install`, and without those that stand elsewhere."""
    tools = "" if _has_binutils(dockerfile, install) else _INSTALL_BINUTILS
    edits = [insert_paragraph(dockerfile, install, _STRIP.format(install=tools, path=path))]
    for instruction, commands in present:
        script = Script.of(dockerfile, instruction)
        rest = script.without(commands) if script else ()
        edits += [drop_instruction(dockerfile, instruction)] if rest is None else rest
    return apply_edits(dockerfile.text, edits)


def _has_binutils(dockerfile: Dockerfile, install: Instruction) -> bool:
    """Whether the base image has strip, or an earlier RUN of the stage's lineage installs a package with it."""
    stage = dockerfile.stages[install.stage or 0]
    if has_toolchain(dockerfile, stage):
        return True
    runs = [
        instruction
        for instruction in dockerfile.making(stage)
        if instruction.keyword == "RUN" and instruction.span <= install.span
    ]
    scripts = [script for run in runs if (script := Script.of(dockerfile, run))]
    commands = [command for script in scripts for command in script.commands]
    return any(
        command.name in ("apt-get", "apt") and _BUILD_TOOLS & set(command.argv) for command in commands
    )


def _why(
    dockerfile: Dockerfile, source: Stage, path: str, present: list[tuple[Instruction, list[Command]]]
) -> str:
    parts = [
        f"Stage {source.label} installs packages under {path}; their compiled files carry symbols that nothing "
        "reads at run time. They are stripped there, before the copy, each file on its own."
    ]
    if present:
        parts.append(
            "The strip that is there now stands where it saves nothing or breaks libraries, and hides its failures. "
            "It is taken out."
        )
    parts.append("Files in *.libs/ are left alone: patchelf rewrote them, and strip breaks their alignment.")
    return "\n\n".join(parts)


def _predicted(saving: int | None, path: str) -> Prediction:
    if saving is None:
        return Prediction(
            None, f"not measured: the baseline's image was not built yet, or has nothing under {path}"
        )
    return Prediction(
        -saving, f"bytes of symbol sections in the compiled files of {path}, *.libs/ not counted"
    )
