"""Installs the application with the uv of an earlier stage, so that a change of code fetches no build backend."""

from __future__ import annotations

from phasewise.model.builds.classic_builder import without_mounts
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.lent_uv import Change, with_uv
from phasewise.model.python.own_install import own_install
from phasewise.model.repo import RepoView
from phasewise.model.text import apply_edits
from phasewise.rules.base import Example, Picks, Rule

_PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "claim-line"
version = "1.0"
"""
_DEPS = """\
FROM python:3.12-slim AS deps
WORKDIR /app
RUN pip install --no-cache-dir --user uv==0.9.9
COPY pyproject.toml ./
RUN /root/.local/bin/uv pip install --system -r pyproject.toml

FROM python:3.12-slim
WORKDIR /app
COPY --from=deps /usr/local /usr/local
COPY . .

"""
_MOUNTED = """\
RUN --mount=type=tmpfs,target=/tmp \\
    --mount=type=bind,from=deps,source=/root/.local/bin/uv,target=/tmp/uv \\
    --mount=type=cache,target=/root/.cache/uv \\
    /tmp/uv pip install --system --no-deps --link-mode=copy --reinstall-package=claim-line .
"""
_COSTS = (
    "pip compiles what it installs to bytecode, uv does not: what the application imports of its own modules is "
    "compiled when a container starts."
)


class ApplicationInstall(Rule):
    """`pip install --no-deps .` behind `COPY . .` runs on every change of code. pip makes a new environment for the
    build each time, fetches the build backend (setuptools, hatchling) into it, installs it and compiles all of it to
    bytecode, only to copy a few modules. In a measured API that was all but the whole time that a change of code took;
    an attempt with `--no-build-isolation` in front only failed first, since the image has no setuptools.

    Where an earlier stage has uv, its binary is mounted for this one step, with uv's cache: the backend comes out of
    the cache, and neither uv nor what it keeps gets into the image. Its lock files stay in a /tmp of the step's own.
    The project goes to the same site-packages, with the same metadata and commands.

    `--reinstall-package` matters: uv keeps the wheel that it built of a folder and, before 0.8, takes it again while
    pyproject.toml, setup.py and setup.cfg are the same files, so that a change of code would install the code from
    before (seen with uv 0.5.31). uv does not compile to bytecode, as pip does: the price is shown.

    Left alone: editable installs, indexes and settings of pip or uv that the step would lose, builds whose backend is
    in the image already. hadolint and BuildKit's checks have no such rule.
    """

    title = "Install the application with uv"
    risk = Risk.CHECK
    order = 46

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        needed = dockerfile.needed_by(view.stage)
        steps = [
            step
            for instruction in dockerfile.instructions
            if instruction.keyword == "RUN" and instruction.stage in needed
            if (step := own_install(dockerfile, instruction))
        ]
        if not steps:
            return self.declined("no step installs just the application, with pip")
        if reason := without_mounts(view):
            return self.declined(reason)
        answers = [(step, with_uv(view, step)) for step in steps]
        changes = [answer for _, answer in answers if isinstance(answer, Change)]
        if not changes:
            return self.declined("; ".join(f"line {step.instruction.line}: {why}" for step, why in answers))
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(changes),
            edits=(
                FileEdit(
                    dockerfile.path, dockerfile.text, apply_edits(dockerfile.text, [c.edit for c in changes])
                ),
            ),
            evidence=tuple(
                view.evidence(dockerfile.path, change.step.instruction.line) for change in changes
            ),
            risk=self.risk,
            predicted=Prediction(None, "it saves time whenever code changes, not bytes of the image"),
            costs=_COSTS if (compiles := any(change.step.compiles for change in changes)) else "",
            costs_start_up=compiles,
        )

    FIRES = (
        Example(
            title="uv of the stage that installs the dependencies",
            before=f"{_DEPS}# The package itself\nRUN --mount=type=cache,target=/root/.cache/pip \\\n"
            "    python3 -m pip install --no-deps --no-build-isolation . || \\\n"
            "    python3 -m pip install --no-deps .\n\nUSER 1000\n",
            after=f"{_DEPS}# The package itself\n{_MOUNTED}\nUSER 1000\n",
            files={"pyproject.toml": _PYPROJECT},
        ),
        Example(
            title="uv that the stage has itself; an environment that is active",
            before="FROM python:3.12-slim\nCOPY --from=uv:0.9.9 /uv /uvx /bin/\nENV VIRTUAL_ENV=/opt/venv\n"
            "ENV PATH=/opt/venv/bin:$PATH\nCOPY . .\nRUN pip install --no-deps .\n",
            after="FROM python:3.12-slim\nCOPY --from=uv:0.9.9 /uv /uvx /bin/\nENV VIRTUAL_ENV=/opt/venv\n"
            "ENV PATH=/opt/venv/bin:$PATH\nCOPY . .\nRUN --mount=type=tmpfs,target=/tmp \\\n"
            "    --mount=type=cache,target=/root/.cache/uv \\\n"
            "    uv pip install --no-deps --link-mode=copy --reinstall-package=claim-line .\n",
            files={"pyproject.toml": _PYPROJECT},
        ),
    )
    SILENT = (
        Example(
            f"{_DEPS}RUN pip install --no-deps . 2>/dev/null || true\n",
            files={"pyproject.toml": _PYPROJECT},
            title="it hides what fails",
        ),
        Example(f"{_DEPS}{_MOUNTED}", files={"pyproject.toml": _PYPROJECT}, title="done already"),
        Example(
            f"{_DEPS}RUN pip install --no-deps -e .\n", files={"pyproject.toml": _PYPROJECT}, title="editable"
        ),
        Example(
            f"{_DEPS}RUN pip install .\n", files={"pyproject.toml": _PYPROJECT}, title="with dependencies"
        ),
        Example(
            f"{_DEPS}RUN pip install --no-deps --no-build-isolation .\n",
            files={"pyproject.toml": _PYPROJECT},
            title="nothing is fetched",
        ),
        Example(
            f"{_DEPS}ENV PIP_INDEX_URL=https://mirror.example/simple\nRUN pip install --no-deps .\n",
            files={"pyproject.toml": _PYPROJECT},
            title="an index of its own",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN pip install --no-deps .\n",
            files={"pyproject.toml": _PYPROJECT},
            title="no uv",
        ),
    )


def _why(changes: list[Change]) -> str:
    backends = ", ".join(dict.fromkeys(name for change in changes for name in change.build.requires))
    parts = [
        f"Whenever code changes, pip makes an environment for the build, fetches {backends} into it, installs and "
        "compiles that, and throws it away. uv keeps it in its cache, beside the image."
    ]
    if any(change.step.tries_without for change in changes):
        parts.append(
            f"The attempt with --no-build-isolation needs {backends} in the image; where that is not, it always fails."
        )
    for change in changes:
        if change.stage:
            parts.append(
                f"uv is mounted from the stage {change.stage.name} while the step runs; the image does not get it."
            )
    parts.append(
        "--reinstall-package makes uv build the project each time: the wheel that it keeps may be one of older code."
    )
    return "\n\n".join(parts)
