"""Build a lighter image where it is only tested or scanned."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace

from phasewise.model.ci import variant as ci_variant
from phasewise.model.ci.check_requirements_ci import fingerprint
from phasewise.model.ci.light_dockerfile import NotDerivable, derive
from phasewise.model.ci.light_requirements import Settings, script_path, script_text
from phasewise.model.ci.situation import CHOICE, Situation
from phasewise.model.ci.variant import Drifted, NoVariant, Redirections
from phasewise.model.phase import Declined, Evidence, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.requirements import RequirementsError
from phasewise.model.repo import BuildReference, Purpose, RepoView
from phasewise.model.units import size
from phasewise.rules.base import Example, Picks, Rule

_DOCKERFILE = """\
FROM python:3.12-slim
WORKDIR /srv
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app/ app/
CMD ["uvicorn", "app.main:app"]
"""
_WORKFLOW = """\
on: push
jobs:
  test:
    steps:
      - uses: actions/checkout@v4
      - run: docker build -t app:test .   # tests run in it
      - run: docker run app:test python -m pytest
  deploy:
    steps:
      - run: docker build -t app . && docker push app
"""
_TESTED = BuildReference(
    ".github/workflows/ci.yml", 6, "", "Dockerfile", ".", None, Purpose.TEST, "jobs.test.steps[1]"
)
_DEPLOYED = BuildReference(
    ".github/workflows/ci.yml", 10, "", "Dockerfile", ".", None, Purpose.DEPLOY, "jobs.deploy.steps[0]"
)
_LAZY = "def predict(x):\n    import torch\n\n    return torch.tensor(x)\n"
_FILES = {
    ".github/workflows/ci.yml": _WORKFLOW,
    "requirements.txt": "# The API\nfastapi==0.121.2\nuvicorn[standard]==0.38.0\n\n# Models\ntorch==2.9.1\n",
    "app/main.py": "from fastapi import FastAPI\n\nfrom app.model import predict\n\napp = FastAPI()\n",
    "app/model.py": _LAZY,
}
_PYPROJECT = """\
[project]
name = "app"
version = "1"
dependencies = ["fastapi==0.121.2"]

[project.optional-dependencies]
ml = ["torch==2.9.1", "pillow==12.0.0"]
"""


class AddCiVariant(Rule):
    """Adds a Dockerfile for CI that leaves out the heavy packages which tests and scans do without.

    It is production's Dockerfile with another list of requirements. The list is generated from
    production's, with its exact pins, and a check in CI fails when the two drift apart or when the
    application comes to import what is missing: second lists kept by hand broke within days in a project
    that was studied, on a package that was missing, then on a version that had drifted.

    Offered are machine-learning frameworks, and whatever takes at least 10 MB and 5 % of the installed
    packages, by the census of the baseline's image. Picked are those that the application and its tests
    start without: frameworks that nothing imports at the start, other packages when their import stands in
    a function, under an `if` or in a `try`. Builds that deploy stay as they are.

    hadolint and BuildKit's checks look at one Dockerfile at a time and have no rule for it.
    """

    title = "Build a lighter image for tests and scans"
    risk = Risk.CHECK
    order = 80
    FIRES = (
        Example(
            title="requirements file",
            before=_DOCKERFILE,
            files=_FILES,
            builds=(_TESTED, _DEPLOYED),
            files_after={
                "Dockerfile.ci": """\
# Dockerfile for CI: requirements-ci.txt in place of requirements.txt.
# The rest is the same, to be kept so. Its images are tested and scanned, never deployed.

"""
                + _DOCKERFILE.replace("requirements.txt", "requirements-ci.txt"),
                "requirements-ci.txt": """\
# Generated from requirements.txt for CI. Change that file, not this one; then run
#     python3 ci/check_requirements_ci.py --write requirements-ci.txt
# Without --write it checks, by these settings:
#   production: requirements.txt
#   left out: torch
#   modules left out: torch
#   starts at: app/main.py
#   dockerfile: Dockerfile.ci Dockerfile ceeea04522ac6074
fastapi==0.121.2
uvicorn[standard]==0.38.0
""",
                ".github/workflows/ci.yml": _WORKFLOW.replace(
                    "      - run: docker build -t app:test",
                    """\
      - name: Check that requirements-ci.txt follows production
        run: python3 ci/check_requirements_ci.py requirements-ci.txt
      - run: docker build -f Dockerfile.ci -t app:test""",
                ),
            },
        ),
        Example(
            title="extras of a project",
            before="""\
FROM python:3.12-slim
WORKDIR /srv
COPY . .
RUN pip install --no-cache-dir ".[ml]" \\
    && rm -rf /tmp/*
CMD ["uvicorn", "app.main:app"]
""",
            files={**_FILES, "pyproject.toml": _PYPROJECT},
            builds=(_TESTED,),
            files_after={
                "Dockerfile.ci": """\
# Dockerfile for CI: requirements-ci.txt in place of pyproject.toml[ml].
# The rest is the same, to be kept so. Its images are tested and scanned, never deployed.

FROM python:3.12-slim
WORKDIR /srv
COPY . .
RUN pip install --no-cache-dir -r requirements-ci.txt \\
    && pip install --no-cache-dir --no-deps ".[ml]" \\
    && rm -rf /tmp/*
CMD ["uvicorn", "app.main:app"]
""",
                "requirements-ci.txt": """\
# Generated from pyproject.toml[ml] for CI. Change that file, not this one; then run
#     python3 ci/check_requirements_ci.py --write requirements-ci.txt
# Without --write it checks, by these settings:
#   production: pyproject.toml[ml]
#   left out: torch
#   modules left out: torch
#   starts at: app/main.py
#   dockerfile: Dockerfile.ci Dockerfile 933dc02b6dd3fed6
fastapi==0.121.2
pillow==12.0.0
""",
            },
        ),
        Example(
            title="ignored and constrained lists",
            before=_DOCKERFILE.replace("requirements.txt .", "requirements.txt constraints.txt ./"),
            files={
                **_FILES,
                ".dockerignore": ".git\nrequirements-*.txt\n",
                "requirements.txt": "-c constraints.txt\nfastapi\ntorch\n",
                "constraints.txt": "fastapi==0.121.2\ntorch==2.9.1\n",
            },
            builds=(_TESTED,),
            files_after={".dockerignore": ".git\nrequirements-*.txt\n!requirements-ci.txt\n"},
        ),
    )
    SILENT = (
        Example(
            title="nothing known to be heavy",
            before=_DOCKERFILE,
            builds=(_TESTED,),
            files=_FILES | {"requirements.txt": "fastapi==0.121.2\n"},
        ),
        Example(title="built for deployment only", before=_DOCKERFILE, builds=(_DEPLOYED,), files=_FILES),
        Example(
            title="a variant exists",
            before=_DOCKERFILE,
            builds=(_TESTED,),
            files=_FILES | {"Dockerfile.ci": _DOCKERFILE},
        ),
        Example(
            title="imported at the start",
            before=_DOCKERFILE,
            builds=(_TESTED,),
            files=_FILES | {"app/model.py": "import torch\n"},
        ),
        Example(
            title="requirements of Poetry",
            before="FROM python:3.12-slim\nCOPY . .\nRUN pip install .\n",
            builds=(_TESTED,),
            files=_FILES | {"pyproject.toml": "[tool.poetry]\nname = 'app'\n"},
        ),
        Example(
            title="no Python",
            before="FROM debian:bookworm-slim\nRUN apt-get update\n",
            builds=(_TESTED,),
            files=_FILES,
        ),
    )

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """A phase with the new Dockerfile, the list, its check, and the workflows that use them."""
        try:
            return self._phase(Situation.of(view), picks.get(CHOICE, frozenset()))
        except Drifted as reason:
            return replace(self.declined(str(reason)), wrong=True)
        except (NoVariant, NotDerivable, RequirementsError) as reason:
            return self.declined(str(reason))

    def _phase(self, here: Situation, wished: frozenset[str]) -> Phase:
        view, requirements = here.view, here.requirements
        picked = here.picked(wished)
        dropped = requirements.dropped(picked)
        script = script_path(view.paths)
        modules = here.modules(picked)
        origin, variant = view.target.dockerfile, ci_variant.variant_path(view.target.dockerfile)
        made_from = (variant, origin, fingerprint(view.files[origin]))
        wanted = Settings("", (), modules, here.starts, made_from)
        lists = ci_variant.new_lists(view, here.production, script, wanted, dropped)
        if not lists:
            raise NoVariant(
                f"the Dockerfile itself names {', '.join(dropped)}: a list of its own can be checked"
            )
        derived = derive(view, {key: path for key, (path, _) in lists.items()}, dropped, modules)
        paths = [path for path, _ in lists.values()]
        names = " and ".join(posixpath.basename(path) for path in paths)
        title = f"Check that {names} follows production"
        builds = ci_variant.redirect(view, variant, title, f"python3 {script} {' '.join(paths)}")
        if not builds.done:
            raise NoVariant(
                "; ".join(f"{each.path}:{each.line} is left as it is: {why}" for each, why in builds.refused)
            )
        edits = [
            FileEdit(variant, None, derived.text),
            *(FileEdit(path, view.files.get(path), text) for path, text in lists.values()),
            FileEdit(script, view.files.get(script), script_text(script)),
            *ci_variant.ignore_edits(view, variant, paths),
            *builds.edits(view),
        ]
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(here, picked, _Files(variant, paths, script, derived.dropped), builds),
            edits=tuple(edit for edit in edits if edit.changes),
            evidence=tuple(_evidence(here, dropped, builds.done)),
            risk=self.risk,
            predicted=Prediction(0, _because(here, picked)),
            choices=(here.choice(picked),),
            costs=_costs(here, picked, builds),
        )


@dataclass(frozen=True, slots=True)
class _Files:
    variant: str
    lists: list[str]
    script: str
    dropped: tuple[str, ...]
    """Commands that the variant leaves out."""


def _why(here: Situation, picked: frozenset[str], files: _Files, builds: Redirections) -> str:
    dockerfile = here.view.target.dockerfile
    run = f"python3 {files.script} {' '.join(files.lists)}"
    paragraphs = [
        f"{_places(builds.done)} the image that is deployed, only to test or scan it. {_heavy(here, picked)}",
        f"{files.variant} is {dockerfile} with {' and '.join(files.lists)}, generated from production's list with"
        f" its pins. {files.script} generates it again (--write), and fails when it drifts from production, when"
        f" {dockerfile} changes and {files.variant} does not, or when the application comes to import what is left"
        " out.",
        f"The check runs in {builds.step.path}, before the build on line {builds.step.line}."
        if builds.step
        else f"No workflow could take the check: run `{run}` before building.",
        *(f"Not run in {files.variant}, as it needs what is left out: {line}" for line in files.dropped),
        *(f"{each.path}:{each.line} is left as it is: {why}." for each, why in builds.refused),
    ]
    stay = [each for each in here.view.builds_of(dockerfile) if each.purpose not in ci_variant.CONSUMERS]
    if stay:
        where = ", ".join(f"{each.path}:{each.line}{_purpose(each)}" for each in stay)
        paragraphs.append(f"Still built from {dockerfile}: {where}.")
    return "\n\n".join(paragraphs)


def _purpose(build: BuildReference) -> str:
    return "" if build.purpose is Purpose.UNKNOWN else f" ({build.purpose.value})"


def _places(builds: list[BuildReference]) -> str:
    where = ", ".join(f"{each.path}:{each.line}" for each in builds)
    return f"{where} {'builds' if len(builds) == 1 else 'build'}"


def _heavy(here: Situation, picked: frozenset[str]) -> str:
    names = ", ".join(each.name for each in here.requirements.candidates(picked) if each.name in picked)
    saved = here.saved_bytes(picked)
    if saved is None:
        return f"The application starts without {names}, which are known to be heavy."
    total = here.requirements.packages.total_bytes
    return f"Of {size(total)} of Python packages, {size(saved)} are {names} and what only they need."


def _because(here: Situation, picked: frozenset[str]) -> str:
    saved = here.saved_bytes(picked)
    smaller = f" The CI image is about {size(saved)} smaller, by the census." if saved is not None else ""
    return f"The image that is deployed does not change.{smaller}"


def _costs(here: Situation, picked: frozenset[str], builds: Redirections) -> str:
    scanned = any(each.purpose is Purpose.SCAN for each in builds.done)
    texts = ["What is left out is not tested in CI any more" + (", nor scanned there." if scanned else ".")]
    texts += [
        f"{each.always.path}:{each.always.line} imports {each.always.module}: it will not start."
        for each in here.requirements.candidates(picked)
        if each.name in picked and each.always
    ]
    if not here.requirements.is_measured:
        texts.append("Sizes, and what else needs these packages, are known once the baseline was built.")
    return " ".join(texts)


def _evidence(here: Situation, dropped: tuple[str, ...], builds: list[BuildReference]) -> Iterator[Evidence]:
    for build in builds:
        yield here.view.evidence(build.path, build.line)
    for each in here.production.requirements:
        if each.name in dropped:
            yield here.view.evidence(each.path, each.line)
