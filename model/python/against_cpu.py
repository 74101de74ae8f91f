"""What speaks against PyTorch's CPU builds: they are there already, or a GPU is used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from phasewise.model.phase import Evidence
from phasewise.model.python.gpu import gpu_use
from phasewise.model.python.requirements import Listed
from phasewise.model.python.torch_builds import for_gpus_only
from phasewise.model.repo import RepoView

_CPU = re.compile(r"/whl/cpu\b|==[\w.]+\+cpu\b|torch-backend[= ]cpu\b|UV_TORCH_BACKEND=cpu")


class Against(NamedTuple):
    """A reason, and where it stands."""

    reason: str
    evidence: tuple[Evidence, ...] = ()


def against_cpu_builds(view: RepoView, asked: Iterable[Listed], paths: Iterable[str]) -> Against | None:
    """What speaks against CPU builds in what the target installs, asked for in the files `paths`."""
    census = view.census
    installed = census.distribution("torch") if census else None
    cuda = installed is not None and not installed.version.endswith("+cpu")
    for path in paths:
        lines = view.files[path].split("\n")
        number = next((n for n, line in enumerate(lines, 1) if _CPU.search(line)), 0)
        if number and census and installed and cuda and for_gpus_only(census):
            reason = (
                f"{path}:{number} names the CPU builds, and yet the image has torch {installed.version} with "
                "CUDA: something installs it before, or again"
            )
            return Against(reason, (view.evidence(path, number),))
        if number:
            return Against(f"{path}:{number} names the CPU builds already")
    if installed and not cuda:
        return Against(f"torch {installed.version} is a CPU build already")
    if use := gpu_use(view, asked):
        where = f"{use[0]}:{use[1]}"
        return Against(f"{where} uses a GPU, which CPU builds cannot", (view.evidence(*use),))
    return None
