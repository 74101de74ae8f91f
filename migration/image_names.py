"""What our images are called: one family a repository, one name a target in it, one tag a commit. Pure."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from phasewise.model.repo import Target


def of_repository(root: Path) -> str:
    """How the names of all images of the repository at `root` begin: `phasewise/service-1a2b3c4d-`."""
    name = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-") or "repository"
    return f"phasewise/{name[:80]}-{_digest(str(root))}-"


def of_target(root: Path, target: Target) -> str:
    """The name of a target's images, without a tag."""
    return of_repository(root) + _digest(f"{target.dockerfile}\0{target.stage}")


def of_commit(root: Path, target: Target, commit: str) -> str:
    """The tag of one commit's image."""
    return f"{of_target(root, target)}:{commit[:12]}"


def current(root: Path, target: Target) -> str:
    """The tag that names the image of the commit that is checked out."""
    return f"{of_target(root, target)}:current"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
