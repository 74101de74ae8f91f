"""Copies files as their owner, where a recursive chown or chmod would write each of them a second time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.layers import layer_bytes
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.environments import installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.ownership import Handover, brings_nothing, hand_over, has_flag
from phasewise.model.stages.recursion import Recursive, Stays, recursive_change
from phasewise.model.stages.written_again import no_longer_written_again
from phasewise.model.units import size
from phasewise.rules.base import Example, Picks, Rule

_SMALL = frozenset(
    {"chown", "chmod", "useradd", "adduser", "groupadd", "addgroup", "usermod", "mkdir", "set", "true"}
)
"""Commands that write next to nothing: beside them a layer's size is that of the files that change hands."""
_SETS = {"chown": "owner", "chmod": "mode"}
_BUILD_FILE = re.compile(r"(^|/)(pyproject\.toml|setup\.(py|cfg))$")
_ASKS_GIT = re.compile(
    r"setuptools[-_](scm|git)|hatch-vcs|versioningit|dynamic-versioning|dunamai|versioneer|\bpbr\b"
)


class CopyChown(Rule):
    """`RUN chown -R` and `RUN chmod -R` write every file that they reach into a new layer, whole, and the first copy
    stays below it: 5.84 of the 11.89 GB of one measured image. `COPY --chown= --chmod=` writes them once.

    A user that is made after the COPY is made before it: BuildKit takes an unknown user for root and says nothing
    (seen with Engine 26.1.5). A directory that no COPY makes (a WORKDIR, what mkdir made) gets its owner by itself,
    since the files in it have theirs from COPY; where another RUN or the base image may have left files, `find`
    changes just those that are not right yet. Left alone: a symbolic mode (`u+rwX` means something else for each
    file), a directory below a COPY's own, an owner that only the shell knows or that a package or script makes on the
    way, names for `COPY --link` (which sees no /etc/passwd), archives that ADD unpacks, whose files keep their owners,
    and a git or npm on the way, which mind whose files they work on. `--chmod` needs BuildKit.

    hadolint and BuildKit's own checks have no rule for it.
    """

    title = "Copy files as their owner"
    risk = Risk.CHECK
    order = 15

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        found: list[Handover] = []
        text = dockerfile.text
        for stage in dockerfile.lineage(view.stage):
            original = hand_over(dockerfile, stage)
            if original is None or _git_tells_the_version(view, original):
                continue
            found.append(original)
            current = Dockerfile.parse(text, dockerfile.path)
            again = hand_over(current, current.stages[stage.index])
            text = again.text if again else text
        changes = [change for handover in found for change in handover.replaced]
        if not changes:
            return self.declined(_why_not(dockerfile, view.stage))
        searched = any(handover.searched for handover in found)
        lines = dict.fromkeys(dockerfile.line_of(change.command.span.start) for change in changes)
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(view, changes, searched),
            edits=(FileEdit(dockerfile.path, dockerfile.text, text),),
            evidence=tuple(view.evidence(dockerfile.path, line) for line in lines),
            risk=self.risk,
            predicted=_predicted(view, changes, searched),
        )

    FIRES = (
        Example(
            title="an environment and the application, a user that is made late, a mode",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n\nFROM python:3.12-slim\n"
            "WORKDIR /app\nCOPY --from=builder /opt/venv /opt/venv\nCOPY app/ ./app/\n\n# Not root\n"
            "RUN useradd -m -u 1000 appuser && \\\n    chown -R appuser:appuser /app /opt/venv && \\\n"
            "    chmod -R 755 /app /opt/venv\n\nUSER appuser\n",
            after="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n\nFROM python:3.12-slim\n"
            "WORKDIR /app\n\n# Not root\nRUN useradd -m -u 1000 appuser && \\\n    chown appuser:appuser /app\n\n"
            "COPY --from=builder --chown=appuser:appuser --chmod=755 /opt/venv /opt/venv\n"
            "COPY --chown=appuser:appuser --chmod=755 app/ ./app/\n\nUSER appuser\n",
        ),
        Example(
            title="numeric ids, nothing else in the RUN",
            before="FROM python:3.12-slim\nCOPY --link . /app\nRUN chown --recursive 1000:1000 /app\nUSER 1000\n",
            after="FROM python:3.12-slim\nCOPY --link --chown=1000:1000 . /app\nUSER 1000\n",
        ),
        Example(
            title="in a heredoc",
            before="FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN <<EOF\nset -e\nuseradd app\nmkdir -p logs\n"
            "chown -R app:app /app\nEOF\nUSER app\n",
            after="FROM python:3.12-slim\nWORKDIR /app\n\nRUN <<EOF\nset -e\nuseradd app\nmkdir -p logs\n"
            "chown app:app /app /app/logs\nEOF\n\nCOPY --chown=app:app . .\nUSER app\n",
        ),
        Example(
            title="what another command wrote among the files still changes hands",
            before="FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN python manage.py collectstatic\n"
            "RUN chown -R 33:33 /app\n",
            after="FROM python:3.12-slim\nWORKDIR /app\nCOPY --chown=33:33 . .\nRUN python manage.py collectstatic\n"
            "RUN find /app ! -user 33 -exec chown -h 33:33 {} +\n",
        ),
        Example(
            title="in a stage that the target inherits",
            before="FROM python:3.12-slim AS service\nCOPY . /app\nRUN chown -R 1000:1000 /app\n\n"
            'FROM service\nCMD ["python"]\n',
            after="FROM python:3.12-slim AS service\nCOPY --chown=1000:1000 . /app\n\n"
            'FROM service\nCMD ["python"]\n',
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN useradd app\nCOPY --chown=app:app . /srv\nUSER app\n",
            title="done already",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . /srv\nRUN chown -R 1000:1000 /srv/data\n",
            title="below a copied directory",
        ),
        Example("FROM python:3.12-slim\nCOPY . /srv\nRUN chmod -R g+rwX /srv\n", title="a symbolic mode"),
        Example(
            "FROM python:3.12-slim\nRUN mkdir /data && chown -R 1000:1000 /data\nCOPY . /srv\n",
            title="nothing copied there",
        ),
        Example(
            'FROM python:3.12-slim\nARG OWN\nCOPY . /srv\nRUN if [ -n "$OWN" ]; then chown -R 1000:1000 /srv; fi\n',
            title="only sometimes",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nCOPY . /src\nRUN chown -R 1000:1000 /src\nFROM python:3.12-slim\n"
            "COPY --from=builder /src/app /srv\n",
            title="in a stage whose layers the image does not have",
        ),
    )


def _git_tells_the_version(view: RepoView, handover: Handover) -> bool:
    """Whether an install on the way asks git for the project's version, which refuses somebody else's repository."""
    asks = any(_ASKS_GIT.search(view.files.get(path, "")) for path in view.matching(_BUILD_FILE))
    return asks and any(
        change.flag == "chown" and change.copies[0].span < install.instruction.span < change.instruction.span
        for change in handover.replaced
        for install in installs(view.dockerfile, view.stage)
    )


def _recursive_commands(dockerfile: Dockerfile, stage: Stage) -> Iterator[tuple[Instruction, Command]]:
    """Every `chown -R` and `chmod -R` of the lineage."""
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            if command.name in ("chown", "chmod") and any(
                word == "--recursive" or (word[:1] == "-" and "R" in word) for word in command.argv[1:]
            ):
                yield instruction, command


def _why_not(dockerfile: Dockerfile, stage: Stage) -> str:
    for instruction, command in _recursive_commands(dockerfile, stage):
        line, own = dockerfile.line_of(command.span.start), dockerfile.stages[instruction.stage or 0]
        try:
            change = recursive_change(dockerfile, own, instruction, command)
        except Stays as why:
            reason = str(why)
        else:
            reason = (
                "the COPYs before it set that already, and the rest of what it reaches may come from other steps"
                if brings_nothing(dockerfile, own, change)
                else "an install on the way asks git for the version, and git refuses the repository of somebody else"
            )
        return f"line {line}: `{' '.join(command.argv)}` stays: {reason}"
    return "nothing changes the owner or mode of copied files in a layer of its own"


def _why(view: RepoView, changes: list[Recursive], searched: bool) -> str:
    runs = {change.instruction.span: change.instruction for change in changes}
    measured = sum(filter(None, (layer_bytes(view.census, run) for run in runs.values())))
    copies = {copy.span: copy for change in changes for copy in change.copies}
    flags = " and ".join(sorted({_SETS[change.flag] for change in changes}, reverse=True))
    already = all(has_flag(copy, change) for change in changes for copy in change.copies)
    copied = "that it copies" if len(copies) == 1 else "that they copy"
    parts = [
        f"A recursive {' or '.join(sorted({change.flag for change in changes}, reverse=True))} writes every file "
        f"again, into a layer of its own{f' ({size(measured)} in the baseline)' if measured else ''}. "
        f"{'COPY sets' if len(copies) == 1 else f'The {len(copies)} COPYs set'} the {flags} "
        f"{'already' if already else 'instead'}, and each file {copied} is written once."
    ]
    if searched:
        parts.append(
            "Other steps, an inherited stage or the base image may have left files there too. `find` hands over just "
            "those that are not right yet, and writes them a second time, as now."
        )
    else:
        parts.append(
            f"A directory that no COPY makes (a WORKDIR, what mkdir made) gets its {flags} by itself; the files in "
            "it have theirs from COPY."
        )
    return "\n\n".join(parts)


def _predicted(view: RepoView, changes: list[Recursive], searched: bool) -> Prediction:
    """The layers that hold the second copies, where they hold nothing else."""
    if view.census is None:
        return Prediction(None, "known once the baseline is built")
    if searched or any(change.left for change in changes):
        return Prediction(None, "the layer holds other files too, and how many is not known")
    total = 0
    for instruction in {change.instruction.span: change.instruction for change in changes}.values():
        script = Script.of(view.dockerfile, instruction)
        found = layer_bytes(view.census, instruction, script)
        if found is None or script is None or any(command.name not in _SMALL for command in script.commands):
            return Prediction(
                None, f"the layer of line {instruction.line} holds more than files that change hands"
            )
        total += found
    return Prediction(
        no_longer_written_again(view, changes) - total,
        "bytes of the layers that only change owners and modes, in the baseline's image",
    )
