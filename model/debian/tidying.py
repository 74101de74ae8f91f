"""What one step of tidying apt's installs does, and which RUNs may install something that cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from msgspec import Struct

from phasewise.model.debian.apt import AptCommand
from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.repo import RepoView
from phasewise.model.script_calls import FROM_STDIN, called_file
from phasewise.model.shell import Command, Script
from phasewise.model.stages.runtime_use import named_scripts
from phasewise.model.text import Edit

_TOOLS = frozenset({"apt", "apt-get", "aptitude"})
_APT = re.compile(r"(?<![\w/.-])(apt|apt-get|aptitude|mk-build-deps)(?![\w/.-])")
_READ_IN = re.compile(r"(^|/)(activate|env|os-release|\.?bashrc|\.?profile)$")
_KNOWN_INSTALLERS = re.compile(
    r"astral\.sh|install\.python-poetry\.org|sh\.rustup\.rs|deb\.nodesource\.com|bun\.sh|deno\.land"
)
"""Scripts from the network that use no lists of apt, or fetch them themselves."""


class Tidied(Struct, frozen=True):
    """What a step changes, what it says of that, and what it leaves alone."""

    edits: tuple[Edit, ...] = ()
    told: str = ""
    """Sentences, where there are edits."""
    kept: tuple[str, ...] = ()
    """Clauses: what stays as it is, and why."""


def needed_scripts(view: RepoView, dockerfile: Dockerfile) -> list[Script]:
    """The RUNs in shell or heredoc form of the stages that the target needs."""
    needed = dockerfile.needed_by(dockerfile.stage(view.target.stage))
    found = (Script.of(dockerfile, i) for i in dockerfile.instructions if i.stage in needed)
    return [script for script in found if script and script.tree is not None]


def without_recommended(apt: AptCommand) -> bool:
    """Whether the install leaves out what packages only recommend."""
    return any(word == "--no-install-recommends" or "Install-Recommends" in word for word in apt.command.argv)


def runs_behind(dockerfile: Dockerfile, writer: Instruction) -> Iterator[Instruction]:
    """The RUNs that see what `writer` left in the file system: behind it, in its stage or one on top of it."""
    for stage in dockerfile.built_on([writer.stage]):
        for instruction in stage.instructions:
            if instruction.keyword == "RUN" and instruction.span > writer.span:
                yield instruction


def installs_unseen(view: RepoView, dockerfile: Dockerfile, instruction: Instruction) -> bool:
    """Whether a RUN may have apt install something that its commands do not show: through xargs, a script."""
    script = Script.of(dockerfile, instruction)
    if script is None:
        return _APT.search(dockerfile.text, instruction.span.start, instruction.span.end) is not None
    named = named_scripts(view, script.source.value or instruction.value)
    if any(_APT.search(view.files[path]) for path in named):
        return True
    known = {path.rpartition("/")[2] for path in named}
    return any(_hides(command, instruction, known) for command in script.commands)


def _hides(command: Command, instruction: Instruction, known: Collection[str]) -> bool:
    """Whether something else than apt may call it; the files in `known` do not."""
    if command.name in _TOOLS or command.argv[:2] == ("sudo", "apt-get"):
        return False
    if any(_APT.search(word) for word in command.argv):
        return True
    called = called_file(command)
    if called == FROM_STDIN:
        return not _KNOWN_INSTALLERS.search(instruction.value)
    return called is not None and not _READ_IN.search(called) and called.rpartition("/")[2] not in known
