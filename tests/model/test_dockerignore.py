"""What a .dockerignore keeps out of the build context."""

import pytest

from phasewise.model.builds.dockerignore import is_ignored, with_exception


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
