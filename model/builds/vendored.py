"""Which files belong to somebody else's code that was copied in."""

from __future__ import annotations

import re

_VENDORED = re.compile(r"(?:^|/)(?:node_modules|vendor|third_party|site-packages|\.venv|venv)/")


def is_vendored(path: str) -> bool:
    """Whether a path belongs to somebody else's code that was copied in."""
    return bool(_VENDORED.search(path))
