"""Takes tests, headers, static libraries and installers out of the environment, in the stage that is copied from."""

from __future__ import annotations

from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.edits import insert_paragraph
from phasewise.model.phase import Declined, FileEdit, Phase, Risk
from phasewise.model.pruning.parts import Parts
from phasewise.model.pruning.program import prune_step
from phasewise.model.pruning.prunable import NotPrunable, Prunable, prunable
from phasewise.model.pruning.saving import predicted
from phasewise.model.python.large import NOT_MEASURED, WORTHWHILE_BYTES, may_hold_large_packages
from phasewise.model.repo import RepoView
from phasewise.model.text import apply_edits
from phasewise.rules.base import Example, Picks, Rule


class PruneSitePackages(Rule):
    """Packages ship their own tests, and some ship headers, static libraries and an installer, which no
    running application reads: of numpy, pandas, scipy, statsmodels and sympy the tests alone are 60 MB.

    What goes is read from each distribution's RECORD, so that no glob can take `pip_audit` with `pip`, and
    no `-name tests -o -name test` anything that happens to have that name: a folder goes when it is called
    `tests` or `test`, lies inside a package, holds `test_*.py`, and no module outside of tests imports it.
    `astropy.tests`, `numpy._core.tests` and `django.test` are imported and stay; so do all
    `*/testing`. Headers stay in packages that compile while they run (torch, triton, cupy, cffi), and everywhere when
    the image has a compiler or a later step builds something. setuptools stays where something requires it
    or imports `pkg_resources`, pip where a container or a later step calls it. dist-info always stays:
    without it `importlib.metadata.version()` raises and entry points vanish. It runs in the stage that is
    copied from, since a later layer can only hide files.

    hadolint and BuildKit's checks look at instructions only and have no such rule. The step's program makes the
    Dockerfile longer, of which tally/max-lines may speak.
    """

    title = "Prune what no package needs at run time"
    risk = Risk.CHECK
    order = 40

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        try:
            found = prunable(view)
        except NotPrunable as reason:
            return self.declined(str(reason))
        dockerfile, saving = view.dockerfile, predicted(view, found)
        if saving.image_bytes is None and not may_hold_large_packages(view):
            return self.declined(NOT_MEASURED)
        if saving.image_bytes is not None and -saving.image_bytes < WORTHWHILE_BYTES:
            return self.declined(f"less than 1 MB under {found.copy.path} would go")
        install, copy = found.install.instruction, found.copy.instruction
        after = apply_edits(dockerfile.text, [insert_paragraph(dockerfile, install, found.step)])
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(found),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(
                view.evidence(dockerfile.path, line) for line in dict.fromkeys((install.line, copy.line))
            ),
            risk=self.risk,
            predicted=saving,
            costs=f"Nobody can `pip install` into {found.path} in a running container any more."
            if found.parts.installers
            else "",
        )

    FIRES = (
        Example(
            title="tests, headers and installers of an environment",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n",
            after="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\n\n"
            + prune_step(
                "/opt/venv/bin/python", "/opt/venv", Parts(tests=True, headers=True, installers=True)
            )
            + "\nFROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="pip and headers stay: a later step builds the application with them",
            before="FROM python:3.12-slim AS builder\nENV PATH=/opt/venv/bin:$PATH\n"
            "RUN python -m venv /opt/venv\nRUN pip install numpy\n\nCOPY . .\nRUN pip install --no-deps .\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
            after="FROM python:3.12-slim AS builder\nENV PATH=/opt/venv/bin:$PATH\n"
            "RUN python -m venv /opt/venv\nRUN pip install numpy\n\n"
            + prune_step(
                "/opt/venv/bin/python", "/opt/venv", Parts(tests=True, headers=False, installers=False)
            )
            + "\nCOPY . .\nRUN pip install --no-deps .\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="an image with a compiler keeps headers and static libraries",
            before="FROM python:3.12-slim AS builder\nRUN pip install --prefix=/install numpy\n"
            "FROM python:3.12\nCOPY --from=builder /install /usr/local\n",
            after="FROM python:3.12-slim AS builder\nRUN pip install --prefix=/install numpy\n\n"
            + prune_step("python3", "/install", Parts(tests=True, headers=False, installers=False))
            + "\nFROM python:3.12\nCOPY --from=builder /install /usr/local\n",
        ),
    )
    SILENT = (
        Example("FROM python:3.12-slim\nRUN pip install numpy\n", title="one stage"),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy && \\\n"
            "    find /opt/venv -type d \\( -name tests -o -name include \\) -prune -exec rm -rf {} +\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
            title="pruned already, where it counts",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install idna\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n"
            "RUN /opt/venv/bin/pip --version\n",
            census=Census(
                image_bytes=100_000_000,
                layers=(Layer("COPY", 1_000_000),),
                file_bytes=100_000_000,
                distributions=(
                    Distribution("idna", "3.10", "/opt/venv/lib/python3.12/site-packages", 300_000),
                ),
                test_bytes={"/opt/venv/lib/python3.12/site-packages": 20_000},
            ),
            title="hardly anything to prune",
        ),
        Example("FROM alpine\nCOPY . .\n", title="no packages"),
    )


def _why(found: Prunable) -> str:
    tests = "Folders called test or tests go only when they hold test_*.py and no module imports them. "
    if not found.parts.tests:
        tests = "Tests are pruned there already. "
    return (
        f"Stage {found.copy.source.label} installs packages under {found.path}, and all of it is copied. "
        f"{found.parts.named().capitalize()} in it are never read by what runs. They are taken out there, before the "
        "copy: in a later layer they would be hidden, and stay in the image.\n\n"
        f"{tests}No dist-info is touched, so versions and entry points are found as before."
    )
