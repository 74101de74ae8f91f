"""Installers at a version: where they go, what is adapted, what is left alone, and what is said."""

from __future__ import annotations

import dockerfile as buildkit
import pytest
from asking import Asking
from asking import view_of as view

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Phase
from phasewise.rules.pinned_installer import PinnedInstaller

RULE = PinnedInstaller()
FIRES = [pytest.param(example.before, example.files, id=example.title) for example in RULE.FIRES]
PYTHON = "FROM python:3.12-slim\n"
UV = "curl -LsSf https://astral.sh/uv/0.9.9/install.sh"
POETRY = "curl -sSL https://install.python-poetry.org"


ask = Asking(RULE)
after, reason = ask.after, ask.reason


def phase(text: str, files: dict[str, str] | None = None, **picks: str) -> Phase:
    answer = RULE.propose(view(text, files), {id: frozenset({picked}) for id, picked in picks.items()})
    assert isinstance(answer, Phase), answer
    return answer


@pytest.mark.parametrize(("text", "files"), FIRES)
def test_line_endings_are_kept(text: str, files: dict[str, str]) -> None:
    assert after(text.replace("\n", "\r\n"), files) == after(text, files).replace("\n", "\r\n")


@pytest.mark.parametrize(("text", "files"), FIRES)
def test_buildkit_reads_the_result_as_we_do(text: str, files: dict[str, str]) -> None:
    result = after(text, files)
    ours = [(i.keyword, i.line) for i in Dockerfile.parse(result).instructions]
    assert ours == [(command.cmd.upper(), command.start_line) for command in buildkit.parse_string(result)]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (f"{UV} | sh", "pip install --no-cache-dir --user uv==0.9.9"),
        (f"{UV} | bash -s -- --quiet", "pip install --no-cache-dir --user uv==0.9.9"),
        (f"{UV} | env UV_INSTALL_DIR=/usr/local/bin sh", "pip install --no-cache-dir uv==0.9.9"),
        (
            f'{UV} | UV_UNMANAGED_INSTALL="/opt/uv/bin" sh',
            "pip install --no-cache-dir --prefix=/opt/uv uv==0.9.9",
        ),
        (f"{UV} | XDG_BIN_HOME=$HOME/.local/bin sh", "pip install --no-cache-dir --user uv==0.9.9"),
        (
            f"{UV} | UV_INSTALL_DIR=/opt/uv sh",
            "COPY --from=ghcr.io/astral-sh/uv:0.9.9 /uv /uvx /opt/uv/",
        ),
        (
            f"set -e; {UV} | sh; uv --version",
            "set -e; pip install --no-cache-dir --user uv==0.9.9; uv --version",
        ),
        (
            f"{UV.replace('0.9.9', '0.4.1')} | sh && . $HOME/.cargo/env && uv --version",
            'pip install --no-cache-dir --prefix=/root/.cargo uv==0.4.1 && export PATH="$HOME/.cargo/bin:$PATH" '
            "&& uv --version",
        ),
        (
            f". /opt/venv/bin/activate && {UV} | sh",
            ". /opt/venv/bin/activate && /usr/local/bin/pip install --no-cache-dir --user uv==0.9.9",
        ),
    ],
)
def test_uv_goes_where_its_installer_puts_it(run: str, expected: str) -> None:
    result = after(f"{PYTHON}RUN {run}\n").removeprefix(PYTHON)
    assert result.removeprefix("RUN ") == f"{expected}\n"


def test_the_folder_that_the_dockerfile_expects() -> None:
    text = f"{PYTHON}ENV UV_VERSION=0.9.9 PATH=/root/.cargo/bin:$PATH\n"
    text += "RUN curl -LsSf https://astral.sh/uv/install.sh | sh\nRUN /root/.cargo/bin/uv sync\n"
    assert "--prefix=/root/.cargo uv==0.9.9" in after(text)


def test_another_environment_on_the_path_is_not_installed_into() -> None:
    text = f"{PYTHON}RUN python -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\nRUN {UV} | sh\n"
    assert "RUN /usr/local/bin/pip install --no-cache-dir --user uv==0.9.9\n" in after(text)


def test_another_user() -> None:
    text = f"{PYTHON}USER app\nRUN {UV} | sh\n"
    assert "RUN pip install --no-cache-dir --user uv==0.9.9\n" in after(text)


def test_in_a_heredoc() -> None:
    text = f"{PYTHON}RUN <<EOF\nset -e\n{POETRY} | POETRY_VERSION=2.1.3 python3 -\npoetry --version\nEOF\n"
    assert "venv &&" in after(text)
    assert (
        "venv && \\\n    /root/.local/share/pypoetry/venv/bin/pip install --no-cache-dir poetry==2.1.3"
        in after(text)
    )


@pytest.mark.parametrize(
    "text",
    [
        f"{PYTHON}ENV POETRY_VERSION=2.1.3\nRUN {POETRY} | python3 -\n",
        f"{PYTHON}ARG POETRY_VERSION=2.1.3\nRUN {POETRY} | python3 - -y\n",
    ],
)
def test_a_variable_with_the_version_goes_on_counting(text: str) -> None:
    assert 'install --no-cache-dir "poetry==$POETRY_VERSION"' in after(text)


@pytest.mark.parametrize("options", ["- --version 2.1.3", "- --yes --version=2.1.3"])
def test_the_version_that_poetrys_installer_is_told(options: str) -> None:
    assert "install --no-cache-dir poetry==2.1.3" in after(f"{PYTHON}RUN {POETRY} | python3 {options}\n")


def test_a_moving_toolchain_is_replaced() -> None:
    run = "curl -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain stable --profile minimal"
    files = {".tool-versions": "rust 1.83.0\n"}
    expected = run.replace("stable", "1.83.0")
    assert after(f"{PYTHON}RUN {run}\n", files) == f"{PYTHON}RUN {expected}\n"


def test_several_versions_are_a_question() -> None:
    files = {".tool-versions": "uv 0.5.0\n", "Makefile": "a:\n\tpip install uv==0.8.4\n"}
    text = f"{PYTHON}RUN pip install uv\n"
    proposed = phase(text, files)
    (choice,) = proposed.choices
    assert [option.label for option in choice.options] == [
        "0.8.4, as Makefile:2 says",
        "0.5.0, as .tool-versions:1 says",
    ]
    assert "uv==0.8.4" in proposed.diff()
    assert "uv==0.5.0" in phase(text, files, uv_version="0.5.0").diff()
    assert "uv==0.8.4" in phase(text, files, uv_version="9.9.9").diff()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            "curl -LsSf https://astral.sh/uv/install.sh | sh",
            "no version is made up. Write it down (required-version",
        ),
        (f"{POETRY} | python3 -", "Write it down (ENV POETRY_VERSION"),
        ("curl -sSf https://sh.rustup.rs | sh -s -- -y", "rust-toolchain.toml; or take Debian's"),
        ("pip install poetry", "line 2: nothing in the repository says which poetry"),
        (f"{POETRY} | python3 - --git https://example.com/x", "told more than is understood"),
        (
            "curl -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain 1.83.0",
            "Rust is installed at 1.83.0",
        ),
        (f"{UV} | sh -s -- --help", "neither pip nor a copy"),
        (f"{UV} | UV_INSTALL_DIR=$SOMEWHERE sh", "neither pip nor a copy"),
        (f"{UV} | sh && bash -lc 'uv sync'", "a login shell finds uv"),
        (f"! {UV} | sh", "no installer is piped"),
        (f"{UV} | sudo sh", "no installer is piped"),
        ("pip install -c constraints.txt uv", "no installer is piped"),
    ],
)
def test_declines_with_the_reason(run: str, said: str) -> None:
    assert said in reason(f"{PYTHON}RUN {run}\n")


def test_poetry_needs_an_image_of_python() -> None:
    text = f"FROM debian:bookworm\nENV POETRY_VERSION=2.1.3\nRUN {POETRY} | python3 -\n"
    assert "neither pip nor a copy puts it for certain" in reason(text)


def test_a_stage_that_the_target_does_not_need_is_left_alone() -> None:
    assert "no installer" in reason(f"FROM python:3.12 AS other\nRUN {UV} | sh\nFROM python:3.12\n")


def test_an_added_script_that_something_else_reads_stays() -> None:
    text = f"{PYTHON}ADD https://astral.sh/uv/0.9.9/install.sh /i.sh\nRUN sh /i.sh\nCOPY x /i.sh.bak\n"
    assert "no installer" in reason(text)


def test_says_what_is_pinned_where_and_what_is_left() -> None:
    text = f"{PYTHON}RUN {UV} | sh\nRUN {POETRY} | python3 -\n"
    why = phase(text).why
    assert "Line 2: uv 0.9.9, the version that the installer was told." in why
    assert "Left alone, line 3: nothing in the repository says which poetry" in why
