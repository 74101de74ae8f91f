"""Which environment of a target can be pruned, of what, and where the step goes."""

from __future__ import annotations

import re

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.pruning.own_python import expanded, has_own_pip, has_own_python, runs
from phasewise.model.pruning.parts import Parts
from phasewise.model.pruning.program import is_prune_step, prune_step
from phasewise.model.pruning.still_needed import (
    builds_later,
    calls_pip,
    has_compiler,
    imported_tests,
)
from phasewise.model.python.environments import EnvironmentCopy, Install, environment_copies, installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script

_PATH = re.compile(r"/[\w./+-]+")
_MORE_THAN_TESTS = re.compile(r"\.(a|h|hpp)\b|\binclude\b")
_PRUNES = re.compile(r"\btests?\b.*(\brm\b|-delete\b|rmtree)|(\brm\b|-delete\b|rmtree).*\btests?\b", re.S)


class NotPrunable(Exception):
    """There is nothing to prune, or not for certain; the message is a clause."""


class Prunable(Struct, frozen=True):
    """An environment that is filled in one stage and copied into another."""

    copy: EnvironmentCopy
    install: Install
    """The last that fills it: the step goes behind it."""
    parts: Parts
    python: str

    @property
    def path(self) -> str:
        """The environment's directory."""
        return self.install.environment

    @property
    def step(self) -> str:
        """The lines of the step."""
        return prune_step(self.python, self.path, self.parts)


def prunable(view: RepoView) -> Prunable:
    """The first environment that the target copies.

    Raises:
        NotPrunable: there is none, or what may go is not known.
    """
    dockerfile = view.dockerfile
    copies = environment_copies(dockerfile, view.stage)
    if not copies:
        raise NotPrunable(
            "no stage installs packages that a later one copies; in the final stage a later step saves "
            "nothing (split_base_builder makes such a stage)"
        )
    copy = copies[0]
    steps = runs(dockerfile, copy.source)
    if any(is_prune_step(dockerfile.executed(run)) for run in steps):
        raise NotPrunable("the stage that is copied from was pruned by RECORD already")
    install = _last_install(view, copy)
    pruning = [run for run in steps if _prunes(dockerfile, run, copy.path)]
    parts = _parts(view, copy, install, tests=not pruning)
    if not parts or any(_MORE_THAN_TESTS.search(dockerfile.executed(run)) for run in pruning):
        raise NotPrunable(f"the stage that is copied from prunes {copy.path} already")
    own = has_own_python(dockerfile, copy.source, install.environment)
    return Prunable(copy, install, parts, f"{install.environment}/bin/python" if own else "python3")


def _last_install(view: RepoView, copy: EnvironmentCopy) -> Install:
    found = [
        each
        for each in installs(view.dockerfile, copy.source)
        if not each.project_only and f"{copy.path}/".startswith(f"{each.environment}/")
    ]
    if not found or not _PATH.fullmatch(found[-1].environment) or view.dockerfile.escape != "\\":
        raise NotPrunable(f"what {copy.path} is installed by is not known")
    if use := imported_tests(view):
        raise NotPrunable(f"{use.path}:{use.line} imports tests of a package: {use.text.strip()}")
    if found[-1].instruction.stage != copy.source.index:
        raise NotPrunable("the packages are installed in a stage that other stages build on")
    return found[-1]


def _parts(view: RepoView, copy: EnvironmentCopy, install: Install, tests: bool) -> Parts:
    by_venv = has_own_pip(view.dockerfile, copy.source, install.environment)
    return Parts(
        tests=tests,
        headers=not has_compiler(view) and not builds_later(view, copy, install),
        installers=by_venv and not calls_pip(view, copy, install),
    )


def _prunes(dockerfile: Dockerfile, run: Instruction, path: str) -> bool:
    """Whether a RUN removes tests somewhere under `path`."""
    if not _PRUNES.search(dockerfile.executed(run)):
        return False
    script = Script.of(dockerfile, run)
    words = [word for command in (script.commands if script else ()) for word in command.argv]
    return any(path in word or "-packages" in word for word in expanded(dockerfile, run, words))
