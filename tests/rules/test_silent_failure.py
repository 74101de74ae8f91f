"""Hidden failures: what is let through, in which form, what stays ignored, and what is said of it."""

from __future__ import annotations

import pytest
from asking import Asking, repository

from phasewise.model.phase import Declined
from phasewise.model.repo import RepoView
from phasewise.rules.silent_failure import SilentFailure

RULE = SilentFailure()


def view(text: str) -> RepoView:
    texts = {"Dockerfile": text, "requirements.txt": "", "conf/app.ini": ""}
    return repository(texts)


ask = Asking(RULE, view)
phase, after = ask.phase, ask.after


def run(script: str, image: str = "python:3.12-slim") -> str:
    """The RUN after the phase; the RUN as it was where there is none."""
    text = f"FROM {image}\nRUN {script}\n"
    answer = RULE.propose(view(text), {})
    return script if isinstance(answer, Declined) else after(text).removeprefix(f"FROM {image}\nRUN ")[:-1]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("pip install x || true", "pip install x"),
        ("pip install x &>/dev/null || :", "pip install x"),
        ("pip install x >/dev/null 2>&1 || exit 0", "pip install x >/dev/null"),
        ("pip install x 2>&1 >/dev/null || true", "pip install x 2>&1 >/dev/null"),
        ("pip install x \\\n    2>/dev/null \\\n    || true", "pip install x"),
        (
            "pip install x \\\n    # may fail\n    || true \\\n && pip check",
            "pip install x \\\n && pip check",
        ),
        ("uv pip install x || true && cp a /b", "uv pip install x && cp a /b"),
        ("pip install x && echo done || true", "pip install x && echo done"),
        ("pip install x | tee log || true", "pip install x | tee log"),
        (
            "groupadd app || true && pip install x || true",
            "groupadd app || true && pip install x",
        ),
        (
            "pip install x || true && find / -name t -delete || true",
            "pip install x && { find / -name t -delete || true; }",
        ),
        ("(pip install x; pip install y) || true", "(pip install x; pip install y)"),
        ('if [ -n "$X" ]; then pip install x || true; fi', 'if [ -n "$X" ]; then pip install x; fi'),
        (
            "for p in a b; do pip install $p || true; done",
            "for p in a b; do pip install $p || exit 1; done",
        ),
        ("pip install x || true; pip check", "pip install x || exit 1; pip check"),
        ("set -e; pip install x || true; pip check", "set -e; pip install x; pip check"),
        (
            "set -e; pip install x && rm /y || true; pip check",
            "set -e; pip install x || exit 1 && { rm /y || true; }; pip check",
        ),
        ("cp conf/app.ini /etc 2>/dev/null || true", "cp conf/app.ini /etc"),
        (
            "pip install x && grep -v y requirements.txt > some.txt && pip install -r some.txt && "
            "rm /z || true",
            "pip install x && grep -v y requirements.txt > some.txt && pip install -r some.txt && "
            "{ rm /z || true; }",
        ),
        (
            "uv export -o /tmp/all.txt && pip install -r /tmp/all.txt || true",
            "uv export -o /tmp/all.txt && pip install -r /tmp/all.txt",
        ),
        (
            "pip install x && python -c \"import nltk; nltk.download('y')\" && find / -name z -delete || true",
            "pip install x && python -c \"import nltk; nltk.download('y')\" && "
            "{ find / -name z -delete || true; }",
        ),
    ],
)
def test_lets_it_through(before: str, expected: str) -> None:
    assert run(before) == expected


@pytest.mark.parametrize(
    "script",
    [
        "rm -rf /tmp/x 2>/dev/null || true",
        "find /usr -name '*.pyc' -delete 2>/dev/null || true",
        "useradd app 2>/dev/null || true",
        "chmod -R 755 /srv || true",
        "pip uninstall -y pip || true",
        "apt-get clean || true",
        "pip install x || echo failed",
        "pip install x || mkdir /y || true",
        "if pip install x || true; then echo; fi",
        "cp secret.ini /etc 2>/dev/null || true",
        "cp secret.ini /srv/secret.ini || true",
        "pip install -r requirements-dev.txt || true",
        'echo "pip install x || true"',
    ],
)
def test_leaves_alone(script: str) -> None:
    assert run(script) == script


@pytest.mark.parametrize(
    ("above", "through"),
    [
        ("RUN poetry export > /tmp/all.txt", True),
        ("COPY requirements.txt /tmp/all.txt", True),
        ("RUN curl -fsSLO https://example.org/all.txt", True),
        ('RUN [ -z "$X" ] || poetry export > /tmp/all.txt', False),
        ("RUN cat /tmp/all.txt", False),
    ],
)
def test_a_file_that_an_earlier_step_brings_is_no_optional_one(above: str, through: bool) -> None:
    text = f"FROM python:3.12-slim\n{above}\nRUN pip install -r /tmp/all.txt || true\n"
    assert (not isinstance(RULE.propose(view(text), {}), Declined)) == through


class TestStrip:
    FOUND = "find /usr/local -name '*.so' -exec strip {} %s 2>/dev/null || true"

    def test_of_each_file_apart_never_fails_so_nothing_is_ignored(self) -> None:
        assert run(self.FOUND % r"\;", "python:3.12") == r"find /usr/local -name '*.so' -exec strip {} \;"

    def test_without_binutils_goes_and_says_so(self) -> None:
        found = phase(f"FROM python:3.12-slim\nRUN pip install numpy\nRUN {self.FOUND % '+'}\n")
        assert "binutils is not in this stage" in found.why
        assert found.edits[0].after == "FROM python:3.12-slim\nRUN pip install numpy\n"
        assert found.costs == ""

    def test_beside_an_install_that_may_fail_too(self) -> None:
        assert run(f"pip install x && \\\n    {self.FOUND % '+'}") == "pip install x"

    def test_in_one_list_with_an_install_may_go_on_refusing_files(self) -> None:
        kept = (self.FOUND % "+").replace(" 2>/dev/null", "")
        assert run(f"pip install x && {self.FOUND % '+'}", "python:3.12") == f"pip install x && {{ {kept}; }}"

    def test_behind_an_install_keeps_its_failure_to_itself(self) -> None:
        before = f"pip install x || true && {self.FOUND % '+'}"
        kept = (self.FOUND % "+").replace(" 2>/dev/null", "")
        assert run(before, "python:3.12") == f"pip install x && {{ {kept}; }}"

    def test_with_a_compiler_below_may_go_on_refusing_files(self) -> None:
        text = f"FROM python:3.12-slim AS a\nRUN apt-get install -y gcc\nFROM a\nRUN {self.FOUND % '+'}\n"
        assert after(text).endswith("-exec strip {} + || true\n")


def test_names_what_it_hides_and_the_price() -> None:
    found = phase(
        "FROM python:3.12-slim\nRUN pip install x 2>/dev/null || true\nRUN apt-get update || true\n"
    )
    assert "Line 2, `pip install x`: `|| true`, with what it prints thrown away, hides a package" in found.why
    assert "Line 3, `apt-get update`: `|| true` hides a package or a package list" in found.why
    assert [evidence.line for evidence in found.evidence] == [2, 3]
    assert "will stop the build" in found.costs
    assert found.predicted.image_bytes is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("pip install x", "no step's failure is ignored"),
        ("rm /x || true", "(line 2) are those of clean-up"),
        ("python manage.py collectstatic --noinput || true", "line 2: collectstatic may need settings"),
        ("python make.py a b || true", "line 2: whether `python make.py a` may fail is not known"),
    ],
)
def test_declines_with_the_reason(script: str, said: str) -> None:
    answer = RULE.propose(view(f"FROM python:3.12-slim\nRUN {script}\n"), {})
    assert isinstance(answer, Declined)
    assert said in answer.reason
    assert ("clean-up" in answer.reason) == ("clean-up" in said)
