"""What pruning an environment saves, by the census of the baseline's image."""

from __future__ import annotations

from collections.abc import Sequence

from phasewise.model.census import Census, Distribution
from phasewise.model.paths import within
from phasewise.model.phase import Prediction, part
from phasewise.model.pruning.prunable import Prunable
from phasewise.model.python.bytecode import compiles_beside_sources
from phasewise.model.python.installers import BROUGHT_ALONG
from phasewise.model.repo import RepoView
from phasewise.model.stages.measured_packages import base_pip, measured_folders


def predicted(view: RepoView, found: Prunable) -> Prediction:
    """The most that can go; legacy bytecode counts only while the build makes it."""
    census, parts = view.census, found.parts
    if census is None:
        return Prediction(None, "known once the baseline is built")
    folders = measured_folders(view, found.path)
    if not folders:
        return Prediction(None, f"where the baseline's image has the packages of {found.path} is not known")
    compiles = compiles_beside_sources(view.dockerfile, view.stage)
    kinds = ["test", "test_bytecode"] * parts.tests + ["test_legacy_bytecode"] * (parts.tests and compiles)
    kinds += ["static_library"] * parts.headers
    gone = {name: size for kind in kinds for name, size in census.parts(kind, *folders).items()}
    for each in _installers(census, found.path, folders) if parts.installers else ():
        legacy = 0 if compiles else each.legacy_bytecode_bytes
        gone[part("python", each.name)] = each.size_bytes - legacy
    counted = parts.named(with_headers=False)
    return Prediction.of(gone, f"at most: {counted} under {found.path}, less what packages import")


def _installers(census: Census, path: str, folders: Sequence[str]) -> list[Distribution]:
    """The installers of the environment that no package requires; the base image's pip for a new one's."""
    others = [each for each in census.distributions if each.name not in BROUGHT_ALONG]
    needed = {name for each in others if each.location in folders for name in each.requires}
    own = [each for each in census.distributions if within(each.location, path)]
    if not any(within(folder, path) for folder in folders):
        own = [pip] if (pip := base_pip(census)) else []
    return [each for each in own if each.name in BROUGHT_ALONG and each.name not in needed]
