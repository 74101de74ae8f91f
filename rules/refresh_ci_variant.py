"""Bring a generated Dockerfile for CI up to the production Dockerfile, which has changed since."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from phasewise.model.ci.check_requirements_ci import fingerprint
from phasewise.model.ci.light_requirements import signed
from phasewise.model.ci.refresh import Made, Refreshed, refreshed
from phasewise.model.ci.variant import Drifted, NoVariant
from phasewise.model.ci.variant_report import of_tools
from phasewise.model.phase import Declined, Phase, Prediction, Risk
from phasewise.model.repo import RepoView
from phasewise.model.wording import listed
from phasewise.rules.base import Example, Picks, Rule

_OLD = """\
FROM python:3.12-slim
WORKDIR /srv
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app/ app/
CMD ["uvicorn", "app.main:app"]
"""
_NEW = _OLD.replace("--no-cache-dir", "--no-cache-dir --no-compile")
_HEADER = """\
# Dockerfile for CI: requirements-ci.txt in place of requirements.txt.
# The rest is the same, to be kept so. Its images are tested and scanned, never deployed.

"""


def _light(production: str) -> str:
    return _HEADER + production.replace("requirements.txt", "requirements-ci.txt")


def _list(production: str, version: str) -> str:
    text = f"""\
# Generated from requirements.txt for CI. Change that file, not this one; then run
#     python3 ci/check_requirements_ci.py --write requirements-ci.txt
# Without --write it checks, by these settings:
#   production: requirements.txt
#   left out: torch
#   modules left out: torch
#   starts at: app/main.py
#   dockerfile: Dockerfile.ci Dockerfile {fingerprint(production)}
fastapi=={version}
"""
    return signed(text, _light(production))


_FILES = {
    "requirements.txt": "fastapi==0.121.2\ntorch==2.9.1\n",
    "app/main.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
    "Dockerfile.ci": _light(_OLD),
    "requirements-ci.txt": _list(_OLD, "0.121.2"),
}


class RefreshCiVariant(Rule):
    """Makes Dockerfile.ci anew when production's Dockerfile has changed since it was generated.

    The check in CI is red then, as it should be: what is tested is not what is deployed. The same packages are
    left out as before, which the first lines of requirements-ci.txt record; that list is generated again where
    it has drifted from production's. Workflows and the check stay as they are.

    The list also records the text of Dockerfile.ci as it was generated. When that was changed by hand, nothing
    is proposed, since it would be lost: the reason tells what to do. What counts is what is committed: phases
    that are only proposed change nothing in CI yet.

    hadolint and BuildKit's checks look at one Dockerfile at a time and have no rule for it.
    """

    title = "Bring the CI image up to production"
    risk = Risk.CHECK
    order = 82
    FIRES = (
        Example(
            title="another option in production's Dockerfile",
            before=_NEW,
            files=_FILES,
            files_after={"Dockerfile.ci": _light(_NEW), "requirements-ci.txt": _list(_NEW, "0.121.2")},
        ),
        Example(
            title="another version in production's list",
            before=_OLD,
            files=_FILES | {"requirements.txt": "fastapi==0.122.0\ntorch==2.9.1\n"},
            files_after={"requirements-ci.txt": _list(_OLD, "0.122.0")},
        ),
    )
    SILENT = (
        Example(_OLD, files=_FILES, title="up to date"),
        Example(f"# The service\n\n{_OLD}", files=_FILES, title="another comment in production's Dockerfile"),
        Example(
            _NEW,
            files=_FILES | {"Dockerfile.ci": f"{_light(_OLD)}USER nobody\n"},
            title="changed by hand since it was generated",
        ),
        Example(_OLD, files={"requirements.txt": "fastapi\n"}, title="no variant"),
        Example(_NEW, files=_FILES | {"requirements-ci.txt": "fastapi\n"}, title="kept by hand"),
    )

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        try:
            made = Made.of(view)
            found = refreshed(made)
        except Drifted as reason:
            return replace(self.declined(str(reason)), wrong=True)
        except NoVariant as reason:
            return self.declined(str(reason))
        lines = made.view.files[made.main].split("\n")
        setting = next(number for number, line in enumerate(lines, 1) if line.startswith("#   dockerfile:"))
        return Phase(
            id=self.id,
            title=self.title,
            why="\n\n".join(_why(made, found)),
            edits=found.edits,
            evidence=(view.evidence(made.main, setting),),
            risk=self.risk,
            predicted=Prediction(0, "The image that is deployed does not change."),
        )


def _why(made: Made, found: Refreshed) -> Iterator[str]:
    if not made.follows:
        yield (
            f"{made.origin} has changed since {made.variant} was made from it, and its check in CI fails: what is"
            f" tested is not what is deployed. {made.variant} is made anew, without {listed(made.left_out)} as before."
        )
    lists = [edit.path for edit in found.edits if edit.path != made.variant]
    drifted = [path for path in lists if path != made.main or made.follows]
    if drifted:
        yield f"{listed(drifted)}: generated again, as production's list has changed."
    if found.tools:
        yield from of_tools(made.variant, found.tools)
    yield from (f"Not run in {made.variant}, as it needs what is left out: {line}" for line in found.dropped)
