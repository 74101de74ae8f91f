"""What of an environment is still needed behind its install: installers, headers, the tests of packages."""

from __future__ import annotations

import re

from phasewise.model.debian.build_tools import tool_commands
from phasewise.model.phase import Evidence
from phasewise.model.pruning.own_python import runs
from phasewise.model.python.environments import EnvironmentCopy, Install
from phasewise.model.python.imports import anywhere
from phasewise.model.repo import RepoView
from phasewise.model.stages.runtime_use import runtime_uses

_TESTS_IN_CODE = re.compile(r"^[ \t]*(?:from|import)[ \t]+(\w+)[\w.]*\.tests?\b", re.M)
_INSTALLER_MODULES = ("pip", "setuptools", "wheel", "pkg_resources", "distutils")
_PIP = re.compile(r"\bpip[\d.]*\b")
_BUILDS = re.compile(r"\b(pip[\d.]*|uv|poetry|pdm|setup\.py|build|cython(ize)?|make|cmake)\b")
_PIP_IN_CODE = re.compile(r"""['"]pip[\d.]*['"]""")
_REMOVES_PIP = re.compile(r"\buninstall\b[^&|;]*\bpip\b|-packages/[{\w,]*\bpip\b")
_REMOVAL = re.compile(r"\b(pip[\d.]*\s+uninstall|rm)\b[^&|;\n]*")
_COMPILERS = frozenset({"gcc", "g++", "cc", "c++", "clang", "make"})


def has_compiler(view: RepoView) -> bool:
    """Whether the target's image can compile: only images known to be slim are taken to have no compiler."""
    image = view.dockerfile.base_image(view.stage, as_written=True)
    slim = re.search(r"slim|alpine|distroless|debian|ubuntu", image) is not None
    return not slim or bool(_COMPILERS & tool_commands(view))


def calls_pip(view: RepoView, copy: EnvironmentCopy, install: Install) -> bool:
    """Whether a later step of a stage with this environment, a container or the application's code needs pip, or
    a step removes it."""
    if any(_PIP.search(text) for text in _later(view, copy, install)) or any(
        _REMOVES_PIP.search(view.dockerfile.executed(r)) for r in runs(view.dockerfile, copy.source)
    ):
        return True
    if runtime_uses(view, {"pip", "pip3"}):
        return True
    code = _code(view)
    return bool(anywhere(_INSTALLER_MODULES, code, lambda path: view.files[path])) or any(
        _PIP_IN_CODE.search(view.files[path]) for path in code
    )


def imported_tests(view: RepoView) -> Evidence | None:
    """The first place where the repository imports the tests of a package that is not its own."""
    own = {part for path in view.paths for part in path.removesuffix(".py").split("/")}
    for path in _code(view):
        for match in _TESTS_IN_CODE.finditer(view.files[path]):
            if match[1] not in own:
                return view.evidence(path, view.files[path].count("\n", 0, match.start(1)) + 1)
    return None


def builds_later(view: RepoView, copy: EnvironmentCopy, install: Install) -> bool:
    """Whether something may be compiled behind the install; removing an installer compiles nothing."""
    return any(_BUILDS.search(_REMOVAL.sub("", text)) for text in _later(view, copy, install))


def _later(view: RepoView, copy: EnvironmentCopy, install: Install) -> list[str]:
    """What is run behind the install, in stages that have the environment."""
    dockerfile = view.dockerfile
    holders = {copy.source.index, copy.instruction.stage}
    for stage in dockerfile.stages:
        copied = [dockerfile.source_stage(each) for each in stage.instructions]
        if stage.base_stage in holders or any(one and one.index == copy.source.index for one in copied):
            holders.add(stage.index)
    return [
        dockerfile.executed(each)
        for each in dockerfile.instructions
        if each.stage in holders
        and each.keyword == "RUN"
        and each.span.start > install.instruction.span.start
    ]


def _code(view: RepoView) -> list[str]:
    """The Python files of the build context, those that only build packages aside."""
    prefix = "" if view.target.context == "." else f"{view.target.context}/"
    return sorted(
        path
        for path in view.paths
        if path.endswith(".py")
        and path.startswith(prefix)
        and path.rpartition("/")[2] not in ("setup.py", "noxfile.py")
    )
