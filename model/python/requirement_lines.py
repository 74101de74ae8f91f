"""Takes requirements out of a requirements file; every other line stays as it is."""

from __future__ import annotations

import re
from collections.abc import Collection


def without_lines(text: str, numbers: Collection[int]) -> str:
    """`text` without the requirements that begin on the 1-based lines `numbers`.

    Their continuations go with them, and the indented comments below that say why each was there.
    """
    kept: list[str] = []
    gone = continued = False
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not continued:
            gone = number in numbers or (gone and re.match(r"[ \t]+#", line) is not None)
        continued = re.search(r"\\\r?\n?\Z", line) is not None
        if not gone:
            kept.append(line)
    return "".join(kept)
