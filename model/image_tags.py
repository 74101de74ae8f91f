"""Names of base images: which tags mean the same version and flavour, and which of them is the more exact."""

from __future__ import annotations

import re

from msgspec import Struct

_REFERENCE = re.compile(
    r"(?P<name>[^\s:@]+(:\d+/[^\s:@]+)?)(:(?P<tag>[\w.-]+))?(@(?P<digest>sha256:[0-9a-f]+))?"
)
_VERSION = re.compile(r"\d+(\.\d+)*")
_SUITES = frozenset({"buster", "bullseye", "bookworm", "trixie", "forky", "focal", "jammy", "noble"})
_ALPINE = re.compile(r"alpine(\d+\.\d+)?")


class ImageName(Struct, frozen=True):
    """`python:3.11.10-slim-bookworm` in its parts."""

    written: str
    repository: str
    version: tuple[str, ...]
    """`('3', '11', '10')`; empty for a tag that does not begin with one."""
    flavour: tuple[str, ...]
    """`('slim',)`: what the tag says beside version and release."""
    suite: str
    """The release of the distribution: `bookworm`, `alpine3.20`; empty where the tag leaves it open."""
    digest: str

    @classmethod
    def of(cls, written: str) -> ImageName | None:
        """The parts of an image's name; None for one that is no name."""
        match = _REFERENCE.fullmatch(written)
        if match is None:
            return None
        head, *words = (match["tag"] or "").split("-")
        version = tuple(head.split(".")) if _VERSION.fullmatch(head) else ()
        rest = words if version else [word for word in (head, *words) if word]
        suite = ""
        flavour: list[str] = []
        for word in rest:
            alpine = _ALPINE.fullmatch(word)
            if word in _SUITES or (alpine and alpine[1]):
                suite = word
            flavour += ["alpine"] if alpine else [] if word in _SUITES else [word]
        return cls(written, match["name"], version, tuple(flavour), suite, match["digest"] or "")

    @property
    def label(self) -> str:
        """Repository and version: `python 3.11`."""
        return f"{self.repository.rpartition('/')[2]} {'.'.join(self.version[:2])}".strip()

    @property
    def is_exact(self) -> bool:
        """A digest, or a version to its last number together with a release."""
        return bool(self.digest) or (len(self.version) > 2 and bool(self.suite))

    def narrows(self, other: ImageName) -> bool:
        """Whether this is one of the images that `other` leaves open, and not `other` itself."""
        if self.written == other.written or other.digest or not self.version:
            return False
        if (self.repository, self.flavour) != (other.repository, other.flavour):
            return False
        if self.digest and self.written.partition("@")[0] == other.written:
            return True
        return self.version[: len(other.version)] == other.version and other.suite in ("", self.suite)
