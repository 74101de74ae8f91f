"""Views of repositories whose baseline was measured: every package that they ask for came as a wheel, built."""

from __future__ import annotations

from msgspec.structs import replace
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from phasewise.model.census import Built, Census, Distribution
from phasewise.model.ci.variant import production_of
from phasewise.model.repo import RepoView
from phasewise.model.stages.common_ground import python_version

MB = 1_000_000
KNOWN = {"numpy": "2.3.5", "scikit-learn": "1.7.2", "scipy": "1.16.3"}
NEEDS = {"lightgbm": ("numpy", "scipy"), "scikit-learn": ("joblib", "scipy")}


def measured(view: RepoView, *built_here: str) -> RepoView:
    """The view with a census in which everything that is asked for came built, but for `built_here`."""
    asked = {each.name: each.parsed for each in production_of(view).requirements}
    site = f"/opt/venv/lib/python{python_version(view.dockerfile, view.stage)}/site-packages"
    found = tuple(
        Distribution(
            name,
            KNOWN.get(name) or _version(asked.get(name)),
            site,
            50 * MB if name in NEEDS else MB,
            (name.replace("-", "_").replace("scikit_learn", "sklearn"),),
            NEEDS.get(name, ()),
            built=Built.HERE if name in built_here else Built.ELSEWHERE,
        )
        for name in sorted({*asked, "joblib", "scipy", *built_here})
    )
    return replace(
        view,
        census=Census(
            1_000 * MB,
            (),
            1_000 * MB,
            distributions=found,
            strippable_bytes={site: 20 * MB},
            test_bytes={site: 20 * MB},
        ),
    )


def _version(asked: Requirement | None) -> str:
    """A version that is allowed."""
    specifier = asked.specifier if asked else SpecifierSet()
    named = [each.version.removesuffix(".*") for each in specifier]
    return next(version for version in (*named, "1") if specifier.contains(version))
