"""Requirement files without the frozen lines of what only CUDA builds of PyTorch need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from phasewise.model.phase import FileEdit
from phasewise.model.python.requirement_lines import without_lines
from phasewise.model.python.requirements import Listed
from phasewise.model.python.torch_builds import TorchUnclear, for_gpus_only, is_for_gpus
from phasewise.model.repo import RepoView


def lists_without_cuda(view: RepoView, asked: Iterable[Listed]) -> Iterator[FileEdit]:
    """The requirement files without frozen lines of what only CUDA builds need.

    Raises:
        TorchUnclear: whether they belong to torch is not known.
    """
    frozen = [line for line in asked if is_for_gpus(line.name)]
    if frozen and view.census is None:
        first = frozen[0]
        raise TorchUnclear(
            f"{first.path}:{first.line} names {first.name}: whether only torch needs it is known once the baseline "
            "was built"
        )
    gone = for_gpus_only(view.census) if frozen and view.census else frozenset()
    for path in dict.fromkeys(line.path for line in frozen if line.name in gone):
        numbers = {line.line for line in frozen if line.name in gone and line.path == path}
        if path.endswith(".toml") or path == view.target.dockerfile:
            raise TorchUnclear(
                f"{path}:{min(numbers)} names a package that only CUDA builds need: take it out first"
            )
        yield FileEdit(path, view.files[path], without_lines(view.files[path], numbers))
