"""What is inside an image: bytes by layer, package and kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field


class Built(StrEnum):
    """Where the compiled files of an installed distribution were made."""

    PURE = "pure"
    """It has none."""
    ELSEWHERE = "elsewhere"
    """Its wheel came built: tagged manylinux or musllinux, for machines that its maker does not know."""
    HERE = "here"
    """Tagged linux_x86_64 and the like, which PyPI refuses: compiled where it was installed."""
    UNKNOWN = ""


class Layer(Struct, frozen=True):
    """One layer of an image as the engine's history reports it, oldest first."""

    created_by: str
    size_bytes: int


class Distribution(Struct, frozen=True):
    """One installed Python distribution; bytes are those of the files in its RECORD."""

    name: str
    """Normalised as in PEP 503."""
    version: str
    location: str
    """The directory that holds the distribution, `/opt/venv/lib/python3.12/site-packages`."""
    size_bytes: int
    imports: tuple[str, ...] = ()
    """Its top-level importable names."""
    requires: tuple[str, ...] = ()
    """Normalised names of what it requires in this environment."""
    legacy_bytecode_bytes: int = 0
    """Of `size_bytes`: `.pyc` beside its source."""
    data: tuple[str, ...] = ()
    """Where it has files beside its location and its commands, `/usr/local/share/jupyter`; manual pages,
    headers and documents left out."""
    built: Built = Built.UNKNOWN
    origin: str = ""
    """`vcs`, `folder` or `archive`, as direct_url.json says (PEP 610); empty for a package index."""


class Script(Struct, frozen=True):
    """One Python script in a `bin` folder."""

    path: str
    shebang: str
    """What follows `#!`: `/opt/venv/bin/python`."""
    distribution: str = ""
    """Normalised name of the distribution whose RECORD lists it; empty when none does."""


class Census(Struct, frozen=True):
    """The content of one image, unpacked bytes throughout.

    Source: a walk of the final file system plus the engine's history of the layers. `bytecode_bytes`,
    `test_bytes` and the like are keyed by the directory they were found under (`/usr/local`, `/app`,
    `/opt/venv/lib/python3.12/site-packages`, ...), so that a rule can take just what it touches.
    """

    image_bytes: int
    layers: tuple[Layer, ...]
    file_bytes: int
    """Bytes of the files that the final image shows; the rest of `image_bytes` is hidden by later layers."""
    distributions: tuple[Distribution, ...] = ()
    apt_packages: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the files of each Debian package that are there."""
    apt_needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The installed packages that each Debian package depends on or recommends, where it has any."""
    apt_automatic: tuple[str, ...] = ()
    """Those that apt installed only because others needed them."""
    bytecode_bytes: Mapping[str, int] = field(default_factory=dict)
    """`__pycache__/*.pyc`."""
    legacy_bytecode_bytes: Mapping[str, int] = field(default_factory=dict)
    """`.pyc` beside its source, which Python ignores while the source exists."""
    test_bytes: Mapping[str, int] = field(default_factory=dict)
    """Tests of packages, without their bytecode."""
    test_bytecode_bytes: Mapping[str, int] = field(default_factory=dict)
    """Of `bytecode_bytes`: what lies in tests of packages."""
    test_legacy_bytecode_bytes: Mapping[str, int] = field(default_factory=dict)
    """Of `legacy_bytecode_bytes`: what lies in tests of packages."""
    header_bytes: Mapping[str, int] = field(default_factory=dict)
    static_library_bytes: Mapping[str, int] = field(default_factory=dict)
    strippable_bytes: Mapping[str, int] = field(default_factory=dict)
    """Debug and symbol sections of the ELF files that strip can shrink without harm (not `*.libs/`)."""
    users: Mapping[str, int] = field(default_factory=dict)
    """uid by name, from /etc/passwd."""
    duplicated_bytes: int = 0
    """Bytes written again in a later layer or deleted there: `image_bytes - file_bytes`, never negative."""
    scripts: tuple[Script, ...] = ()
    """The Python scripts beside the environments' interpreters, console scripts among them."""
    library_packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Debian packages whose shared libraries are loaded by files that no Debian package owns, with who
    loads them: normalised names of distributions, `python` for the interpreter itself, or paths."""
    misaligned: tuple[str, ...] = ()
    """ELF files that the dynamic loader refuses, because something rewrote them badly."""
    note: str = ""
    """Why parts are missing; empty for a full census."""

    def distribution(self, name: str) -> Distribution | None:
        """The installed distribution with that normalised name, or None."""
        return next((d for d in self.distributions if d.name == name), None)

    def parts(self, kind: str, *prefixes: str) -> dict[str, int]:
        """`{"test /opt/venv": 1000}`: what `test_bytes` (`kind` before `_bytes`) has under any of `prefixes`."""
        table: Mapping[str, int] = getattr(self, f"{kind}_bytes")
        return {
            f"{kind} {directory}": size for directory, size in table.items() if _is_under(directory, prefixes)
        }

    @staticmethod
    def under(by_directory: Mapping[str, int], *prefixes: str) -> int:
        """The bytes of `by_directory` found under any of the absolute `prefixes`."""
        return sum(size for directory, size in by_directory.items() if _is_under(directory, prefixes))


def _is_under(directory: str, prefixes: tuple[str, ...]) -> bool:
    wanted = (prefix.rstrip("/") for prefix in prefixes)
    return any(directory == prefix or directory.startswith(f"{prefix}/") for prefix in wanted)
