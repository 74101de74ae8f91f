"""A second target beside an existing one: what is shared, what is doubled, and that the first stays as it is."""

from __future__ import annotations

import dockerfile as buildkit
import pytest

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.stages.twins import NoTwin, with_twin
from phasewise.model.text import Edit, Span


def twin(text: str, old: str = "HERE", new: str = "THERE", stage: str | None = None) -> str:
    dockerfile = Dockerfile.parse(text)
    place = text.index(old)
    edits = [Edit(Span(place, place + len(old)), new)]
    return with_twin(dockerfile, dockerfile.stage(stage), edits, "core", "the comment")


def chain(text: str, stage: str | None) -> list[tuple[str, str]]:
    """What a stage is made of, through everything it inherits: keyword and arguments."""
    parsed = Dockerfile.parse(text)
    lineage = parsed.lineage(parsed.stage(stage))
    own = [i for each in lineage for i in each.instructions if i.keyword != "FROM"]
    return [("FROM", lineage[0].base)] + [
        (i.keyword, " ".join([*(f"--{f.name}={f.value}" for f in i.flags), i.value])) for i in own
    ]


TEXT = """\
ARG V=3.12
FROM --platform=$BUILDPLATFORM python:${V}-slim AS tools
RUN tool HERE > /x

FROM tools AS builder
RUN build

FROM python:${V}-slim AS untouched
RUN other

FROM debian AS runtime
ENV A=1
RUN apt-get update
# what was built
COPY --from=builder /x /x
COPY --from=untouched /y /y
RUN --mount=type=bind,from=builder,target=/b --mount=from=debian,target=/c use
CMD ["x"]

FROM runtime AS debug
RUN debug
"""


def test_everything_made_from_what_differs_is_doubled_and_nothing_else() -> None:
    after = twin(TEXT, stage="runtime")
    for stage in ("tools", "builder", "untouched", "runtime", "debug"):
        assert chain(after, stage) == chain(TEXT, stage), stage
    assert chain(after, "core") == [
        (keyword, value.replace("builder", "core-builder")) for keyword, value in chain(TEXT, "runtime")
    ]
    assert chain(after, "core-builder") == [
        (keyword, value.replace("HERE", "THERE")) for keyword, value in chain(TEXT, "builder")
    ]
    names = [stage.name for stage in Dockerfile.parse(after).stages]
    assert names == [
        "core-tools",
        "tools",
        "core-builder",
        "builder",
        "untouched",
        "runtime-base",
        "core",
        "runtime",
        "debug",
    ]
    assert "FROM --platform=$BUILDPLATFORM python:${V}-slim AS core-tools\n" in after
    assert after.count("apt-get update") == 1
    assert "# the comment\nFROM runtime-base AS core\n# what was built\n" in after
    assert buildkit.parse_string(after)


def test_the_last_stage_stays_the_default_and_line_ends_stay() -> None:
    text = 'FROM a\nRUN one\nRUN HERE\nCMD ["x"]'
    after = twin(text.replace("\n", "\r\n"))
    assert after.count("\n") == after.count("\r\n")
    assert chain(after, None) == chain(text, None)
    assert chain(after, "core")[-2:] == [("RUN", "THERE"), ("CMD", '["x"]')]


def test_a_blank_line_behind_from_is_repeated() -> None:
    after = twin("FROM a AS b\n\nRUN one\n\nRUN HERE\n")
    shared = "FROM a AS b-base\n\nRUN one\n\n"
    assert after == (
        f"{shared}# the comment\nFROM b-base AS core\n\nRUN THERE\n\nFROM b-base AS b\n\nRUN HERE\n"
    )


def test_a_stage_of_one_line() -> None:
    after = twin("FROM a AS b\nRUN HERE\nFROM b\n")
    assert [f"{s.base} AS {s.name}" for s in Dockerfile.parse(after).stages] == [
        "a AS core-b",
        "a AS b",
        "core-b AS core",
        "b AS None",
    ]


def test_the_start_is_not_shared() -> None:
    after = twin('FROM a\nRUN one\nCMD ["x"]\nRUN HERE\nENTRYPOINT ["y"]\n')
    shared = Dockerfile.parse(after).stage("final-base")
    assert [i.keyword for i in shared.instructions] == ["FROM", "RUN"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM a AS b\nRUN HERE\nFROM c\nCOPY --from=0 / /\n", "by its number"),
        ("FROM a AS b\nRUN x\nRUN HERE\nFROM b AS b-base\nRUN y\n", "a stage b-base already"),
        ("FROM a\nONBUILD RUN x\nRUN HERE\n", "ONBUILD"),
        ("FROM a AS b\nRUN HERE\nFROM c\nRUN y\n", "nothing that it is made from"),
    ],
)
def test_refuses(text: str, said: str) -> None:
    with pytest.raises(NoTwin, match=said):
        twin(text)
