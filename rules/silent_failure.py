"""Lets a step that fails stop the build, where `2>/dev/null || true` hides that it failed."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from functools import cache
from itertools import pairwise

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.edits import drop_instruction
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.silence import Matter, Silence, doubt_of, ignored, silences
from phasewise.model.stages.written_files import file_names_before
from phasewise.model.syntax.shell_nodes import Simple
from phasewise.model.text import Edit, apply_edits
from phasewise.model.wording import listed
from phasewise.rules.base import Example, Picks, Rule

_HIDES = {
    Matter.PACKAGES: "a package that does not install: the image is built without it and fails when it is imported",
    Matter.SYSTEM: "a package or a package list that cannot be fetched",
    Matter.STRIP: "the files that strip refuses, or that there is no strip",
    Matter.FILES: "a file that is not there",
    Matter.DOWNLOAD: "a download that fails",
    Matter.BUILD: "a build step that fails",
}
_BRINGS_STRIP = frozenset({"binutils", "gcc", "g++", "build-essential", "clang", "gfortran", "dpkg-dev"})


class SilentFailure(Rule):
    """`2>/dev/null || true` makes a step that fails look like one that worked. In one measured image it hid that strip
    was not installed: a layer of 0 bytes that its author counted as 380 MB saved. Behind `pip install` it hides a
    package that is missing until something imports it.

    It is taken away from steps whose failure leaves the image without something: installs, downloads, copies, builds.
    It stays behind clean-up (`rm`, `find -delete`), users that may exist already, and steps that name a file which
    neither the repository has nor an earlier step writes, where it is meant. Clean-up in the same list is put in
    braces, so that only its own failure is ignored. Where the shell would go on after a failure, `|| exit 1` says that
    it must not. A strip of many files keeps `|| true`, since it refuses some of them rightly, but may speak; one
    without binutils goes.

    Whether the build passes without can only be seen by building it. hadolint and BuildKit's checks have no rule for
    it; hadolint's DL4006 is about the same fault in pipes.
    """

    title = "Let failing steps stop the build"
    risk = Risk.CHECK
    order = 45

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        found = _silences(view, dockerfile)
        if not found:
            return self.declined(_why_not(view))
        before = Dockerfile.parse(apply_edits(dockerfile.text, _without_strip(view, found)), dockerfile.path)
        edits = [edit for silence in _silences(view, before) for edit in silence.edits]
        after = apply_edits(before.text, edits)
        told = [silence for silence in found if silence.steps]
        gone = [silence for silence in told if _never_ran(dockerfile, silence)]
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(told, gone, edits),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(
                view.evidence(dockerfile.path, line)
                for line in dict.fromkeys(silence.line for silence in told)
            ),
            risk=self.risk,
            predicted=Prediction(None, "nothing changes in an image whose steps succeed"),
            costs="" if len(gone) == len(told) else "A step that fails today unseen will stop the build.",
        )

    FIRES = (
        Example(
            title="an install with a fallback",
            before="FROM python:3.12\nCOPY . .\n"
            "RUN python3 -m pip install --no-deps --no-build-isolation . 2>/dev/null || \\\n"
            "    python3 -m pip install --no-deps . 2>/dev/null || true\nUSER app\n",
            after="FROM python:3.12\nCOPY . .\nRUN python3 -m pip install --no-deps --no-build-isolation . || \\\n"
            "    python3 -m pip install --no-deps .\nUSER app\n",
        ),
        Example(
            title="clean-up in the same list may still fail",
            before="FROM python:3.12-slim\nRUN pip install -r requirements.txt && \\\n"
            '    find /usr/local -name "__pycache__" -exec rm -rf {} + 2>/dev/null || true\n',
            after="FROM python:3.12-slim\nRUN pip install -r requirements.txt && \\\n"
            '    { find /usr/local -name "__pycache__" -exec rm -rf {} + 2>/dev/null || true; }\n',
            files={"requirements.txt": "numpy\n"},
        ),
        Example(
            title="the shell would go on",
            before="FROM python:3.12-slim\nRUN apt-get update > /dev/null 2>&1 || true; \\\n"
            "    apt-get install -y libpq5 || true; \\\n    rm -rf /var/lib/apt/lists/* || true\n",
            after="FROM python:3.12-slim\nRUN apt-get update > /dev/null || exit 1; \\\n"
            "    apt-get install -y libpq5 || exit 1; \\\n    rm -rf /var/lib/apt/lists/* || true\n",
        ),
        Example(
            title="in a heredoc that stops at a failure",
            before="FROM python:3.12-slim\nRUN <<EOF\nset -e\n# optional\ncp /etc/hosts /srv 2>/dev/null || :\n"
            "rm -f /tmp/x || true\nEOF\n",
            after="FROM python:3.12-slim\nRUN <<EOF\nset -e\n# optional\ncp /etc/hosts /srv\n"
            "rm -f /tmp/x || true\nEOF\n",
        ),
        Example(
            title="strip without binutils",
            before="FROM python:3.12-slim\nRUN pip install numpy\n\n# Smaller\n"
            "RUN find /usr/local -name '*.so*' -exec strip {} + 2>/dev/null || true\n\nUSER app\n",
            after="FROM python:3.12-slim\nRUN pip install numpy\n\nUSER app\n",
        ),
        Example(
            title="strip of many files may refuse some, but not in silence",
            before="FROM python:3.12\nRUN find /usr/local -name '*.so*' -exec strip {} + 2>/dev/null || true\n",
            after="FROM python:3.12\nRUN find /usr/local -name '*.so*' -exec strip {} + || true\n",
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN find / -name __pycache__ -exec rm -rf {} + 2>/dev/null || true\n"
            "RUN rm -r /tmp/x || true\nRUN groupadd app 2>/dev/null || true\n",
            title="clean-up and users",
        ),
        Example(
            "FROM python:3.12-slim\nRUN pip install x || pip install y\n", title="a fallback that may fail"
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN pip install -r requirements-local.txt 2>/dev/null || true\n",
            files={"requirements.txt": "numpy\n"},
            title="a file that need not be there",
        ),
        Example("FROM python:3.12-slim\nRUN if pip install x; then echo yes; fi\n", title="a condition"),
        Example(
            "FROM python:3.12-slim AS other\nRUN pip install x || true\nFROM python:3.12-slim\n",
            title="in a stage that the target does not need",
        ),
    )


def _silences(view: RepoView, dockerfile: Dockerfile) -> list[Silence]:
    """The hidden failures in all stages that the target needs; empty when no step that matters is among them."""
    needed = dockerfile.needed_by(dockerfile.stage(view.target.stage))
    found = [
        silence
        for instruction in dockerfile.instructions
        if instruction.stage in needed and (script := Script.of(dockerfile, instruction))
        for silence in silences(dockerfile, script, _optional(view, dockerfile, script))
    ]
    return found if any(silence.steps for silence in found) else []


def _never_ran(dockerfile: Dockerfile, silence: Silence) -> bool:
    """Whether all that is hidden is a strip where there is none."""
    strips = all(kind is Matter.STRIP for _, kind in silence.steps)
    return strips and not _has_strip(dockerfile, silence.script.instruction)


def _without_strip(view: RepoView, found: list[Silence]) -> list[Edit]:
    """Takes out the strips that cannot run, since there is none in their stage."""
    dockerfile = view.dockerfile
    edits: list[Edit] = []
    for instruction in {s.script.instruction.span: s.script.instruction for s in found}.values():
        own = [silence for silence in found if silence.script.instruction is instruction]
        script = own[0].script
        if _has_strip(dockerfile, instruction):
            continue
        places = {
            script.source.place(step.start)
            for silence in own
            for step, kind in silence.steps
            if kind is Matter.STRIP
        }
        pruned = script.without([command for command in script.commands if command.span.start in places])
        edits += [drop_instruction(dockerfile, instruction)] if pruned is None else pruned
    return edits


def _has_strip(dockerfile: Dockerfile, instruction: Instruction) -> bool:
    """Whether binutils may be there: only a slim image without any package that brings it is known to lack it."""
    lineage = dockerfile.lineage(dockerfile.stages[instruction.stage or 0])
    image = dockerfile.base_image(lineage[-1])
    if "slim" not in image and not image.startswith(("debian", "ubuntu")):
        return True
    return any(
        command.name in ("apt-get", "apt") and _BRINGS_STRIP & set(command.argv)
        for stage in lineage
        for run in stage.instructions
        if run.span <= instruction.span and (script := Script.of(dockerfile, run))
        for command in script.commands
    )


def _optional(view: RepoView, dockerfile: Dockerfile, script: Script) -> Callable[[Simple], bool]:
    """Says of a step whether it names a file that nothing brings there, so that it may well fail."""

    @cache
    def names() -> set[str]:
        return {part for path in view.paths for part in path.split("/")}

    def known(word: str, step: Simple) -> bool:
        name = word.rstrip("/").rpartition("/")[2]
        if "$" in word or name in ("", ".") or any(fnmatch(n, name) for n in names()):
            return True
        stage = dockerfile.stages[script.instruction.stage or 0]
        written = file_names_before(dockerfile, stage, script.source.place(step.start))
        return any(fnmatch(n, name) for n in written)

    def optional(step: Simple) -> bool:
        words = [word.value for word in step.words]
        named = [after for word, after in pairwise(words) if word in ("-r", "--requirement")]
        if words[:1] in (["cp"], ["mv"]):
            operands = [word for word in words[1:] if not word.startswith("-")]
            named = [word for word in operands[:-1] if not word.startswith("/")]
        return any(not known(word, step) for word in named)

    return optional


def _why_not(view: RepoView) -> str:
    dockerfile, needed = view.dockerfile, view.dockerfile.needed_by(view.stage)
    commands = [
        (f"line {dockerfile.line_of(command.span.start)}", command)
        for instruction in dockerfile.instructions
        if instruction.stage in needed and (script := Script.of(dockerfile, instruction))
        for command in ignored(script)
    ]
    if not commands:
        return "no step's failure is ignored"
    reasons = [f"{line}: {doubt}" for line, command in commands if (doubt := doubt_of(command))]
    on_purpose = list(dict.fromkeys(line for line, command in commands if not doubt_of(command)))
    if on_purpose:
        lines = listed(on_purpose)
        reasons.append(
            f"the failures that are ignored ({lines}) are those of clean-up or of steps that may fail on purpose"
        )
    return "; ".join(reasons)


def _why(told: list[Silence], gone: list[Silence], edits: list[Edit]) -> str:
    parts = []
    for silence in told:
        words = " ".join(word.value for word in silence.steps[0][0].words)
        first = f"{words[:60].rstrip()}..." if len(words) > 60 else words
        if silence in gone:
            parts.append(
                f"Line {silence.line}, `{first}`: binutils is not in this stage, so there is no strip to run, and "
                "`|| true` hides that nothing is done. The step goes."
            )
            continue
        hidden = "; ".join(dict.fromkeys(_HIDES[kind] for _, kind in silence.steps))
        how = "`|| true`, with what it prints thrown away, hides" if silence.discards else "`|| true` hides"
        parts.append(f"Line {silence.line}, `{first}`: {how} {hidden}.")
    if any(silence.refuses and silence not in gone for silence in told):
        parts.append(
            "A strip of many files refuses some of them rightly: it may go on failing, but not unseen."
        )
    if any("{ " in edit.replacement for edit in edits):
        parts.append("Clean-up in the same list may still fail; the braces keep its `|| true` to itself.")
    return "\n\n".join(parts)
