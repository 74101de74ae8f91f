"""What an image is built for, told from names and from what else happens around the build."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from phasewise.model.repo import Purpose

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SCANNERS = {"trivy", "grype", "snyk", "clair", "anchore", "syft", "dockle", "scout"}
_NAMES = (
    (
        Purpose.SCAN,
        _SCANNERS | {"scan", "scans", "scanning", "scanner", "vulnerability", "vulnerabilities", "security"},
    ),
    (
        Purpose.DEPLOY,
        {"deploy", "deployment", "publish", "release", "push", "delivery", "production", "prod"},
    ),
    (
        Purpose.TEST,
        {"test", "tests", "testing", "ci", "lint", "check", "checks", "e2e", "integration", "pytest"},
    ),
    (Purpose.DEVELOPMENT, {"dev", "develop", "development", "devcontainer", "override", "local", "debug"}),
)
_TEST_RUNNERS = {"pytest", "tox", "nox", "unittest", "py.test"}
_SCANNER_ACTIONS = re.compile(r"trivy|grype|snyk|anchore|dockle|docker/scout", re.IGNORECASE)


def by_names(names: Iterable[str]) -> Purpose:
    """The purpose that the first telling name gives; the nearest name comes first."""
    for name in names:
        words = {word.lower() for word in _WORD.findall(name)}
        for purpose, telling in _NAMES:
            if words & telling:
                return purpose
    return Purpose.UNKNOWN


def is_scanner(action: str) -> bool:
    """Whether a workflow's `uses:` runs a vulnerability scanner."""
    return bool(_SCANNER_ACTIONS.search(action))


def scans(argv: Sequence[str]) -> bool:
    """Whether a command scans an image."""
    return bool(argv) and (argv[0].rpartition("/")[2] in _SCANNERS or tuple(argv[:2]) == ("docker", "scout"))


def runs_tests(argv: Sequence[str]) -> bool:
    """Whether a command runs a test suite, in a container or beside it."""
    words = [word.rpartition("/")[2] for argument in argv for word in argument.split()]
    if words[:1] and words[0] in ("pip", "pip3", "uv", "poetry") and "install" in words:
        return False
    return bool(_TEST_RUNNERS & set(words)) or words[:2] in (
        ["make", "test"],
        ["npm", "test"],
        ["just", "test"],
    )
