"""Whether an image is built for several kinds of machines, of which a measured image is one."""

from __future__ import annotations

import re

from phasewise.model.builds.compose import is_compose
from phasewise.model.builds.gitlab import is_gitlab
from phasewise.model.builds.script_files import is_script
from phasewise.model.builds.workflow import is_workflow
from phasewise.model.phase import Evidence
from phasewise.model.repo import RepoView

_PLATFORM = re.compile(r"\blinux/(arm|386|ppc64le|s390x|riscv64|loong64|mips)")
_MACHINE = re.compile(
    rf"{_PLATFORM.pattern}|(?<![a-z])(arm64|aarch64|armv7|armhf|ppc64le|s390x|riscv64)\b|-arm\b"
)
_ASKS = re.compile(r"\b(TARGET|BUILD)(ARCH|PLATFORM|VARIANT)\b")
_BAKE = re.compile(r"\.hcl$|(^|/)docker-bake[^/]*\.json$")
_WORKFLOWS = re.compile(r"\.ya?ml$|\.(sh|bash|mk)$|(^|/)(GNUm|M|m)akefile$|(^|/)\.?[Jj]ustfile$")


def other_machine(view: RepoView) -> Evidence | None:
    """The first line that has the view's Dockerfile built for something else than amd64, or lets it ask for what.

    A file that builds it counts when it names another machine at all; one of which it is not known what it builds
    (a bake file, a workflow that others call), when it names a platform as builds do.
    """
    own = view.target.dockerfile
    building = {build.path for build in view.builds_of(own)}
    others = {
        path
        for path in view.matching(_WORKFLOWS)
        if is_workflow(path) or is_compose(path) or is_gitlab(path) or is_script(path)
    }
    unknown = others.union(view.matching(_BAKE)) - {build.path for build in view.builds}
    for path, pattern in (
        (own, _ASKS),
        *((path, _MACHINE) for path in sorted(building)),
        *((path, _PLATFORM) for path in sorted(unknown)),
    ):
        text = view.files.get(path, "")
        if match := pattern.search(text):
            return view.evidence(path, text.count("\n", 0, match.start()) + 1)
    return None
