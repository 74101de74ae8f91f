"""PyTorch's packages: where their CPU builds are, what brings them in, in which version, and what only GPUs need."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct
from packaging.version import InvalidVersion, Version

from phasewise.model.census import Census
from phasewise.model.ci.check_requirements_ci import package
from phasewise.model.ci.heavy import NEEDS, Packages
from phasewise.model.python.installs import Install
from phasewise.model.python.requirements import Listed, listed
from phasewise.model.repo import RepoView

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of CPU builds. Source: its "Start locally" page, package pip, platform CPU."""

FAMILY = ("torch", "torchvision", "torchaudio")
"""What must come from the same index: a CUDA build of one does not load with a CPU build of another."""

_WITH_TORCH: Mapping[str, tuple[str, ...]] = {
    "bitsandbytes": ("torch",),
    "deepspeed": ("torch",),
    "easyocr": ("torch", "torchvision"),
    "fastai": ("torch", "torchvision"),
    "flair": ("torch",),
    "openai-whisper": ("torch",),
    "stanza": ("torch",),
    "timm": ("torch", "torchvision"),
    "torchmetrics": ("torch",),
    "ultralytics": ("torch", "torchvision"),
}
"""Further packages that need it, where no census tells; from the metadata on the package index, 2025."""

_FOR_GPUS = re.compile(r"(nvidia|cuda)-.*|(pytorch-)?triton")


class TorchUnclear(ValueError):
    """Which build of PyTorch is installed, or how, cannot be told; the message says why."""


class Bringing(Struct, frozen=True):
    """An install command that brings one of PyTorch's packages in, by name or through another package."""

    install: Install
    asked: tuple[Listed, ...]
    """What the command and its files ask for."""
    brings: frozenset[str]
    """Of the family."""

    def named(self, name: str) -> tuple[Listed, ...]:
        """The requirements for `name` itself."""
        return tuple(each for each in self.asked if each.name == name)


def bringing(view: RepoView, installs: Collection[Install]) -> tuple[Bringing, ...]:
    """Those of `installs` that bring PyTorch in, in their order.

    Raises:
        RequirementsError: a list cannot be read.
    """
    found = []
    for install in installs:
        asked = tuple(_asked(view, install))
        brings = reached(asked, view.census).intersection(FAMILY)
        if brings:
            found.append(Bringing(install, asked, brings))
    return tuple(found)


def reached(asked: Collection[Listed], census: Census | None) -> frozenset[str]:
    """What is installed for the requirements: by the census, else as far as it is known without."""
    names = {each.name for each in asked}
    for each in asked:
        if each.parsed and "torch" in each.parsed.extras:
            names.add("torch")
    if census and census.distributions:
        return frozenset(names) | Packages.of(names, census).reached(names)
    found: set[str] = set()
    todo = sorted(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [*NEEDS.get(name, ()), *_WITH_TORCH.get(name, ())]
    return frozenset(found)


def versions(asked: Collection[Listed], census: Census | None) -> dict[str, str]:
    """The exact version of each of PyTorch's packages that is installed for `asked`, without a local label.

    A pin counts first, then what the baseline's image holds.

    Raises:
        TorchUnclear: a version is not known, or a requirement names an address.
    """
    names = set(reached(asked, census))
    if census and census.distributions:
        names |= {name for name in FAMILY if census.distribution(name)}
    return {name: _version(name, asked, census) for name in FAMILY if name in names}


def for_gpus_only(census: Census) -> frozenset[str]:
    """The distributions that are installed for PyTorch's CUDA builds and for nothing else."""
    packages = Packages.of((), census)
    roots = [each.name for each in census.distributions if each.name not in FAMILY]
    others = [name for name in roots if not _FOR_GPUS.fullmatch(name)]
    kept: set[str] = set()
    todo = others
    while todo:
        name = todo.pop()
        if name not in kept:
            kept.add(name)
            todo += [need for need in packages.needs.get(name, ()) if need not in FAMILY]
    return frozenset(name for name in packages.reached(FAMILY) - kept if _FOR_GPUS.fullmatch(name))


def is_for_gpus(name: str) -> bool:
    """Whether it has the name of a package that CUDA builds bring along."""
    return bool(_FOR_GPUS.fullmatch(name))


def _asked(view: RepoView, install: Install) -> Iterator[Listed]:
    for source in install.sources:
        yield from listed(source.key, view.files.__getitem__)
    for word in install.named:
        if name := package(word.value):
            line = view.dockerfile.line_of(word.span.start)
            yield Listed(name, word.value, view.target.dockerfile, line)


def _version(name: str, asked: Collection[Listed], census: Census | None) -> str:
    lines = [line for line in asked if line.name == name]
    for line in lines:
        if line.parsed is None or line.parsed.url:
            raise TorchUnclear(f"{line.path}:{line.line} names the address of a wheel of {name}")
    pins = {pin for line in lines if (pin := _pin(line))}
    if len(pins) == 1:
        return pins.pop()
    installed = census.distribution(name) if census else None
    if installed is None:
        raise TorchUnclear(
            f"no requirement pins {name} to one version, and which one is installed is known once the "
            "baseline was built"
        )
    return Version(installed.version).public


def _pin(line: Listed) -> str | None:
    for each in line.parsed.specifier if line.parsed else ():
        if each.operator in ("==", "===") and not each.version.endswith(".*"):
            try:
                return Version(each.version).public
            except InvalidVersion:
                return None
    return None
