"""What keeps scattered packages from being given one virtual environment at another path."""

from __future__ import annotations

import re

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.python.environments import SYSTEM, installs
from phasewise.model.repo import RepoView
from phasewise.model.stages.carried import depends_on_system_paths
from phasewise.model.stages.common_ground import same_python
from phasewise.model.stages.roles import only_tools
from phasewise.model.stages.runtime_use import runtime_uses
from phasewise.model.stages.scattered import Elsewhere, Receiver, Scattered

_STARTS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")
_REFUSED = re.compile(
    r"--(no-build-isolation|root|platform|python-version|implementation|abi|python)(=.*)?|-p"
)
_VARIABLES = re.compile(
    r"(PIP_(USER|PREFIX|TARGET|ROOT|REQUIRE_VIRTUALENV|PYTHON)|UV_SYSTEM_PYTHON|UV_PYTHON)"
)
_HOME_WORDS = re.compile(r"(~|\$HOME|\$\{HOME\})/\.local")
_SPEAKING = re.compile(
    r"\.(sh|bash|py|ya?ml|toml|cfg|ini|conf|json|service|env)$|(^|/)(crontab|Procfile|Makefile|[\w-]*cron[\w-]*)$"
)


def names_place(text: str, place: str) -> bool:
    """Whether a text speaks of the directory or of something in it."""
    return re.search(rf"(?<![\w.]){re.escape(place)}(?![\w.-])", text) is not None


def check_one_place(view: RepoView, found: Scattered) -> None:
    """Raises Elsewhere for what would not work with an environment at another path."""
    dockerfile = view.dockerfile
    for receiver in found.receivers:
        if not same_python(dockerfile, found.source, receiver.stage):
            raise Elsewhere(
                f"stages {found.source.label} and {receiver.stage.label} do not start from the same Python"
            )
        _check_receiver(dockerfile, found, receiver)
    _check_installs(dockerfile, found)
    _check_heirs(dockerfile, found)
    copies = [copy for receiver in found.receivers for copy in receiver.copies]
    if depends_on_system_paths(view, copies):
        raise Elsewhere("something names Python's own directories, or starts the service without its PATH")
    runs = [i for i in dockerfile.instructions if i.keyword == "RUN"]
    if use := next(iter(runtime_uses(view, ("pip", "pip3"), runs).values()), None):
        raise Elsewhere(f"{use.place} calls pip in the container")
    places = {receiver.target for receiver in found.receivers} | {found.place}
    for place in sorted(places - {SYSTEM, "/usr"}):
        if named := _named_outside(view, place):
            raise Elsewhere(f"{named} names {place}")


def _check_installs(dockerfile: Dockerfile, found: Scattered) -> None:
    first = found.installs[0].instruction
    if not dockerfile.runs_as_root(first):
        raise Elsewhere(f"line {first.line} installs as somebody else than root")
    for install in installs(dockerfile, found.source):
        if only_tools(install.command) and install.environment == found.place:
            raise Elsewhere(f"line {install.instruction.line} installs tools beside the packages")
    for install in found.installs:
        words = install.command.argv
        line = dockerfile.line_of(install.command.span.start)
        refused = next((word for word in words if _REFUSED.fullmatch(word)), None)
        program = words[0].rpartition("/")[2]
        if refused:
            raise Elsewhere(f"line {line} installs with {refused}")
        if "/" in words[0] and not program.startswith("uv"):
            raise Elsewhere(f"line {line} calls {words[0]} by its path")
        named = {
            *dockerfile.variables(install.instruction),
            *(name for name, _ in install.command.assignments),
        }
        if variable := next((name for name in sorted(named) if _VARIABLES.fullmatch(name)), None):
            raise Elsewhere(f"line {line}: {variable} steers where packages go")
    for instruction in found.source.instructions:
        if instruction.keyword in ("COPY", "ADD", "WORKDIR") and _names(dockerfile, instruction, found.place):
            raise Elsewhere(f"line {instruction.line} puts other files into {found.place}")
        moved = found.option != "--target" and instruction.keyword in ("RUN", "ENV")
        own = instruction in {each.instruction for each in found.installs}
        if _HOME_WORDS.search(instruction.value) or (
            not moved and not own and _names(dockerfile, instruction, found.place)
        ):
            raise Elsewhere(f"line {instruction.line} names {found.place}")


def _check_receiver(dockerfile: Dockerfile, found: Scattered, receiver: Receiver) -> None:
    owners = {tuple((f.name, f.value) for f in copy.flags if f.name != "from") for copy in receiver.copies}
    if len(owners) > 1:
        raise Elsewhere(f"line {receiver.copies[1].line} copies for another owner")
    for instruction in dockerfile.making(receiver.stage):
        if instruction in receiver.copies or instruction.keyword == "ENV":
            continue
        if receiver.target != SYSTEM and _names(dockerfile, instruction, receiver.target):
            if instruction.keyword in _STARTS and found.option != "--target":
                continue
            raise Elsewhere(f"line {instruction.line} names {receiver.target}")
        if _HOME_WORDS.search(instruction.value):
            raise Elsewhere(f"line {instruction.line} names ~/.local")
    for install in installs(dockerfile, receiver.stage):
        late = (
            install.instruction.span > receiver.copies[-1].span
            and install.instruction.stage == receiver.stage.index
        )
        root = dockerfile.runs_as_root(install.instruction)
        if not only_tools(install.command) and not (late and root and install.environment == SYSTEM):
            raise Elsewhere(f"line {install.instruction.line} installs packages beside the copied ones")


def _check_heirs(dockerfile: Dockerfile, found: Scattered) -> None:
    """Raises Elsewhere for stages on top of the builder, which would have the environment too, and mounts."""
    for stage in dockerfile.stages:
        lineage = dockerfile.lineage(stage)[:-1]
        if found.source in lineage:
            raise Elsewhere(f"stage {stage.label} builds on {found.source.label}")
        heir = any(receiver.stage in lineage for receiver in found.receivers)
        if heir and any(i.instruction.stage == stage.index for i in installs(dockerfile, stage)):
            raise Elsewhere(f"stage {stage.label} installs packages on top")
        for instruction in stage.instructions:
            if any(found.place in mount for mount in instruction.flags_named("mount")):
                raise Elsewhere(f"line {instruction.line} mounts {found.place}")


def _named_outside(view: RepoView, place: str) -> str | None:
    """The place outside of Dockerfiles that names the directory."""
    pattern = re.compile(rf"(?<![\w./-]){re.escape(place)}(?![\w.-])")
    home = place.endswith("/.local")
    for path in view.matching(_SPEAKING):
        text = view.files.get(path, "")
        match = pattern.search(text) or (_HOME_WORDS.search(text) if home else None)
        if match:
            return f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
    return None


def _names(dockerfile: Dockerfile, instruction: Instruction, place: str) -> bool:
    """Whether an instruction speaks of the directory or of something in it."""
    texts = [dockerfile.executed(instruction)]
    if instruction.keyword in ("COPY", "ADD", "WORKDIR") and (words := dockerfile.words(instruction)):
        texts.append(
            f"{dockerfile.workdir(instruction)}/{dockerfile.expand(words[-1].value, instruction) or ''}"
        )
        texts.append(dockerfile.expand(words[-1].value, instruction) or "")
    return any(names_place(text, place) for text in texts)
