"""Gives all stages of one image the same exact tag, the one that a stage names already."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.image_tags import ImageName
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import BuildReference, Purpose, RepoView
from phasewise.model.text import Edit, Span, apply_edits
from phasewise.rules.base import Example, Picks, Rule

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


class PinBase(Rule):
    """`python:3.11-slim` moves: to another patch of Python and, some day, to another release of Debian. A builder on
    one release and a runtime on another link against different libraries, and a build of last month cannot be
    repeated.

    Where a stage names an exact tag, the others of the same version and flavour take it over; a tag that is put
    together from an ARG gets it through the ARG. Different versions (3.11 and 3.12) are left: somebody meant that. A
    tag that no stage names is never made up: which exact tags exist only a registry can tell. An ARG stays when a
    stage uses it for something else (`/usr/local/lib/python${PYTHON_VERSION}` has no third number), when a build
    passes its own value, or when another image's tag is built from it.

    hadolint: DL3006 (no tag) and DL3007 (latest) come near; neither compares stages. BuildKit's checks have no rule
    for it.
    """

    title = "One exact base image"
    risk = Risk.CHECK
    order = 5

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        bases = _bases(dockerfile)
        reasons: list[str] = []
        pinned: list[tuple[_Base, _Base]] = []
        edits: dict[Span, str] = {}
        for base in bases:
            exact = _most_exact(base, bases)
            if isinstance(exact, str):
                reasons.append(exact)
            elif exact is not None:
                own = _edits(view, base, exact, bases)
                if isinstance(own, str):
                    reasons.append(own)
                else:
                    edits |= {edit.span: edit.replacement for edit in own}
                    pinned.append((base, exact))
        if not pinned:
            return self.declined("; ".join([*reasons, *_why_not(bases)]))
        after = apply_edits(dockerfile.text, [Edit(span, new) for span, new in edits.items()])
        lines = dict.fromkeys(each.instruction.line for pair in pinned for each in pair)
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(pinned, reasons),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(view.evidence(dockerfile.path, line) for line in sorted(lines)),
            risk=self.risk,
            predicted=Prediction(None, "how large another tag's image is, is known once it is built"),
        )

    FIRES = (
        Example(
            title="the more exact one for both stages",
            before="FROM python:3.11.10-slim-bookworm AS builder\nRUN pip install x\n\n"
            "FROM --platform=linux/amd64 python:3.11-slim AS runtime\n",
            after="FROM python:3.11.10-slim-bookworm AS builder\nRUN pip install x\n\n"
            "FROM --platform=linux/amd64 python:3.11.10-slim-bookworm AS runtime\n",
        ),
        Example(
            title="through the ARG, and what the ARG leaves out",
            before='ARG PYTHON_VERSION="3.11"\nFROM python:${PYTHON_VERSION}-slim AS builder\n'
            "FROM python:3.11.10-slim-bookworm\n",
            after='ARG PYTHON_VERSION="3.11.10"\nFROM python:${PYTHON_VERSION}-slim-bookworm AS builder\n'
            "FROM python:3.11.10-slim-bookworm\n",
        ),
        Example(
            title="an exact ARG is taken over as it is written",
            before="ARG TAG=3.12.7-slim-bookworm\nFROM python:$TAG AS builder\nFROM python:3.12-slim\n",
            after="ARG TAG=3.12.7-slim-bookworm\nFROM python:$TAG AS builder\nFROM python:$TAG\n",
        ),
        Example(
            title="a digest, a registry, another version left alone",
            before="FROM ghcr.io/x/python:3.11-slim@sha256:0a AS a\nFROM ghcr.io/x/python:3.11-slim AS b\n"
            "FROM ghcr.io/x/python:3.12-slim\nCOPY --from=a / /\nCOPY --from=b / /\n",
            after="FROM ghcr.io/x/python:3.11-slim@sha256:0a AS a\nFROM ghcr.io/x/python:3.11-slim@sha256:0a AS b\n"
            "FROM ghcr.io/x/python:3.12-slim\nCOPY --from=a / /\nCOPY --from=b / /\n",
        ),
    )
    SILENT = (
        Example("FROM python:3.11-slim AS a\nFROM python:3.11-slim\n", title="only floating tags"),
        Example(
            "FROM python:3.11.10-slim-bookworm AS a\nFROM python:3.11.10-slim-bookworm\n",
            title="done already",
        ),
        Example(
            "FROM python:3.12.7-slim-bookworm AS development\nFROM python:3.11-slim\n",
            title="another version",
        ),
        Example("FROM python:3.11.10-bookworm AS a\nFROM python:3.11-slim\n", title="another flavour"),
        Example(
            "FROM python:3.11.9-slim-bookworm AS a\nFROM python:3.11.10-slim-bookworm AS b\nFROM python:3.11-slim\n",
            title="two that fit",
        ),
        Example(
            "ARG V=3.11\nFROM python:3.11.10-slim-bookworm AS a\nFROM python:${V}-slim\nARG V\n"
            "COPY --from=a /usr/local/lib/python${V} /usr/local/lib/python${V}\n",
            title="an ARG that a path is made of",
        ),
        Example(
            "ARG V=3.11\nFROM python:3.11.10-slim-bookworm AS a\nFROM python:${V}-slim\n",
            builds=(
                BuildReference(
                    "ci.yml",
                    1,
                    "build",
                    "Dockerfile",
                    ".",
                    None,
                    Purpose.DEPLOY,
                    "jobs",
                    arguments=(("V", "3.12"),),
                ),
            ),
            title="an ARG that a build sets",
        ),
    )


class _Base(Struct, frozen=True):
    """One FROM that names an image."""

    instruction: Instruction
    word: Span
    written: str
    """With its variables."""
    image: ImageName

    @property
    def variables(self) -> tuple[str, ...]:
        """The ARGs that the name is put together from."""
        return tuple(match[1] or match[2] for match in _VARIABLE.finditer(self.written))


def _bases(dockerfile: Dockerfile) -> list[_Base]:
    found = []
    for stage in dockerfile.stages:
        start = stage.instructions[0]
        expanded = dockerfile.expand(stage.base, start)
        image = ImageName.of(expanded) if expanded and expanded != "scratch" else None
        if stage.base_stage is None and image is not None:
            found.append(_Base(start, dockerfile.words(start)[0].span, stage.base, image))
    return found


def _most_exact(base: _Base, bases: list[_Base]) -> _Base | str | None:
    """The base that says more exactly what `base` leaves open; why there is no single one; None for none."""
    fitting = [other for other in bases if other.image.narrows(base.image)]
    best = [one for one in fitting if not any(other.image.narrows(one.image) for other in fitting)]
    names = dict.fromkeys(one.image.written for one in best)
    if len(names) > 1:
        return f"line {base.instruction.line}: {base.image.written} could become {' or '.join(names)}"
    return next((one for one in best if one.variables), best[0]) if best else None


def _edits(view: RepoView, base: _Base, exact: _Base, bases: list[_Base]) -> list[Edit] | str:
    """What makes `base` the image of `exact`; or why it cannot be."""
    if not base.variables or exact.variables:
        return [Edit(base.word, exact.written)]
    line = f"line {base.instruction.line}: {base.written}"
    if len(base.variables) > 1:
        return f"{line} is put together from several ARGs"
    (name,) = base.variables
    return (
        _why_kept(view, name, base, exact, bases)
        or _argument_edits(view.dockerfile, name, base, exact)
        or line
    )


def _why_kept(view: RepoView, name: str, base: _Base, exact: _Base, bases: list[_Base]) -> str:
    """Why the ARG keeps its value; empty when it need not."""
    dockerfile = view.dockerfile
    again = [i for i in dockerfile.instructions if i.keyword == "ARG" and i.stage is not None]
    for instruction in again:
        if any(word.value.partition("=")[0] == name for word in dockerfile.words(instruction)):
            return f"line {instruction.line}: a stage uses {name} for something else than its image"
    for build in view.builds_of(dockerfile.path):
        if name in dict(build.arguments):
            return f"{build.path}:{build.line} sets {name} itself"
    if name in dict(view.target.arguments):
        return f"the build sets {name} itself"
    for other in bases:
        if name in other.variables and not exact.image.narrows(other.image):
            return f"line {other.instruction.line}: {other.written} is made from {name}, too"
    return ""


def _argument_edits(dockerfile: Dockerfile, name: str, base: _Base, exact: _Base) -> list[Edit]:
    """The ARG's new value, and what the tag says beside it; empty where the ARG is no whole part of the name."""
    form = next(form for form in (f"${{{name}}}", f"${name}") if form in base.written)
    whole = exact.image.written
    repository, _, tag = base.written.rpartition(":")
    if base.written == form:
        value, written = whole, base.written
    elif tag == form and exact.image.repository == repository and not exact.image.digest:
        value, written = whole.removeprefix(f"{repository}:"), base.written
    elif tag.startswith(form) and exact.image.repository == repository and not exact.image.digest:
        value = ".".join(exact.image.version)
        written = f"{repository}:{form}{whole.removeprefix(f'{repository}:{value}')}"
    else:
        return []
    for instruction in dockerfile.instructions:
        for word in (
            dockerfile.words(instruction)
            if instruction.keyword == "ARG" and instruction.stage is None
            else ()
        ):
            if word.value.partition("=")[0] == name:
                quote = word.span.of(dockerfile.text)[-1]
                value = f"{quote}{value}{quote}" if quote in "\"'" else value
                return [Edit(word.span, f"{name}={value}"), Edit(base.word, written)]
    return []


def _why(pinned: list[tuple[_Base, _Base]], reasons: list[str]) -> str:
    parts = [
        f"Line {base.instruction.line}, {base.image.written}: the tag moves from one release to the next, while "
        f"line {exact.instruction.line} names {exact.image.written}. Both stages start from the same image then, and a "
        "later build starts from it, too."
        for base, exact in pinned
    ]
    return "\n\n".join([*parts, *(f"Left alone, {reason}." for reason in reasons)])


def _why_not(bases: list[_Base]) -> Iterator[str]:
    """What the tags are like, and what to do about it."""
    versions = dict.fromkeys(base.image.label for base in bases if base.image.version)
    repositories = {base.image.repository for base in bases if base.image.version}
    if len(versions) > len(repositories):
        yield f"the stages use {' and '.join(versions)}: different versions are left as they are"
    floating = dict.fromkeys(base.image.written for base in bases if not base.image.is_exact)
    if floating:
        first = next(iter(floating))
        yield (
            f"no stage names an exact tag for {', '.join(floating)}, and none is made up: "
            f"`docker buildx imagetools inspect {first}` shows today's digest; name it or a full tag in one stage "
            "and this phase gives it to the others"
        )
    if not bases:
        yield "no stage starts from an image with a known name"
    elif not floating and len(versions) <= len(repositories):
        yield "every stage names an exact tag"
