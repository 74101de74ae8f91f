"""Puts packages that are copied in pieces, or into somebody's home, into one virtual environment."""

from __future__ import annotations

from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import RepoView
from phasewise.model.stages.copies import StageCopy
from phasewise.model.stages.measured_packages import base_pip
from phasewise.model.stages.moved_environments import moved_environments
from phasewise.model.stages.one_place import in_one_place
from phasewise.model.stages.scattered import Elsewhere, Receiver, Scattered, scattered, why_one
from phasewise.rules.base import Example, Picks, Rule


class OneEnvironment(Rule):
    """`pip install --prefix`, `--target` and `--user` put packages somewhere, and the runtime has to bring the pieces
    together: libraries here, commands there, PATH and PYTHONPATH to match. What is forgotten shows when the
    container starts. `--user` packages are found through HOME: in /root by nobody but root, because no
    other user may enter it.

    A virtual environment is one directory with all of it. The builder makes it and installs into it, and the runtime
    copies it once, to the same path, because its commands carry the path in their first line. It costs a pip of its
    own (prune_site_packages takes it out where nothing calls it).

    Packages that are copied once and work are left alone: `--prefix=/install` copied to /usr/local is sound.
    Left alone, too: stages with different Pythons, installs of other packages beside the copied ones, cron and
    whatever else starts without PATH, and places that a file outside of the Dockerfile names.

    hadolint and BuildKit's checks have no such rule.
    """

    title = "One environment, copied once"
    risk = Risk.CHECK
    order = 22

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        try:
            found = list(scattered(view))
        except Elsewhere as reason:
            return self.declined(str(reason))
        if not found:
            if moved := next(moved_environments(view), None):
                return _moved(self.id, view, moved)
            return self.declined(
                "no stage copies what another one installs with --prefix, --target or --user"
            )
        reasons: list[str] = []
        for each in found:
            receiver = each.receiver(view.dockerfile.lineage(view.stage))
            wrong = why_one(view, each, receiver) if receiver else []
            if receiver is None or not wrong:
                reasons.append(f"{each.place} is copied once, and works")
                continue
            try:
                after, path = in_one_place(view, each)
            except Elsewhere as reason:
                reasons.append(f"{each.place}: {reason}")
            else:
                return self._phase(view, each, receiver, wrong, after, path)
        return self.declined("; ".join(reasons))

    def _phase(
        self, view: RepoView, found: Scattered, receiver: Receiver, wrong: list[str], after: str, path: str
    ) -> Phase:
        dockerfile = view.dockerfile
        lines = [found.installs[0].instruction.line, *(copy.line for copy in receiver.copies)]
        return Phase(
            id=self.id,
            title=self.title,
            why=(
                f"Stage {found.source.label} installs with {found.option} into {found.place}. The packages "
                f"{' and '.join(wrong)}.\n\n"
                f"They go into a virtual environment at {path}, which has packages, commands and data in one "
                "directory, is copied once, and is found through PATH by every user. The path is the same in all "
                "stages, because the commands name it in their first line."
            ),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(view.evidence(dockerfile.path, line) for line in dict.fromkeys(lines)),
            risk=self.risk,
            predicted=_predicted(view),
            costs="The environment has a pip of its own; prune_site_packages takes it out where nothing calls it.",
        )

    FIRES = (
        Example(
            title="a prefix that is copied in pieces",
            before="FROM python:3.12-slim AS builder\nWORKDIR /src\nCOPY requirements.txt .\n"
            "RUN pip install --no-cache-dir --prefix=/install -r requirements.txt\n\n"
            "FROM python:3.12-slim\n"
            "COPY --from=builder /install/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages\n"
            "COPY --from=builder /install/bin/ /usr/local/bin/\nCOPY . .\n"
            'CMD ["uvicorn", "app:app"]\n',
            after="FROM python:3.12-slim AS builder\nWORKDIR /src\nRUN python -m venv /opt/venv\n"
            'ENV PATH="/opt/venv/bin:$PATH"\nCOPY requirements.txt .\n'
            "RUN pip install --no-cache-dir -r requirements.txt\n\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n"
            'ENV PATH="/opt/venv/bin:$PATH"\nCOPY . .\n'
            'CMD ["uvicorn", "app:app"]\n',
            files={"requirements.txt": "uvicorn\n"},
        ),
        Example(
            title="root's home, and a user who may not enter it",
            before="FROM python:3.12 AS builder\nCOPY requirements.txt .\n"
            "RUN pip install --user -r requirements.txt\n"
            "FROM python:3.12-slim\nRUN useradd -m app\nENV PATH=/root/.local/bin:$PATH\n"
            "# packages\nCOPY --from=builder /root/.local /root/.local\n"
            "USER app\nCMD uvicorn app:app\n",
            after="FROM python:3.12 AS builder\nRUN python -m venv /opt/venv\n"
            'ENV PATH="/opt/venv/bin:$PATH"\nCOPY requirements.txt .\n'
            "RUN pip install -r requirements.txt\n"
            "FROM python:3.12-slim\nRUN useradd -m app\nENV PATH=/opt/venv/bin:$PATH\n"
            "# packages\nCOPY --from=builder /opt/venv /opt/venv\n"
            "USER app\nCMD uvicorn app:app\n",
            files={"requirements.txt": "uvicorn\n"},
        ),
        Example(
            title="a target directory, whose commands are not on PATH",
            before="FROM python:3.12-slim AS builder\nRUN pip install uv\nCOPY requirements.txt .\n"
            "RUN uv pip install --system \\\n    --target=/deps \\\n    -r requirements.txt\n"
            "FROM python:3.12-slim\nENV PYTHONPATH=/deps PYTHONUNBUFFERED=1\n"
            'COPY --from=builder --chown=1000 /deps /deps\nCMD ["gunicorn", "app:app"]\n',
            after="FROM python:3.12-slim AS builder\nRUN pip install uv\nRUN python -m venv /opt/venv\n"
            'ENV VIRTUAL_ENV=/opt/venv PATH="/opt/venv/bin:$PATH"\nCOPY requirements.txt .\n'
            "RUN uv pip install \\\n    -r requirements.txt\n"
            "FROM python:3.12-slim\nENV PYTHONUNBUFFERED=1\n"
            'COPY --from=builder --chown=1000 /opt/venv /opt/venv\nENV PATH="/opt/venv/bin:$PATH"\n'
            'CMD ["gunicorn", "app:app"]\n',
            files={"requirements.txt": "gunicorn\n"},
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install --prefix=/install idna\n"
            "FROM python:3.12-slim\nCOPY --from=builder /install /usr/local\n",
            title="copied once, and works",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install --user idna\nFROM python:3.12-slim\n"
            "COPY --from=builder /root/.local /root/.local\nENV PATH=/root/.local/bin:$PATH\n",
            title="root's home, for root",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\nRUN /opt/venv/bin/pip install idna\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
            title="one environment already",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install --user idna\nFROM python:3.13-slim\n"
            "COPY --from=builder /root/.local /root/.local\nUSER app\n",
            title="another Python",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install --user idna\nFROM python:3.12-slim\n"
            "COPY --from=builder /root/.local /root/.local\nUSER app\n",
            files={"compose.yaml": "services:\n  api:\n    command: /root/.local/bin/uvicorn app:app\n"},
            title="a place that compose names",
        ),
        Example("FROM alpine\nCOPY . .\n", title="no packages"),
    )


def _moved(id: str, view: RepoView, copy: StageCopy) -> Declined:
    line = copy.instruction.line
    return Declined(
        id,
        f"line {line} copies the virtual environment {copy.path} to {copy.target}, where its commands do not start: "
        f"their first line names {copy.path}/bin/python. Make it at {copy.target} in stage {copy.source.label}, too",
        (view.evidence(view.dockerfile.path, line),),
    )


def _predicted(view: RepoView) -> Prediction:
    census = view.census
    if census is None:
        return Prediction(
            None, "one copy in place of several; the environment's pip is known once it is built"
        )
    pip = base_pip(census)
    return Prediction(
        pip.size_bytes if pip else None, "the environment's own pip, as large as the base image's"
    )
