"""What a .dockerignore keeps out of the build context."""

import pytest

from phasewise.model.builds.dockerignore import (
    ignore_file,
    is_ignored,
    taken_back,
    with_exception,
    with_lines,
)
from phasewise.model.repo import RepoView, Target


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("requirements-ci.txt\n", "requirements-ci.txt", True),
        ("requirements-*.txt\n", "requirements-ci.txt", True),
        ("requirements-*.txt\n", "api/requirements-ci.txt", False),
        ("**/requirements-*.txt\n", "api/requirements-ci.txt", True),
        ("**/*.txt\n", "requirements-ci.txt", True),
        ("api\n", "api/requirements-ci.txt", True),
        ("/api/\n", "api/requirements-ci.txt", True),
        ("./api\n", "api/requirements-ci.txt", True),
        ("api/**\n", "api/requirements-ci.txt", True),
        ("*\n!requirements*.txt\n", "requirements-ci.txt", False),
        ("!requirements-ci.txt\n*.txt\n", "requirements-ci.txt", True),
        ("*.txt\r\n! requirements-ci.txt\r\n", "requirements-ci.txt", False),
        ("# *.txt\n\n", "requirements-ci.txt", False),
        ("requirements-c?.txt\n", "requirements-ci.txt", True),
        ("requirements-[abc]i.txt\n", "requirements-ci.txt", True),
        ("requirements-[!c]i.txt\n", "requirements-ci.txt", False),
        ("requirements.ci.txt\n", "requirements-ci.txt", False),
        ("[z-a]\nrequirements-ci.txt\n", "requirements-ci.txt", True),
        ("a\n!requirements-ci.txt\nb\n*.txt\n!x\n", "requirements-ci.txt", True),
        ("", "requirements-ci.txt", False),
    ],
)
def test_patterns(patterns: str, path: str, ignored: bool) -> None:
    assert is_ignored(patterns, path) is ignored


@pytest.mark.parametrize("patterns", ["*.txt\n", "*.txt", "*.txt\r\n*\r\n", "**"])
def test_an_exception_lets_the_file_in(patterns: str) -> None:
    text = with_exception(patterns, "requirements-ci.txt")
    assert text.startswith(patterns)
    assert not is_ignored(text, "requirements-ci.txt")
    assert ("\r\n" in text) == ("\r\n" in patterns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a\n!b\n"),
        ("x\n", "x\n\na\n!b\n"),
        ("x", "x\n\na\n!b\n"),
        ("x\r\n", "x\r\n\r\na\r\n!b\r\n"),
    ],
)
def test_lines_go_behind_a_blank_one(text: str, expected: str) -> None:
    assert with_lines(text, ("a", "!b")) == expected


def test_what_is_taken_back() -> None:
    assert taken_back("\ufeff*\n! /app/\n#!x\n!docs/**\r\n") == ("app", "docs/**")


@pytest.mark.parametrize(
    ("dockerfile", "context", "files", "expected"),
    [
        ("Dockerfile", ".", (), ".dockerignore"),
        ("api/Dockerfile", "api", ("api/.dockerignore",), "api/.dockerignore"),
        ("api/Dockerfile", ".", ("api/.dockerignore",), ".dockerignore"),
        ("api/Dockerfile", ".", ("api/Dockerfile.dockerignore",), "api/Dockerfile.dockerignore"),
        ("ci.Dockerfile", ".", ("ci.Dockerfile.dockerignore", ".dockerignore"), "ci.Dockerfile.dockerignore"),
        ("Dockerfile", ".", ("ci.Dockerfile.dockerignore",), ".dockerignore"),
    ],
)
def test_which_file_counts(dockerfile: str, context: str, files: tuple[str, ...], expected: str) -> None:
    view = RepoView(Target(dockerfile, context), dict.fromkeys(files, ""), frozenset(files))
    assert ignore_file(view, dockerfile, context) == expected
