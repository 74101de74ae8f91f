"""Build a lighter image where it is only tested or scanned."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from phasewise.model.ci import variant as ci_variant
from phasewise.model.ci import variant_report as report
from phasewise.model.ci.check_requirements_ci import fingerprint
from phasewise.model.ci.generated import generated
from phasewise.model.ci.light_dockerfile import NotDerivable
from phasewise.model.ci.light_requirements import Settings, script_path, script_text, signed
from phasewise.model.ci.situation import CHOICE, Situation
from phasewise.model.ci.variant import Drifted, NoVariant
from phasewise.model.ci.variant_report import Made
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.requirements import RequirementsError
from phasewise.model.repo import BuildReference, Purpose, RepoView
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

    It is production's Dockerfile with another list of requirements, without the steps that only strip
    symbols: nobody keeps these images. The list is generated from
    production's, with its exact pins, and a check in CI fails when the two drift apart or when the
    application comes to import what is missing: second lists kept by hand broke within days in a project
    that was studied, on a package that was missing, then on a version that had drifted.

    Offered are machine-learning frameworks, and whatever takes at least 10 MB and 5 % of the installed
    packages, by the census of the baseline's image. Picked are those that the application and its tests
    start without: frameworks that nothing imports at the start, other packages when their import stands in
    a function, under an `if` or in a `try`. Builds that deploy stay as they are.

    Compilers, headers and git are left out of stages that no container runs when the census shows that every
    package of the light list comes built: a wheel tagged manylinux or musllinux, or one without compiled
    files. A wheel tagged linux_x86_64 was compiled in the build, as PyPI takes none of those; then they stay,
    and so they do where any command of the stage may compile something. Of a builder that was measured they
    were 21 of 65 seconds. When a package loses its wheel some day, CI fails as it builds, and Dockerfile.ci
    must install the tools again.

    The list records what Dockerfile.ci was made from: when production's changes later, refresh_ci_variant brings
    it up.

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
#   dockerfile as made: f024d4a854448ebb
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
#   dockerfile as made: 8239cbbd4d228b2c
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
        by_key = {key: path for key, (path, _) in lists.items()}
        paths = [path for path, _ in lists.values()]
        names = " and ".join(posixpath.basename(path) for path in paths)
        title = f"Check that {names} follows production"
        light = generated(
            view, variant, by_key, _edits(view, lists), dropped, modules, requirements.gone(picked)
        )
        builds = ci_variant.redirect(view, variant, title, f"python3 {script} {' '.join(paths)}")
        if not builds.done:
            raise NoVariant(
                "; ".join(f"{each.path}:{each.line} is left as it is: {why}" for each, why in builds.refused)
            )
        edits = [
            FileEdit(variant, None, light.text),
            *(replace(edit, after=signed(edit.after or "", light.text)) for edit in _edits(view, lists)),
            FileEdit(script, view.files.get(script), script_text(script)),
            *ci_variant.ignore_edits(view, variant, paths),
            *builds.edits(view),
        ]
        return Phase(
            id=self.id,
            title=self.title,
            why=report.why(here, picked, Made(variant, paths, script, light.dropped, light.tools), builds),
            edits=tuple(edit for edit in edits if edit.changes),
            evidence=tuple(report.evidence(here, dropped, light.tools.gone, builds.done)),
            risk=self.risk,
            predicted=Prediction(0, report.because(here, picked)),
            choices=(here.choice(picked),),
            costs=report.costs(here, picked, builds),
        )


def _edits(view: RepoView, lists: Mapping[str, tuple[str, str]]) -> Iterator[FileEdit]:
    for path, text in lists.values():
        yield FileEdit(path, view.files.get(path), text)
