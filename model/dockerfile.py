"""A Dockerfile as stages and instructions with source spans; parsing and printing is lossless."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache

from dockerfile_parse import DockerfileParser
from msgspec import Struct

from phasewise.model.syntax.arguments import JSON_FORMS, json_words, key_values, split_flags, split_words
from phasewise.model.syntax.instruction import (
    Comment,
    DockerfileError,
    Flag,
    Heredoc,
    Instruction,
    Stage,
    Word,
)
from phasewise.model.syntax.joined import Joined
from phasewise.model.syntax.masking import GAP, Block, Scan
from phasewise.model.syntax.scopes import EFFECTIVE, Scope, after, is_root, mount_sources
from phasewise.model.text import Span

__all__ = [
    "Comment",
    "Dockerfile",
    "DockerfileError",
    "Flag",
    "Heredoc",
    "Instruction",
    "Stage",
    "Word",
]

KEYWORDS = frozenset(
    {
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    }
)


class Dockerfile(Struct, frozen=True, dict=True):
    """A parsed Dockerfile. `text` is the input, unchanged; instructions are spans into it."""

    path: str
    text: str
    directives: Mapping[str, str]
    """Parser directives at the top: `syntax`, `escape`, `check`; lower-case names."""
    instructions: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    comments: tuple[Comment, ...] = ()
    """All comment lines outside instructions; parser directives are none."""

    @cached_property
    def _scopes(self) -> dict[int, Scope]:
        """By stage, once they are asked for."""
        return {}

    @classmethod
    def parse(cls, text: str, path: str = "Dockerfile") -> Dockerfile:
        """The Dockerfile in `text`; `path` is for messages. The same text gives the same object, for a while.

        Raises:
            DockerfileError: nothing can be built from it: no FROM, a heredoc that never ends, an unknown
                instruction, something else than ARG before FROM.
        """
        return _parsed(text, path)

    @property
    def escape(self) -> str:
        """The character that continues a line."""
        return self.directives.get("escape", "\\")

    def stage(self, name: str | None) -> Stage:
        """The stage with that name, in any case, or with that index as text; None is the last one.

        Raises:
            DockerfileError: there is none; the message lists those that exist.
        """
        if name is None:
            return self.stages[-1]
        found = _stage_named(self.stages, name)
        if found is None and name.isdecimal() and int(name) < len(self.stages):
            found = self.stages[int(name)]
        if found is None:
            known = ", ".join(stage.label for stage in self.stages)
            raise DockerfileError(self.path, 1, f"there is no stage {name}; it has: {known}")
        return found

    def lineage(self, stage: Stage) -> tuple[Stage, ...]:
        """The stages it inherits through FROM, the outermost base first, itself last."""
        chain = [stage]
        while (base := chain[0].base_stage) is not None:
            chain.insert(0, self.stages[base])
        return tuple(chain)

    def making(self, stage: Stage) -> tuple[Instruction, ...]:
        """The instructions that make the stage: those of the stages it inherits, then its own."""
        return tuple(each for ancestor in self.lineage(stage) for each in ancestor.instructions)

    def built_on(self, stages: Collection[int | None]) -> tuple[Stage, ...]:
        """Those of the given indices, and every stage that inherits one of them through FROM."""
        return tuple(
            stage for stage in self.stages if any(each.index in stages for each in self.lineage(stage))
        )

    def base_image(self, stage: Stage, as_written: bool = False) -> str:
        """The image that its lineage starts from, variables filled in; where one has no value, '' or as written."""
        first = self.lineage(stage)[0]
        return self.expand(first.base, first.instructions[0]) or (first.base if as_written else "")

    def dependents(self, stage: Stage) -> tuple[Stage, ...]:
        """The stages that are FROM it, or copy or mount from it, directly."""
        return tuple(other for other in self.stages if stage.index in self._needs(other))

    def needed_by(self, stage: Stage) -> frozenset[int]:
        """The indices of all stages that building it needs, itself included."""
        needed: set[int] = set()
        waiting = [stage.index]
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                waiting += self._needs(self.stages[index])
        return frozenset(needed)

    def source_stage(self, instruction: Instruction) -> Stage | None:
        """The earlier stage that a COPY's `--from` names; None for an image or a build context."""
        name = instruction.flag("from") if instruction.keyword in ("COPY", "ADD") else None
        return self._earlier(name, instruction) if name else None

    def variables(self, instruction: Instruction) -> dict[str, str]:
        """ARG and ENV in force when the instruction is reached, before it takes effect itself.

        Both come down from the stages that it inherits, ARG too (seen with Engine 26.1.5). Global ARGs count only
        where one of those declares them again. An ARG without a value is absent. An ENV that refers to
        something unknown keeps that reference as written: `PATH` is `/venv/bin:$PATH`.
        """
        return self._scope(instruction).variables

    def expand(self, word: str, instruction: Instruction) -> str | None:
        """`word` with quotes removed and variables filled in; None when one of them is unknown."""
        value, known = self._scope(instruction).expand(word)
        return value if known else None

    @cached_property
    def memory(self) -> dict[object, object]:
        """What was read already: scripts by their RUN's span, what is asked of stages by a name and the index."""
        return {}

    def shell(self, instruction: Instruction) -> tuple[str, ...]:
        """The SHELL in force, through all inherited stages."""
        return self._scope(instruction).shell

    def user(self, instruction: Instruction) -> str:
        """The USER in force, as far as this file says; '' when it was never set."""
        return self._scope(instruction).user

    def runs_as_root(self, instruction: Instruction) -> bool:
        """Whether the USER in force is root, or was never set."""
        return is_root(self.user(instruction))

    def workdir(self, instruction: Instruction) -> str:
        """The absolute WORKDIR in force, as far as this file says; '/' when it was never set."""
        return self._scope(instruction).workdir

    def final(self, stage: Stage) -> Scope:
        """What is in force when the stage is done: its variables, user and working directory."""
        scope = Scope(self.escape, self._outside.arguments)
        for ancestor in self.lineage(stage):
            after(scope, ancestor.instructions)
        return scope

    def words(self, instruction: Instruction) -> tuple[Word, ...]:
        """The arguments as the builder splits them, flags excluded; also those of a JSON form.

        A word's span includes its quotes. ENV, ARG and LABEL give `KEY=value` words.
        """
        return split_words(instruction.keyword, instruction.joined, self.escape)

    def executed(self, instruction: Instruction) -> str:
        """The instruction's value and the bodies of its heredocs, a line each."""
        return "\n".join(
            (instruction.value, *(heredoc.body.of(self.text) for heredoc in instruction.heredocs))
        )

    def lines(self, instruction: Instruction, comments: bool = True) -> Span:
        """The whole lines of the instruction, and of the comments directly above, with the last newline."""
        start = (instruction.comments[0] if comments and instruction.comments else instruction).span.start
        newline = self.text.find("\n", instruction.span.end)
        line_start = self.text.rfind("\n", 0, start) + 1
        if line_start == 0 and self.text.startswith("\ufeff"):
            line_start = 1
        return Span(line_start, newline + 1 if newline >= 0 else len(self.text))

    def line_of(self, offset: int) -> int:
        """The 1-based line that holds the character at `offset`."""
        return bisect_right(self._newlines, offset - 1) + 1

    @cached_property
    def _newlines(self) -> list[int]:
        return [index for index, char in enumerate(self.text) if char == "\n"]

    def _needs(self, stage: Stage) -> set[int]:
        """The stages that it is FROM, copies from or mounts from."""
        needed = {stage.base_stage} if stage.base_stage is not None else set()
        for instruction in stage.instructions:
            if source := self.source_stage(instruction):
                needed.add(source.index)
            for name in mount_sources(instruction) if instruction.keyword == "RUN" else ():
                if mounted := self._earlier(self.expand(name, instruction) or name, instruction):
                    needed.add(mounted.index)
        return needed

    def _earlier(self, name: str, instruction: Instruction) -> Stage | None:
        """The stage before the instruction's own with that name or index."""
        earlier = self.stages[: instruction.stage or 0]
        if name.isdecimal():
            return earlier[int(name)] if int(name) < len(earlier) else None
        return _stage_named(earlier, name)

    def _scope(self, instruction: Instruction) -> Scope:
        """The state before the instruction; a stage is gone through once."""
        key = instruction.span.start
        if key not in self._scopes:
            outside = Scope(self.escape)
            self._remember(outside, [i for i in self.instructions if i.stage is None or i.keyword == "FROM"])
            if instruction.stage is not None and instruction.keyword != "FROM":
                *inherited, own = self.lineage(self.stages[instruction.stage])
                scope = Scope(self.escape, outside.arguments)
                for stage in inherited:
                    after(scope, stage.instructions)
                self._remember(scope, [i for i in own.instructions if i.keyword != "FROM"])
        return self._scopes[key]

    @property
    def _outside(self) -> Scope:
        """What the ARGs before the first FROM give."""
        return after(Scope(self.escape), (i for i in self.instructions if i.stage is None))

    def _remember(self, scope: Scope, instructions: Iterable[Instruction]) -> None:
        """Feeds the instructions to `scope` and keeps the state before each; those that change nothing share it."""
        kept = scope.copy()
        for instruction in instructions:
            self._scopes[instruction.span.start] = kept
            if instruction.keyword in EFFECTIVE:
                scope.feed(instruction)
                kept = scope.copy()


@lru_cache(maxsize=64)
def _parsed(text: str, path: str) -> Dockerfile:
    """Every rule looks at the text that the phases before it leave, which is often the same."""
    scan = Scan(path, text)
    instructions = tuple(_instructions(scan))
    if not instructions:
        raise DockerfileError(path, 1, "there are no instructions in it")
    stages = tuple(_stages(path, instructions, scan.escape))
    return Dockerfile(path, text, scan.directives, instructions, stages, tuple(scan.comments))


def _instructions(scan: Scan) -> Iterator[Instruction]:
    """What dockerfile-parse finds in the masked text, with spans into the real one."""
    parser = DockerfileParser(fileobj=io.BytesIO(scan.masked.encode("utf-8", "replace")), env_replace=False)
    found = {each["startline"] + 1: each for each in parser.structure if each["instruction"] != "COMMENT"}
    above = {comment.line: comment for comment in scan.comments}
    stage: int | None = None
    for block in scan.blocks:
        keyword = found.get(block.line, {}).get("instruction", "")
        _check_keyword(scan.path, block, keyword, stage)
        if keyword == "FROM":
            stage = 0 if stage is None else stage + 1
        yield _instruction(scan, block, keyword, stage, _directly_above(above, block.line))
    if stage is None and scan.blocks:
        raise DockerfileError(
            scan.path, scan.blocks[-1].line, "there is no FROM: nothing can be built from it"
        )


def _check_keyword(path: str, block: Block, keyword: str, stage: int | None) -> None:
    written = GAP.split(block.joined.value, maxsplit=1)[0]
    if written.upper() != keyword or keyword not in KEYWORDS:
        raise DockerfileError(path, block.line, f"unknown instruction: {written}")
    if stage is None and keyword not in ("ARG", "FROM"):
        raise DockerfileError(path, block.line, f"{keyword} stands before the first FROM, where only ARG may")


def _instruction(
    scan: Scan, block: Block, keyword: str, stage: int | None, comments: tuple[Comment, ...]
) -> Instruction:
    gap = GAP.search(block.joined.value)
    start = gap.end() if gap else len(block.joined.value)
    flags, joined = split_flags(block.joined.part(start, len(block.joined.value)))
    try:
        strings = json_words(_command(keyword, joined)) if keyword in JSON_FORMS | {"HEALTHCHECK"} else None
    except TypeError as error:
        raise DockerfileError(scan.path, block.line, str(error)) from None
    if keyword in ("ENV", "LABEL") and (bare := _bare_name(joined.value, scan.escape)):
        raise DockerfileError(scan.path, block.line, f"{keyword} takes NAME=value, and {bare} has no value")
    begin = joined.place(0) if joined.value else block.content_end
    return Instruction(
        keyword=keyword,
        span=block.span,
        line=block.line,
        end_line=block.end_line,
        arguments=Span(begin, block.content_end),
        value=joined.value,
        flags=flags,
        heredocs=block.heredocs,
        stage=stage,
        comments=comments,
        exec_form=None if strings is None else tuple(word.value for word in strings),
        joined=joined,
    )


def _bare_name(value: str, escape: str) -> str | None:
    return next((name for name, given in key_values(value, escape) if given is None), None)


def _command(keyword: str, joined: Joined) -> Joined:
    """The part that may be a JSON array: behind CMD for a HEALTHCHECK."""
    if keyword != "HEALTHCHECK":
        return joined
    gap = GAP.search(joined.value)
    return joined.part(gap.end() if gap else len(joined.value), len(joined.value))


def _directly_above(comments: Mapping[int, Comment], line: int) -> tuple[Comment, ...]:
    found: list[Comment] = []
    while (line := line - 1) in comments:
        found.insert(0, comments[line])
    return tuple(found)


def _stages(path: str, instructions: tuple[Instruction, ...], escape: str) -> Iterator[Stage]:
    outside = after(Scope(escape), (i for i in instructions if i.stage is None))
    stages: list[Stage] = []
    for start in (i for i in instructions if i.keyword == "FROM"):
        words = start.value.split()
        if not words:
            raise DockerfileError(path, start.line, "FROM names no image")
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
            raise DockerfileError(path, start.line, "FROM takes an image, and AS with a name")
        base = _stage_named(stages, outside.expand(words[0])[0])
        stages.append(
            Stage(
                index=len(stages),
                name=words[2] if len(words) == 3 else None,
                base=words[0],
                base_stage=base.index if base else None,
                platform=start.flag("platform"),
                instructions=tuple(i for i in instructions if i.stage == len(stages)),
            )
        )
    return iter(stages)


def _stage_named(stages: tuple[Stage, ...] | list[Stage], name: str) -> Stage | None:
    """The last of `stages` with that name, in any case."""
    return next((s for s in reversed(stages) if s.name and s.name.lower() == name.lower()), None)
