"""Tags of base images: which is the more exact, how an ARG carries it, what is left and what is said."""

from __future__ import annotations

import pytest
from asking import Asking

from phasewise.model.image_tags import ImageName
from phasewise.model.repo import RepoView, Target
from phasewise.rules.pin_base import PinBase

RULE = PinBase()


def view(text: str, *arguments: tuple[str, str]) -> RepoView:
    return RepoView(
        Target("Dockerfile", arguments=arguments), {"Dockerfile": text}, frozenset({"Dockerfile"})
    )


ask = Asking(RULE, view)
phase, after, reason = ask.phase, ask.after, ask.reason


@pytest.mark.parametrize(
    ("exact", "open_", "narrows"),
    [
        ("python:3.11.10-slim-bookworm", "python:3.11-slim", True),
        ("python:3.11-slim-bookworm", "python:3.11-slim", True),
        ("python:3.11.10-slim", "python:3.11-slim-bookworm", False),
        ("python:3.11.10-slim", "python:3.1-slim", False),
        ("python:3.11.10-slim", "python:3.11", False),
        ("node:22.11.0-alpine3.20", "node:22-alpine", True),
        ("debian:12.7-slim", "debian:12-slim", True),
        ("other/python:3.11.10-slim", "python:3.11-slim", False),
        ("localhost:5000/python:3.11.10-slim", "localhost:5000/python:3.11-slim", True),
        ("python:3.11-slim", "python:3.11-slim", False),
        ("python:3.11-slim", "python:3.11-slim@sha256:0a", False),
        ("python:3.11-slim@sha256:0a", "python:3.11-slim", True),
    ],
)
def test_which_is_the_more_exact(exact: str, open_: str, narrows: bool) -> None:
    one, other = ImageName.of(exact), ImageName.of(open_)
    assert one
    assert other
    assert one.narrows(other) is narrows


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (
            "ARG TAG=3.11-slim\nFROM python:$TAG AS a\nFROM python:3.11.10-slim-bookworm\n",
            "ARG TAG=3.11.10-slim-bookworm\nFROM python:$TAG AS a\nFROM python:3.11.10-slim-bookworm\n",
        ),
        (
            "ARG BASE=python:3.11-slim\nFROM ${BASE} AS a\nFROM python:3.11.10-slim-bookworm\n",
            "ARG BASE=python:3.11.10-slim-bookworm\nFROM ${BASE} AS a\nFROM python:3.11.10-slim-bookworm\n",
        ),
        (
            "ARG V=3.11\nFROM python:${V}-slim AS a\nFROM python:${V}-slim AS b\nFROM python:3.11.10-slim\n",
            "ARG V=3.11.10\nFROM python:${V}-slim AS a\nFROM python:${V}-slim AS b\nFROM python:3.11.10-slim\n",
        ),
    ],
)
def test_an_argument_carries_it(before: str, expected: str) -> None:
    assert after(before) == expected


EXACT = "FROM python:3.11.10-slim-bookworm AS a\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"ARG V=3.11\n{EXACT}FROM python:${{V}}-slim\nARG V\n", "line 4: a stage uses V for something else"),
        (
            f"ARG V=3.11\n{EXACT}FROM python:${{V}}-slim AS b\nFROM python:${{V}}-alpine\n",
            "line 4: python:${V}-alpine is made from V, too",
        ),
        (f"ARG V=3.11\nARG K=slim\n{EXACT}FROM python:${{V}}-${{K}}\n", "put together from several ARGs"),
        (f"{EXACT}FROM python:3.11.9-slim-bookworm AS b\nFROM python:3.11-slim\n", "could become"),
        (f"{EXACT}FROM python:3.12-slim\n", "python 3.11 and python 3.12: different versions are left"),
        ("FROM python:3.11-slim\n", "imagetools inspect python:3.11-slim"),
        (EXACT, "every stage names an exact tag"),
        ("ARG X\nFROM $X\n", "no stage starts from an image with a known name"),
        ("FROM scratch\n", "no stage starts from an image with a known name"),
    ],
)
def test_declines_with_the_reason(text: str, said: str) -> None:
    assert said in reason(text)


def test_a_value_that_the_build_gives_is_not_overruled() -> None:
    text = f"ARG V=3.11\n{EXACT}FROM python:${{V}}-slim\n"
    assert "the build sets V itself" in reason(text, ("V", "3.11"))


def test_says_what_moves_and_what_is_left() -> None:
    why = phase(
        f"{EXACT}FROM python:3.11-slim AS b\nFROM python:3.11.9-slim AS c\nFROM python:3.11.10-slim\n"
    ).why
    assert "Line 4, python:3.11.10-slim: the tag moves" in why
    assert "Left alone, line 2: python:3.11-slim could become" in why
