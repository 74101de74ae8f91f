"""Installs uv, poetry and Rust at a version that the repository names, not whatever a script on the network brings."""

from __future__ import annotations

from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.pin_edits import without_env_files
from phasewise.model.python.pins import IMAGE, LABELS, Change, PinFinder
from phasewise.model.repo import RepoView
from phasewise.model.text import apply_edits
from phasewise.rules.base import Example, Picks, Rule


class PinnedInstaller(Rule):
    """`curl ... | sh` runs what a server hands out today: the build of last month cannot be repeated, a failed download
    can pass unseen through the pipe, and nobody has read the script.

    uv becomes the package `uv==X`, put where the installer put it, so that PATH and `/root/.local/bin/uv` go on
    working; on request, or where there is no pip, it is copied from uv's own image. poetry gets the environment of
    its own that its installer makes: in the application's, the dependencies of both would mix, and with that
    environment's `bin` on PATH `python` would be poetry's. rustup is told the toolchain. `pip install uv` and
    `pip install poetry` get the version, too.

    The version is one that the repository names: in the Dockerfile, pyproject.toml, the header of poetry.lock, a
    workflow, a version manager; else the one in the baseline's image. None is made up. Installers behind `||` are
    left alone.

    hadolint: DL3013 (a version for pip), DL4006 (the failure of a pipe's first half); it has no rule on scripts that
    are piped into a shell. BuildKit's checks have none.
    """

    title = "Install uv, poetry and Rust at a version"
    risk = Risk.CHECK
    order = 12

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        finder = PinFinder(view, picks)
        changes = [*finder.changes()]
        if not changes:
            return self.declined(
                "; ".join(dict.fromkeys(finder.reasons)) or "no installer is piped into a shell"
            )
        dockerfile = view.dockerfile
        edits = [edit for change in changes for edit in change.edits]
        if any(change.tool == "uv" and change.piped for change in changes):
            edits += without_env_files(dockerfile)
        places = [(dockerfile.path, change.line) for change in changes]
        written = [change.written for change in changes if change.written]
        places += [(each.path, each.line) for each in written if each.path in view.files]
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(changes, finder.reasons),
            edits=(FileEdit(dockerfile.path, dockerfile.text, apply_edits(dockerfile.text, edits)),),
            evidence=tuple(view.evidence(path, line) for path, line in dict.fromkeys(places)),
            risk=self.risk,
            predicted=Prediction(
                None, "the tool stays in the image that it was in; only its version is settled"
            ),
            choices=tuple(finder.choices.values()),
            costs="The build reads uv's image from ghcr.io." if any(c.from_image for c in changes) else "",
        )

    FIRES = (
        Example(
            title="uv stays where its installer put it",
            before="FROM python:3.12-slim\nRUN apt-get update && apt-get install -y curl && \\\n"
            "    curl -LsSf https://astral.sh/uv/install.sh | sh\n"
            'ENV PATH="/root/.local/bin:${PATH}"\nRUN uv sync --locked\n',
            after="FROM python:3.12-slim\nRUN apt-get update && apt-get install -y curl && \\\n"
            "    pip install --no-cache-dir --user uv==0.9.9\n"
            'ENV PATH="/root/.local/bin:${PATH}"\nRUN uv sync --locked\n',
            files={"pyproject.toml": '[tool.uv]\nrequired-version = "==0.9.9"\n'},
        ),
        Example(
            title="the folder that the installer is told, and the version of its address",
            before="FROM python:3.12-slim\nADD https://astral.sh/uv/0.9.9/install.sh /uv.sh\n"
            "RUN UV_INSTALL_DIR=/usr/local/bin sh /uv.sh && rm /uv.sh\nRUN uv sync\n",
            after="FROM python:3.12-slim\nRUN pip install --no-cache-dir uv==0.9.9\nRUN uv sync\n",
        ),
        Example(
            title="an image without pip, and the file that the installer leaves",
            before="FROM debian:bookworm-slim\nENV UV_VERSION=0.9.9\n"
            "RUN curl -LsSf https://astral.sh/uv/$UV_VERSION/install.sh | sh\n"
            "RUN . $HOME/.local/bin/env && uv sync\n",
            after="FROM debian:bookworm-slim\nENV UV_VERSION=0.9.9\n"
            "COPY --from=ghcr.io/astral-sh/uv:0.9.9 /uv /uvx /root/.local/bin/\n"
            'RUN export PATH="$HOME/.local/bin:$PATH" && uv sync\n',
        ),
        Example(
            title="from uv's image on request",
            before="FROM python:3.12-slim\nRUN wget -qO- https://astral.sh/uv/0.9.9/install.sh | sh\n",
            after="FROM python:3.12-slim\nCOPY --from=ghcr.io/astral-sh/uv:0.9.9 /uv /uvx /root/.local/bin/\n",
            picks={"source": frozenset({IMAGE})},
        ),
        Example(
            title="poetry in its own environment",
            before="FROM python:3.12-slim\nENV POETRY_HOME=/opt/poetry PATH=/opt/poetry/bin:$PATH\n"
            "RUN curl -sSL https://install.python-poetry.org | python3 -\nRUN poetry install\n",
            after="FROM python:3.12-slim\nENV POETRY_HOME=/opt/poetry PATH=/opt/poetry/bin:$PATH\n"
            "RUN python3 -m venv /opt/poetry/venv && \\\n"
            "    /opt/poetry/venv/bin/pip install --no-cache-dir poetry==2.1.3 && \\\n"
            "    mkdir -p /opt/poetry/bin && ln -s /opt/poetry/venv/bin/poetry /opt/poetry/bin/poetry\n"
            "RUN poetry install\n",
            files={
                "poetry.lock": "# This file is automatically @generated by Poetry 2.1.3 and should not be changed by "
                "hand.\n"
            },
        ),
        Example(
            title="the toolchain of rust-toolchain.toml",
            before="FROM python:3.12\nRUN curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y\n",
            after="FROM python:3.12\nRUN curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y "
            "--default-toolchain 1.83.0\n",
            files={"rust-toolchain.toml": '[toolchain]\nchannel = "1.83.0"\n'},
        ),
        Example(
            title="a package without a version",
            before="FROM python:3.12-slim\nRUN pip install --no-cache-dir uv 'poetry'\n",
            after="FROM python:3.12-slim\nRUN pip install --no-cache-dir uv==0.9.9 poetry==2.1.3\n",
            files={
                ".github/workflows/ci.yml": "jobs:\n  test:\n    steps:\n      - uses: astral-sh/setup-uv@v6\n"
                '        with:\n          version: "0.9.9"\n      - run: pipx install poetry==2.1.3\n'
            },
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN curl -LsSf https://astral.sh/uv/install.sh | sh\nRUN pip install poetry\n",
            files={"pyproject.toml": '[tool.uv]\nrequired-version = ">=0.5"\n', "uv.lock": "version = 1\n"},
            title="no version is named anywhere",
        ),
        Example(
            "FROM python:3.12-slim\nRUN command -v uv || curl -LsSf https://astral.sh/uv/0.9.9/install.sh | sh\n",
            title="behind an alternative",
        ),
        Example(
            "FROM python:3.12-slim\nRUN pip install uv==0.9.9 'poetry>=2'\n"
            "RUN curl -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain 1.83.0\n",
            title="versions are given",
        ),
        Example(
            "FROM python:3.12-slim\nENV UV_VERSION=0.9.9\n"
            "RUN curl -LsSf https://example.com/install.sh | sh\nRUN curl -o /x https://astral.sh/uv/install.sh\n",
            title="other scripts, and one that is not run",
        ),
    )


def _why(changes: list[Change], reasons: list[str]) -> str:
    parts = []
    if any(change.piped for change in changes):
        parts.append(
            "A script from the network is piped into an interpreter: it installs whatever is newest on the day of the "
            "build or is changed on the server, and a download that fails can pass for an empty script."
        )
    for change in changes:
        source = (
            f"as {change.written.where} says" if change.written else "the version that the installer was told"
        )
        parts.append(f"Line {change.line}: {LABELS[change.tool]} {change.version}, {source}.")
    if any(change.tool == "poetry" and change.piped for change in changes):
        parts.append(
            "poetry keeps an environment of its own, with nothing but `poetry` in the folder on PATH, as its "
            "installer makes it."
        )
    parts += [f"Left alone, {reason}." for reason in dict.fromkeys(reasons)]
    return "\n\n".join(parts)
