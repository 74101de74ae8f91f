"""A second target beside an existing one: the same stages but for some edits, and all that comes before shared."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.syntax.scopes import mount_sources
from phasewise.model.text import Edit, Span, apply_edits

_START = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK"})
"""What stays with the rest of its stage: an ENTRYPOINT resets a CMD of the same stage only."""
_FROM_FIELD = re.compile(r"(?<![\w-])from=(\"?)([^,\"\s]+)(\"?)")


class NoTwin(ValueError):
    """The target cannot have a second one beside it; the message says why."""


def with_twin(dockerfile: Dockerfile, target: Stage, edits: Collection[Edit], name: str, comment: str) -> str:
    """The Dockerfile with the stage `name` in front of `target`: what target is, with `edits` made.

    Stages that `edits` touch, and those that are made from them, are doubled from the first instruction on that
    differs; what stands before it becomes a stage that both share. The instructions of `target` and of all
    that it needs stay as they are, so that the builder makes the same image of it.

    Raises:
        NoTwin: a stage is named by its number, or the names that are needed are taken.
    """
    doubled = _doubled(dockerfile, target, edits)
    if any(instruction.keyword == "ONBUILD" for stage in doubled for instruction in stage.instructions):
        raise NoTwin("it has ONBUILD, which a shared stage would run")
    numbered = next((i for i in dockerfile.instructions if any(map(str.isdecimal, _sources(i)))), None)
    if numbered:
        raise NoTwin(
            f"line {numbered.line} names a stage by its number, and one more stage would change that"
        )
    taken = {stage.name.lower() for stage in dockerfile.stages if stage.name}
    twins = {
        stage.index: name if stage == target else f"{name}-{stage.name or stage.index}" for stage in doubled
    }
    wanted = [*twins.values(), *(_shared_name(stage) for stage in doubled)]
    if clash := next((each for each in wanted if each.lower() in taken), ""):
        raise NoTwin(f"there is a stage {clash} already")
    changes = [change for stage in doubled for change in _changes(dockerfile, stage, edits, twins, comment)]
    return apply_edits(dockerfile.text, changes)


def _doubled(dockerfile: Dockerfile, target: Stage, edits: Collection[Edit]) -> list[Stage]:
    needed = dockerfile.needed_by(target)
    found: list[Stage] = []
    for stage in (each for each in dockerfile.stages if each.index in needed):
        span = Span(stage.instructions[0].span.start, stage.instructions[-1].span.end)
        touched = any(span.covers(Span(edit.span.start, edit.span.start)) for edit in edits)
        if touched or any(stage in dockerfile.dependents(other) for other in found):
            found.append(stage)
    if target not in found:
        raise NoTwin("nothing that it is made from would differ")
    return found


def _changes(
    dockerfile: Dockerfile, stage: Stage, edits: Collection[Edit], twins: dict[int, str], comment: str
) -> Iterator[Edit]:
    """The twin of `stage` in front of it, or in the middle where the two share what comes first."""
    first = _first_that_differs(dockerfile, stage, edits, twins)
    lines = f"# {comment}\n" if stage.index == max(twins) else ""
    if first is not None and stage.instructions.index(first) > 1:
        yield from _divided(
            dockerfile, stage, first, lines, _tail(dockerfile, stage, first, edits, twins), twins
        )
        return
    base = stage.base if stage.base_stage is None else twins.get(stage.base_stage, stage.base)
    platform = f"--platform={stage.platform} " if stage.platform else ""
    tail = _tail(dockerfile, stage, stage.instructions[1], edits, twins) if stage.instructions[1:] else "\n"
    lines += f"FROM {platform}{base} AS {twins[stage.index]}\n{_air(dockerfile, stage)}"
    yield _insertion(dockerfile, dockerfile.lines(stage.instructions[0]).start, lines, tail)


def _divided(
    dockerfile: Dockerfile, stage: Stage, first: Instruction, lines: str, tail: str, twins: dict[int, str]
) -> Iterator[Edit]:
    """What comes before `first` as a stage of its own, from which the twin and the stage go on."""
    start, shared, air = stage.instructions[0], _shared_name(stage), _air(dockerfile, stage)
    place = dockerfile.lines(first).start
    stands_apart = dockerfile.text[:place].endswith(("\n\n", "\n\r\n"))
    lines = f"{'' if stands_apart else chr(10)}{lines}FROM {shared} AS {twins[stage.index]}\n{air}"
    again = f"FROM {shared}{f' AS {stage.name}' if stage.name else ''}\n{air}"
    yield _insertion(dockerfile, place, lines, tail, again)
    words = dockerfile.words(start)
    if len(words) == 3:
        yield Edit(words[2].span, shared)
    else:
        yield Edit(Span(words[0].span.end, words[0].span.end), f" AS {shared}")


def _insertion(dockerfile: Dockerfile, place: int, lines: str, tail: str, behind: str = "") -> Edit:
    """`tail` is the file's own text; the line ends of the rest become the file's."""
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    return Edit(Span(place, place), lines.replace("\n", newline) + tail + behind.replace("\n", newline))


def _air(dockerfile: Dockerfile, stage: Stage) -> str:
    """A blank line behind FROM, where this stage has one."""
    behind = dockerfile.lines(stage.instructions[0]).end
    return "\n" if dockerfile.text.startswith(("\n", "\r\n"), behind) else ""


def _first_that_differs(
    dockerfile: Dockerfile, stage: Stage, edits: Collection[Edit], twins: dict[int, str]
) -> Instruction | None:
    """The first instruction that the twin does not share; None where it shares none at all."""
    names = {(dockerfile.stages[index].name or "").lower() for index in twins}
    if stage.base_stage in twins:
        return None
    for instruction in stage.instructions[1:]:
        whole = dockerfile.lines(instruction)
        edited = any(whole.start <= edit.span.start < whole.end for edit in edits)
        made_from = names.intersection(each.lower() for each in _sources(instruction))
        if edited or made_from or instruction.keyword in _START:
            return instruction
    return None


def _tail(
    dockerfile: Dockerfile, stage: Stage, begin: Instruction, edits: Collection[Edit], twins: dict[int, str]
) -> str:
    """The lines from `begin` to the end of the stage with the edits made and the twins' names in them."""
    start, end = dockerfile.lines(begin).start, dockerfile.lines(stage.instructions[-1]).end
    mine = [edit for edit in edits if start <= edit.span.start < end]
    for instruction in stage.instructions[stage.instructions.index(begin) :]:
        mine += _renamed(dockerfile, instruction, twins)
    shifted = [Edit(Span(e.span.start - start, min(e.span.end, end) - start), e.replacement) for e in mine]
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    return apply_edits(dockerfile.text[start:end], shifted).rstrip() + newline * 2


def _renamed(dockerfile: Dockerfile, instruction: Instruction, twins: dict[int, str]) -> Iterator[Edit]:
    names = {
        name.lower(): twin
        for index, twin in twins.items()
        if (name := dockerfile.stages[index].name) is not None
    }
    for flag in instruction.flags:
        written = flag.span.of(dockerfile.text)
        if flag.name == "from" and flag.value.lower() in names:
            yield Edit(flag.span, f"--from={names[flag.value.lower()]}")
        elif flag.name == "mount":
            new = _FROM_FIELD.sub(lambda m: f"from={m[1]}{names.get(m[2].lower(), m[2])}{m[3]}", written)
            if new != written:
                yield Edit(flag.span, new)


def _sources(instruction: Instruction) -> Sequence[str]:
    """The stages or images that an instruction takes files from, as written."""
    if instruction.keyword == "RUN":
        return mount_sources(instruction)
    return [value for value in (instruction.flag("from"),) if value]


def _shared_name(stage: Stage) -> str:
    return f"{stage.name or 'final'}-base"
