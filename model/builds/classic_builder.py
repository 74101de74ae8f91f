"""Whether something builds the Dockerfile without BuildKit, which alone knows `RUN --mount`."""

from __future__ import annotations

import re

from phasewise.model.repo import RepoView

_SWITCHED_OFF = re.compile(r"\bDOCKER_BUILDKIT\b[\"']?\s*[=:]\s*[\"']?0\b")
_OLD_SYNTAX = re.compile(r"docker/dockerfile:1\.[01](?!\d|-experimental|\.\d+-experimental)")
_BUILD_FILES = re.compile(r"(^|/)(Makefile|Jenkinsfile|\.env|\.gitlab-ci\.ya?ml|[\w.-]*build[\w.-]*\.sh)$")


def without_mounts(view: RepoView) -> str | None:
    """Why `RUN --mount` cannot be relied on: where BuildKit is switched off, or a frontend that is too old."""
    syntax = view.dockerfile.directives.get("syntax", "")
    if _OLD_SYNTAX.search(syntax):
        return f"# syntax={syntax} does not know RUN --mount: 1.2 does"
    places = {build.path for build in view.builds} | {*view.matching(_BUILD_FILES)}
    for path in sorted(places):
        if match := _SWITCHED_OFF.search(view.files.get(path, "")):
            line = view.files[path].count("\n", 0, match.start()) + 1
            return f"{path}:{line} switches BuildKit off, without which RUN --mount does not build"
    return None
