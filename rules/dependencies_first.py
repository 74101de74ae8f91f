"""Installs dependencies before the code is copied, so that a change of code does not install them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phasewise.model.dockerfile import Instruction
from phasewise.model.node import node_behind_code
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.install_inputs import NotKnown
from phasewise.model.repo import RepoView
from phasewise.model.stages.code_last import CodeLast, code_last, edits
from phasewise.model.text import apply_edits
from phasewise.model.wording import listed
from phasewise.rules.base import Example, Picks, Rule

_MOST_NAMED = 4


class DependenciesFirst(Rule):
    """A layer is built again when anything before it changed. Where `COPY . .` stands in front of
    `pip install -r requirements.txt`, every change of code downloads and installs all dependencies again.

    This copies the files that the install reads (included ones too, `-r` and `-c`), installs, and then copies
    the code. An instruction is moved only when nothing that it now follows reads what it brings or writes
    where it writes; anything else is a reason to leave the stage alone. `uv sync` and `poetry install` become two
    steps, the dependencies (`--no-install-project`, `--no-root`) and then the project. `pip install .` and
    `-e .` are left alone: pip cannot install the dependencies of a project without the project. npm, yarn and pnpm are
    not covered.

    Docker's documentation calls it ordering layers ("Optimize cache usage in builds"), uv's "intermediate
    layers". hadolint and BuildKit's own checks have no such rule.
    """

    title = "Install dependencies before copying the code"
    risk = Risk.SAFE
    order = 30

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        moves: list[CodeLast] = []
        reasons: list[str] = []
        for index in sorted(dockerfile.needed_by(view.stage)):
            try:
                move = code_last(view, dockerfile.stages[index])
            except NotKnown as refusal:
                reasons.append(f"stage {dockerfile.stages[index].label}: {refusal}")
            else:
                moves += [move] if move else []
        if not moves:
            reasons += node_behind_code(view)
            return self.declined("; ".join(reasons) or "no code is copied before dependencies are installed")
        after = apply_edits(dockerfile.text, [edit for move in moves for edit in edits(view, move)])
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(view, moves),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(
                view.evidence(dockerfile.path, instruction.line)
                for move in moves
                for instruction in (*move.copies, move.last)
            ),
            risk=self.risk,
            predicted=Prediction(
                None, "the image stays as large; a rebuild after a change of code gets shorter"
            ),
        )

    FIRES = (
        Example(
            title="requirements with an included file",
            before="FROM python:3.12-slim\nWORKDIR /app\n# The code\nCOPY . .\n"
            "RUN pip install -r requirements/prod.txt\nCMD python app.py\n",
            after="FROM python:3.12-slim\nWORKDIR /app\n"
            "COPY constraints.txt ./\nCOPY requirements/base.txt requirements/prod.txt requirements/\n"
            "RUN pip install -r requirements/prod.txt\n# The code\nCOPY . .\nCMD python app.py\n",
            files={
                "app.py": "",
                "constraints.txt": "numpy==2.3.5\n",
                "requirements/prod.txt": "-r base.txt\n-c ../constraints.txt\n",
                "requirements/base.txt": "numpy\n",
            },
        ),
        Example(
            title="what stands between and needs no code stays before the install",
            before="FROM python:3.12-slim\nCOPY --chown=app app /srv/app\nCOPY requirements.txt /srv/\n"
            "ENV PIP_NO_CACHE_DIR=1\nRUN apt-get update && apt-get install -y gcc\n"
            "RUN pip install --upgrade pip && pip install -r /srv/requirements.txt\n",
            after="FROM python:3.12-slim\nCOPY requirements.txt /srv/\n"
            "ENV PIP_NO_CACHE_DIR=1\nRUN apt-get update && apt-get install -y gcc\n"
            "RUN pip install --upgrade pip && pip install -r /srv/requirements.txt\n"
            "COPY --chown=app app /srv/app\n",
            files={"app/main.py": "", "requirements.txt": "numpy\n"},
        ),
        Example(
            title="uv in two steps",
            before="FROM python:3.12-slim\nRUN pip install uv==0.9.9\nWORKDIR /app\nCOPY . .\n"
            "RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev\n",
            after="FROM python:3.12-slim\nRUN pip install uv==0.9.9\nWORKDIR /app\n"
            "COPY pyproject.toml uv.lock ./\n"
            "RUN --mount=type=cache,target=/root/.cache/uv uv sync --no-install-project --frozen --no-dev\n"
            "COPY . .\n"
            "RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev\n",
            files={
                ".dockerignore": ".venv\n",
                "pyproject.toml": '[project]\nname = "x"\n[build-system]\nrequires = ["hatchling"]\n',
                "uv.lock": "",
                "x/__init__.py": "",
            },
        ),
        Example(
            title="poetry that leaves the project out already",
            before="FROM python:3.12-slim\nWORKDIR /app\nCOPY . /app\n"
            "RUN pip install poetry && poetry install --no-root\n",
            after="FROM python:3.12-slim\nWORKDIR /app\nCOPY poetry.lock pyproject.toml /app/\n"
            "RUN pip install poetry && poetry install --no-root\nCOPY . /app\n",
            files={"pyproject.toml": '[tool.poetry]\nname = "x"\n', "poetry.lock": "", "x.py": ""},
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\n",
            files={"requirements.txt": "numpy\n", "app.py": ""},
            title="in that order already",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN pip install -e .\n",
            files={"pyproject.toml": '[project]\nname = "x"\n', "src/x.py": ""},
            title="editable: the install reads the code",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN pip install -r requirements.txt\n",
            files={"requirements.txt": "-e ./lib\nnumpy\n", "lib/setup.py": ""},
            title="a requirement that is code",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN make generate\nRUN pip install -r requirements.txt\n",
            files={"requirements.txt": "numpy\n", "Makefile": ""},
            title="a step between that may read the code",
        ),
        Example(
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN uv sync --frozen\n",
            files={"pyproject.toml": '[project]\nname = "x"\n', "uv.lock": "", "x.py": ""},
            title="a local .venv would be copied over the new one",
        ),
    )


def _why(view: RepoView, moves: Sequence[CodeLast]) -> str:
    brought = {name for move in moves for copy in move.copies for name in _brought(view, copy)}
    files = listed(sorted(brought)) if brought <= view.paths and len(brought) < _MOST_NAMED else ""
    lists = (
        "What the install reads is copied first, then" if any(move.manifests for move in moves) else "First"
    )
    parts = [
        "Code is copied before the dependencies are installed. A layer is built again when one before it changed, "
        f"so every change of {files or 'code'} downloads and installs all dependencies again.",
        f"{lists} the dependencies are installed, then the code is copied. "
        "Nothing between them reads the code or writes where it goes.",
    ]
    if any(move.projects for move in moves):
        parts.append("The project itself is installed in a second, short step behind the code.")
    return "\n\n".join(parts)


def _brought(view: RepoView, copy: Instruction) -> Iterator[str]:
    """The repository paths that a COPY names."""
    for word in view.dockerfile.words(copy)[:-1]:
        yield view.context_path(view.dockerfile.expand(word.value, copy) or word.value)
