"""Gives scattered packages one virtual environment, at one path in every stage that has them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phasewise.model.dockerfile import Dockerfile, Instruction, Stage, Word
from phasewise.model.edits import drop_instruction, drop_pair, insert_after
from phasewise.model.paths import within
from phasewise.model.python.environments import SYSTEM, Install, environment_copies, installs
from phasewise.model.repo import RepoView
from phasewise.model.stages.carried import free_path
from phasewise.model.stages.copies import rewritten
from phasewise.model.stages.one_place_obstacles import check_one_place, names_place
from phasewise.model.stages.roles import only_tools
from phasewise.model.stages.scattered import Elsewhere, Receiver, Scattered
from phasewise.model.text import Edit, Span, apply_edits

_DROPPED = re.compile(r"--user|--system|(--prefix|--target)=.*")
_DROPPED_WITH_VALUE = frozenset({"--prefix", "--target", "-t"})
_STARTS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")


def in_one_place(view: RepoView, found: Scattered) -> tuple[str, str]:
    """The Dockerfile with the packages in one environment, and the environment's path.

    Raises:
        Elsewhere: something keeps them from being moved.
    """
    dockerfile = view.dockerfile
    path = free_path(dockerfile)
    if path is None or dockerfile.escape != "\\":
        raise Elsewhere("no path for an environment is free")
    check_one_place(view, found)
    after = apply_edits(dockerfile.text, _edits(dockerfile, found, path))
    _check_result(Dockerfile.parse(after, dockerfile.path), found, path)
    return after, path


def _edits(dockerfile: Dockerfile, found: Scattered, path: str) -> list[Edit]:
    edits: list[Edit] = []
    on_path: set[int] = set()
    places = {found.place, *(receiver.target for receiver in found.receivers)} - {SYSTEM}
    lineages = {
        stage.index
        for each in (found.source, *(r.stage for r in found.receivers))
        for stage in dockerfile.lineage(each)
    }
    for instruction in dockerfile.instructions:
        if instruction.keyword == "ENV" and instruction.stage in lineages:
            new, puts = _variables(dockerfile, instruction, places, path)
            edits += new
            on_path |= {instruction.span.start} if puts else set()
    edits += _in_builder(dockerfile, found, path, on_path)
    for receiver in found.receivers:
        edits += _in_receiver(dockerfile, receiver, path, on_path)
    # Two stages that copy may stand on one base: what that needs is done once.
    return list(dict.fromkeys(edits))


def _in_builder(dockerfile: Dockerfile, found: Scattered, path: str, on_path: set[int]) -> Iterator[Edit]:
    first = _first_step(dockerfile, found)
    known = any(i.span.start in on_path and i.span < first.span for i in dockerfile.making(found.source))
    told = any(each.command.name == "uv" for each in found.installs)
    variables = [f"VIRTUAL_ENV={path}"] * told + [f'PATH="{path}/bin:$PATH"'] * (not known)
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    lines = [f"RUN python -m venv {path}", *([f"ENV {' '.join(variables)}"] if variables else [])]
    start = dockerfile.lines(first).start
    if start != first.span.start:
        lines.append("")  # Not to be read as what the comment of the next step speaks of.
    yield Edit(Span(start, start), "".join(f"{line}{newline}" for line in lines))
    dropped = [span for install in found.installs for span in _option_spans(dockerfile.text, install)]
    yield from (Edit(span, "") for span in dropped)
    pattern = re.compile(rf"(?<![\w.]){re.escape(found.place)}(?![\w.-])")
    for instruction in found.source.instructions:
        if instruction.keyword == "RUN":
            for match in pattern.finditer(dockerfile.text, instruction.span.start, instruction.span.end):
                span = Span(match.start(), match.end())
                if not any(each.start < span.end and span.start < each.end for each in dropped):
                    yield Edit(span, path)


def _first_step(dockerfile: Dockerfile, found: Scattered) -> Instruction:
    """What the environment is made in front of: the first install into it, upgrades of pip, manifests before them."""
    runs = {each.instruction for each in found.installs}
    runs |= {
        each.instruction
        for each in installs(dockerfile, found.source)
        if only_tools(each.command)
        and not {"uv", "poetry", "pipenv", "pdm"}
        & {re.split(r"[=<>~!\[]", word)[0] for word in each.command.argv}
        and each.instruction.stage == found.source.index
    }
    index = min(found.source.instructions.index(run) for run in runs)
    while found.source.instructions[index - 1].keyword in ("COPY", "ADD"):
        index -= 1
    return found.source.instructions[index]


def _option_spans(text: str, install: Install) -> Iterator[Span]:
    words = install.command.words
    following: tuple[Word | None, ...] = (*words[1:], None)
    for word, value in zip(words, following, strict=True):
        if _DROPPED.fullmatch(word.value):
            yield _with_blanks(text, word.span)
        elif word.value in _DROPPED_WITH_VALUE and value:
            yield _with_blanks(text, Span(word.span.start, value.span.end))


def _with_blanks(text: str, span: Span) -> Span:
    """The words with the blanks in front of them, and with the continuation when they have a line of their own."""
    before = re.search(r"([ \t]*\\[ \t]*\r?\n)?[ \t]*$", text[: span.start])
    own_line = before is not None and before[1] is not None
    ends = re.match(r"[ \t]*(\\[ \t]*)?(\r?\n|$)", text[span.end :]) is not None
    if own_line and ends and before is not None:
        return Span(before.start(), span.end)
    start = span.start
    while start and text[start - 1] in " \t":
        start -= 1
    if own_line:
        end = span.end + len(text[span.end :]) - len(text[span.end :].lstrip(" \t"))
        return Span(span.start, end)
    return Span(start, span.end)


def _variables(
    dockerfile: Dockerfile, instruction: Instruction, places: set[str], path: str
) -> tuple[list[Edit], bool]:
    """The edits of an ENV that names the old places, and whether the environment is on PATH then."""
    edits: list[Edit] = []
    puts = False
    words = dockerfile.words(instruction)
    for word in words:
        name, _, value = word.value.partition("=")
        raw = word.span.of(dockerfile.text)
        if name == "PATH" and (old := [p for p in places if f"{p}/bin" in value.split(":")]):
            for place in old:
                raw = re.sub(rf"(?<![\w.]){re.escape(place)}/bin(?![\w.-])", f"{path}/bin", raw)
            edits.append(Edit(word.span, raw))
            puts = True
        elif name in ("PYTHONPATH", "PYTHONUSERBASE"):
            left = [part for part in value.split(":") if part and not any(within(part, p) for p in places)]
            if len(left) == len([part for part in value.split(":") if part]):
                continue
            if left and '"' not in raw and "'" not in raw:
                edits.append(Edit(word.span, f"{name}={':'.join(left)}"))
            else:
                edits.append(
                    drop_pair(words, word) if len(words) > 1 else drop_instruction(dockerfile, instruction)
                )
        elif any(names_place(word.value, place) for place in places):
            raise Elsewhere(f"line {instruction.line}: {name} names {' or '.join(sorted(places))}")
    return edits, puts


def _in_receiver(dockerfile: Dockerfile, receiver: Receiver, path: str, on_path: set[int]) -> Iterator[Edit]:
    first, *others = receiver.copies
    lineage = dockerfile.lineage(receiver.stage)
    known = any(i.span.start in on_path for stage in lineage for i in stage.instructions)
    yield Edit(first.span, rewritten(dockerfile, first, [path]))
    if not known:
        yield insert_after(dockerfile, others[-1] if others else first, f'ENV PATH="{path}/bin:$PATH"\n')
    yield from (drop_instruction(dockerfile, other) for other in others)
    if receiver.target == SYSTEM:
        return
    for stage in lineage:
        for instruction in stage.instructions:
            if instruction.keyword in _STARTS:
                text = instruction.span.of(dockerfile.text)
                new = re.sub(rf"(?<![\w.]){re.escape(receiver.target)}/bin/", f"{path}/bin/", text)
                if new != text:
                    yield Edit(instruction.span, new)


def _check_result(after: Dockerfile, found: Scattered, path: str) -> None:
    """Raises Elsewhere where the edits did not lead to one environment: something was read in another way."""
    source = after.stages[found.source.index]
    places = {each.environment for each in installs(after, source) if not only_tools(each.command)}
    if places != {path}:
        raise Elsewhere(f"the installs of stage {source.label} are not understood")
    for receiver in found.receivers:
        stage: Stage = after.stages[receiver.stage.index]
        if path not in {copy.path for copy in environment_copies(after, stage)}:
            raise Elsewhere(f"the copies of stage {stage.label} are not understood")
