"""Adds a target for deployments that do without the machine-learning packages."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.census import Census, Distribution
from phasewise.model.ci.core import Ask, Core, NoCore, candidates, core_of
from phasewise.model.ci.leaving_out import Candidate
from phasewise.model.phase import Choice, Declined, Evidence, FileEdit, Option, Phase, Prediction, Risk
from phasewise.model.python.requirements import RequirementsError
from phasewise.model.repo import RepoView
from phasewise.model.stages.twins import NoTwin, with_twin
from phasewise.model.units import size
from phasewise.rules.base import Example, Picks, Rule

NAME = "core"
CHOICE = "leave_out"

_TWO_STAGES = """\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY pyproject.toml .
RUN pip install ".[ml,api]"

FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
COPY app/ app/
CMD ["uvicorn", "app.main:app"]
"""
_ONE_STAGE = """\
FROM python:3.12-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
# what the first request needs
RUN python -c "from sentence_transformers import SentenceTransformer as S; S('all-MiniLM-L6-v2')"
COPY app/ app/
CMD ["uvicorn", "app.main:app"]
"""
_CODE = {
    "app/main.py": "from fastapi import FastAPI\n\nfrom app.model import predict\n\napp = FastAPI()\n",
    "app/model.py": "def predict(x):\n    from sentence_transformers import SentenceTransformer\n",
}
_PYPROJECT = """\
[project]
name = "app"
version = "1"
dependencies = ["fastapi==0.121.2"]

[project.optional-dependencies]
api = ["uvicorn==0.38.0"]
ml = ["sentence-transformers==3.0.1"]
"""
_CENSUS = Census(
    image_bytes=9,
    layers=(),
    file_bytes=9,
    distributions=(
        Distribution("fastapi", "0.121.2", "/s", 1_000_000, imports=("fastapi",)),
        Distribution("sentence-transformers", "3.0.1", "/s", 1, ("sentence_transformers",), ("torch",)),
        Distribution("torch", "2.3.1", "/s", 1_700_000_000, ("torch",)),
    ),
)


class CoreVariant(Rule):
    """Some deployments of a service never use its models: an instance that serves the API alone, a scheduler, a
    migration job. They get a target of their own, `docker build --target core`, without the machine-learning packages.
    It stands in front of the full one, which stays the default.

    The two share their stages up to the instruction that differs, and the builder's cache with them. The
    instructions of the full target stay the same, so that the very same image comes of it. What is left out are
    the extras of the project that hold a framework; from a single requirements file, the frameworks are filtered
    out during the build, so that no second list can drift from the first: lists kept by hand broke within days in
    a project that was studied.

    Proposed only when the application that CMD starts imports none of it outside of functions, `if` and guarded
    `try`, and no later command runs it. Unlike the variant for CI, this one is for deployment; features that
    need a model fail there when they are called. So it is off until asked for.

    hadolint and BuildKit's checks have no such rule. tally calls the core unreachable
    (`tally/no-unreachable-stages`), as the default target does not need it; and what it and hadolint find in an
    instruction that is doubled, they find twice.
    """

    title = "A target without the machine-learning packages"
    risk = Risk.ASK
    order = 75

    FIRES = (
        Example(
            title="extras of a project, two stages",
            before=_TWO_STAGES,
            files={**_CODE, "pyproject.toml": _PYPROJECT},
            after="""\
FROM python:3.12-slim AS builder-base
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY pyproject.toml .

FROM builder-base AS core-builder
RUN pip install ".[api]"

FROM builder-base AS builder
RUN pip install ".[ml,api]"

FROM python:3.12-slim AS final-base
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app

# Without sentence-transformers: docker build --target core
FROM final-base AS core
COPY --from=core-builder /opt/venv /opt/venv
COPY app/ app/
CMD ["uvicorn", "app.main:app"]

FROM final-base
COPY --from=builder /opt/venv /opt/venv
COPY app/ app/
CMD ["uvicorn", "app.main:app"]
""",
        ),
        Example(
            title="one list, one stage, and a model that is fetched",
            before=_ONE_STAGE,
            census=_CENSUS,
            files={
                **_CODE,
                "requirements.txt": "fastapi==0.121.2\nsentence_transformers==3.0.1\ntorch==2.3.1\n",
            },
            after="""\
FROM python:3.12-slim AS final-base
WORKDIR /app
COPY requirements.txt .

# Without sentence-transformers and torch: docker build --target core
FROM final-base AS core
RUN grep -viE '^(sentence[-_.]transformers|torch)([^a-z0-9._-]|$)' requirements.txt > /tmp/requirements-core.txt \\
    && pip install --no-cache-dir -r /tmp/requirements-core.txt
COPY app/ app/
CMD ["uvicorn", "app.main:app"]

FROM final-base
RUN pip install --no-cache-dir -r requirements.txt
# what the first request needs
RUN python -c "from sentence_transformers import SentenceTransformer as S; S('all-MiniLM-L6-v2')"
COPY app/ app/
CMD ["uvicorn", "app.main:app"]
""",
        ),
        Example(
            title="uv sync",
            before="FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN uv sync --extra ml --extra api --frozen\n"
            'CMD ["uvicorn", "app.main:app"]\n',
            files={**_CODE, "pyproject.toml": _PYPROJECT},
            after="FROM python:3.12-slim AS final-base\nWORKDIR /app\nCOPY . .\n\n"
            "# Without sentence-transformers: docker build --target core\nFROM final-base AS core\n"
            'RUN uv sync --extra api --frozen\nCMD ["uvicorn", "app.main:app"]\n\n'
            "FROM final-base\nRUN uv sync --extra ml --extra api --frozen\n"
            'CMD ["uvicorn", "app.main:app"]\n',
        ),
    )
    SILENT = (
        Example(
            _ONE_STAGE,
            files={**_CODE, "requirements.txt": "fastapi==0.121.2\n"},
            title="no machine-learning packages",
        ),
        Example(
            _ONE_STAGE,
            files={**_CODE, "requirements.txt": "torch==2.3.1\nfastapi\n", "app/model.py": "import torch\n"},
            title="imported at the start",
        ),
        Example(
            _TWO_STAGES.replace("[ml,api]", "[api]"),
            files={
                **_CODE,
                "pyproject.toml": _PYPROJECT.replace('["fastapi', '["sentence-transformers", "fastapi'),
            },
            title="among the project's own dependencies",
        ),
        Example(
            _TWO_STAGES.replace("builder", "core"),
            files={**_CODE, "pyproject.toml": _PYPROJECT},
            title="a stage of that name",
        ),
    )

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        if any((stage.name or "").lower() == NAME for stage in view.dockerfile.stages):
            return self.declined(f"there is a stage {NAME} already")
        try:
            ask = Ask.of(view)
            requirements = ask.requirements()
            offered = candidates(requirements)
            names = frozenset(each.name for each in offered)
            picked = picks.get(CHOICE, frozenset()) & names
            picked = picked if requirements.dropped(picked) else names
            core = core_of(ask, requirements, picked)
            return self._phase(view, core, offered, picked)
        except (NoCore, NoTwin, RequirementsError) as reason:
            return self.declined(str(reason))

    def _phase(
        self, view: RepoView, core: Core, offered: tuple[Candidate, ...], picked: frozenset[str]
    ) -> Phase:
        dockerfile = view.dockerfile
        names = _and(sorted(core.left_out))
        short = names if len(core.left_out) < 4 else f"{_and(sorted(picked))} and what comes with them"
        comment = f"Without {short}: docker build --target {NAME}"
        after = with_twin(dockerfile, view.stage, core.edits, NAME, comment)
        saved = (
            ""
            if core.saved_bytes is None
            else f" The core is about {size(core.saved_bytes)} smaller, by the census."
        )
        return Phase(
            id=self.id,
            title=self.title,
            why="\n\n".join(_why(core, offered, names)),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(_evidence(view, core, offered)),
            risk=self.risk,
            predicted=Prediction(
                0, f"The image that is built without --target is the same as before.{saved}"
            ),
            choices=(
                Choice(
                    CHOICE,
                    "Leave out of the core",
                    tuple(Option(each.name, each.label, each.size_bytes) for each in offered),
                    picked,
                    multiple=True,
                ),
            ),
            costs=f"In the core, whatever calls {names} fails when it is called, not when it starts.",
        )


def _why(core: Core, offered: tuple[Candidate, ...], names: str) -> Iterator[str]:
    yield (
        f"The application starts without {names}, imported only where it is used. A deployment that never "
        f"gets there can do with `docker build --target {NAME}`; without --target the full image is built, as before."
    )
    if core.extras:
        yield f"The core is installed without the {'extra' if len(core.extras) == 1 else 'extras'} {_and(core.extras)}."
    later = [
        f"{e.sometimes.path}:{e.sometimes.line} imports {e.sometimes.module}" for e in offered if e.sometimes
    ]
    if later:
        yield f"Where they are needed: {'; '.join(later)}."
    for command in core.dropped:
        yield f"Not run in the core, as it needs what is left out: {command}"


def _evidence(view: RepoView, core: Core, offered: tuple[Candidate, ...]) -> Iterator[Evidence]:
    places = [(line.path, line.line) for line in core.lines]
    places += [(each.sometimes.path, each.sometimes.line) for each in offered if each.sometimes]
    for path, line in dict.fromkeys(places):
        yield view.evidence(path, line)


def _and(names: list[str] | tuple[str, ...]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
