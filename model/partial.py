"""Whether a part of an edit can stand alone: what is left out must not leave a file that nobody can read."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.builds.dockerfile_names import is_named_so, reads_like_one
from phasewise.model.builds.yaml_edit import YamlRefusal, compose
from phasewise.model.dockerfile import Dockerfile, DockerfileError, Instruction
from phasewise.model.phase import FileEdit
from phasewise.model.syntax.scopes import mount_sources


def problem(whole: FileEdit, part: FileEdit) -> str:
    """Why the file cannot stay as `part` leaves it, where `whole` was proposed, as a clause; '' for nothing seen.

    A Dockerfile must parse, keep every stage that both sides of `whole` have, and refer to none that only one
    of them has. A YAML file must parse.
    """
    if part.after is None:
        return ""
    if part.path.endswith((".yml", ".yaml")):
        return _yaml_problem(part)
    if is_named_so(part.path) or reads_like_one(part.after):
        return _dockerfile_problem(whole, part)
    return ""


def _yaml_problem(part: FileEdit) -> str:
    try:
        compose(part.after or "")
    except YamlRefusal as refusal:
        return f"{part.path} would be no YAML any more: {refusal}"
    return ""


def _dockerfile_problem(whole: FileEdit, part: FileEdit) -> str:
    try:
        dockerfile = Dockerfile.parse(part.after or "", part.path)
    except DockerfileError as error:
        return f"it would not parse: {error}"
    sides = [_stages(text, whole.path) for text in (whole.before, whole.after) if text is not None]
    left = _stages(part.after or "", whole.path)
    if missing := frozenset.intersection(*sides) - left:
        return f"{part.path} would have no stage {', '.join(sorted(missing))} any more"
    known = frozenset.union(*sides)
    for instruction in dockerfile.instructions:
        above = {stage.name.lower() for stage in dockerfile.stages[: instruction.stage or 0] if stage.name}
        for name in _referred(instruction):
            if name.lower() in known - above:
                return f"{part.path}:{instruction.line} would need the stage {name}, which is not above it"
    return ""


def _stages(text: str, path: str) -> frozenset[str]:
    """The names of the stages, in lower case as the builder compares them; none where it does not parse."""
    try:
        return frozenset(stage.name.lower() for stage in Dockerfile.parse(text, path).stages if stage.name)
    except DockerfileError:
        return frozenset()


def _referred(instruction: Instruction) -> Iterator[str]:
    """The names after FROM, `--from` and a mount's `from`, stages or images."""
    if instruction.keyword == "FROM":
        yield instruction.value.split()[0]
    if (source := instruction.flag("from")) is not None:
        yield source
    yield from mount_sources(instruction)
