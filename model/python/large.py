"""Whether an environment that no census has counted yet may hold large packages."""

from __future__ import annotations

import re
from functools import lru_cache

from phasewise.model.ci.heavy import FRAMEWORKS, NUMERIC
from phasewise.model.python.installs import installs
from phasewise.model.repo import RepoView

WORTHWHILE_BYTES = 1_000_000
"""What a phase must take out of an environment to be worth a step of the build."""
NOT_MEASURED = "no package in it is known to be large; what could go is known once the baseline was built"

_LARGE = re.compile(
    rf"(?<![\w.-])({'|'.join(sorted(re.sub('[-_.]', '[-_.]', name) for name in {*FRAMEWORKS, *NUMERIC}))})(?![\w-])",
    re.IGNORECASE,
)
_LISTS = re.compile(
    r"(^|/)([\w.-]*(requirements|constraints)[\w.-]*\.(txt|in)|requirements/[^/]+|pyproject\.toml|uv\.lock"
    r"|poetry\.lock|pdm\.lock|Pipfile(\.lock)?|setup\.(py|cfg)|environment\.ya?ml)$"
)


def may_hold_large_packages(view: RepoView) -> bool:
    """Whether a list or lock file, or the Dockerfile, names a package that is known to be large.

    Also when an install reads a list that the repository does not have. False says: only a measurement can tell.
    """
    if any(install.unknown for install in installs(view)):
        return True
    texts = [view.files.get(path, "") for path in view.matching(_LISTS)]
    return any(map(_names_one, [view.dockerfile.text, *texts]))


@lru_cache(maxsize=256)
def _names_one(text: str) -> bool:
    return any(_LARGE.search(line.partition("#")[0]) for line in text.splitlines())
