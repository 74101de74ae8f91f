"""Cache mounts: who owns them, what must not empty them, and what stays as it was."""

from __future__ import annotations

import pytest
from asking import Asking, repository

from phasewise.rules.cache_mounts import CacheMounts

RULE = CacheMounts()
BASE = "FROM python:3.12-slim\n"
PIP = "RUN --mount=type=cache,target=/root/.cache/pip \\\n    pip install idna"
APT = (
    "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
    "    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \\\n    "
)
CLEAN = "rm -f /etc/apt/apt.conf.d/docker-clean"


ask = Asking(RULE)
phase, after, reason = ask.phase, ask.after, ask.reason


@pytest.mark.parametrize(
    "run",
    [
        "RUN pip install --no-cache-dir idna",
        "RUN pip install --no-cache idna",
        "RUN pip --version && pip install idna && rm -rf /root/.cache/pip",
        "RUN pip install idna && rm -rf ~/.cache",
        "RUN pip install idna && pip cache purge",
        "RUN pip install idna; rm -rf /root/.cache/pip/* || true",
    ],
)
def test_what_empties_or_switches_off_the_cache_goes(run: str) -> None:
    result = after(f"{BASE}{run}\n")
    assert "--mount=type=cache,target=/root/.cache/pip" in result
    assert not {"--no-cache-dir", "--no-cache", "rm", "purge"} & set(result.split())


def test_a_stage_that_inherits_what_happened_to_apt_gets_its_mounts() -> None:
    install = "apt-get update && apt-get install -y"
    text = (
        f"{BASE.rstrip()} AS common\nRUN {install} curl\nFROM common AS dev\nRUN {install} vim\n"
        f"FROM common AS prod\nCMD curl\n{BASE.rstrip()} AS apart\nRUN {install} nano\n"
    )
    result = after(repository({"Dockerfile": text}, stage="prod"))
    assert result.count(CLEAN) == 1
    assert f"{APT}{install} vim" in result
    assert f"RUN {install} nano" in result


def test_what_else_is_cleaned_is_still_cleaned() -> None:
    text = f"{BASE}RUN pip install idna && rm -rf /root/.cache/pip /tmp/* && rm -rf /usr/share/doc\n"
    assert after(text) == f"{BASE}{PIP} && rm -rf /tmp/* && rm -rf /usr/share/doc\n"


def test_removing_a_home_is_not_cleaning_a_cache() -> None:
    assert "rm -rf /root/x" in after(f"{BASE}RUN pip install idna && rm -rf /root/x\n")


@pytest.mark.parametrize(
    ("head", "mount"),
    [
        ("", "target=/root/.cache/pip "),
        ("USER root\n", "target=/root/.cache/pip "),
        ("ENV PIP_CACHE_DIR=/cache\n", "target=/cache "),
        (
            "RUN useradd -u 1500 app\nUSER app\n",
            "target=/var/cache/pip,uid=1500,gid=1500 \\\n    PIP_CACHE_DIR=/var/cache/pip pip",
        ),
        ("ENV PIP_CACHE_DIR=/cache\nUSER 7:8\n", "target=/cache,uid=7,gid=7 \\\n    pip"),
    ],
)
def test_the_cache_belongs_to_the_user_of_the_run(head: str, mount: str) -> None:
    assert mount in after(f"{BASE}{head}RUN pip install idna\n")


@pytest.mark.parametrize("head", ["USER app\n", "USER $WHO\n", "RUN useradd app\nUSER app\n"])
def test_a_user_whose_id_is_not_known(head: str) -> None:
    assert "not known" in reason(f"{BASE}{head}RUN pip install idna\n")


def test_a_later_install_without_lists_of_its_own_keeps_apt_as_it_is() -> None:
    text = f"{BASE}RUN apt-get update && apt-get install -y gcc\nRUN apt-get install -y git\n"
    reason(text)
    assert "apt" not in after(f"{text}RUN pip install idna\n").replace(text, "")


def test_docker_clean_goes_once() -> None:
    install = "apt-get update && apt-get install -y {} && rm -rf /var/lib/apt/lists/*\n"
    text = f"{BASE.strip()} AS a\nRUN {install.format('gcc')}FROM a\nRUN {install.format('git')}"
    result = after(text)
    assert result.count("docker-clean") == 1
    assert result.index("docker-clean") < result.index("FROM a")
    assert result.count("--mount") == 4


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "set -eux; \\\n    apt-get update; \\\n    apt-get install -y git; \\\n    apt-get clean\n",
            f"set -eux; \\\n    {CLEAN} \\\n    && apt-get update; \\\n    apt-get install -y git\n",
        ),
        (
            "if ! apt-get update; then exit 1; fi; apt-get install -y git\n",
            f"{CLEAN} \\\n    && if ! apt-get update; then exit 1; fi; apt-get install -y git\n",
        ),
        (
            'if [ "$X" = 1 ]; then \\\n    apt-get update && apt-get install -y jq && \\\n'
            "    rm -rf /var/lib/apt/lists/*; \\\n    else \\\n    apt-get update && apt-get install -y git; fi\n",
            f'{CLEAN} \\\n    && if [ "$X" = 1 ]; then \\\n    apt-get update && apt-get install -y jq; \\\n'
            "    else \\\n    apt-get update && apt-get install -y git; fi\n",
        ),
        (
            "set -e; \\\n    for i in 1 2; do \\\n        apt-get update && apt-get install -y git && break; \\\n"
            "    done\n",
            f"{CLEAN} \\\n    && set -e; \\\n    for i in 1 2; do \\\n"
            "        apt-get update && apt-get install -y git && break; \\\n    done\n",
        ),
        (
            '[ -z "$X" ] || apt-get update && apt-get install -y git\n',
            f'{CLEAN} \\\n    && [ -z "$X" ] || apt-get update && apt-get install -y git\n',
        ),
        (
            "apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/*\n",
            f"{CLEAN} \\\n    && apt-get update && apt-get install -y git && rm -rf /tmp/*\n",
        ),
    ],
)
def test_apt(script: str, expected: str) -> None:
    assert after(f"{BASE}RUN {script}") == f"{BASE}{APT}{expected}"


@pytest.mark.parametrize(
    ("variable", "command", "expected"),
    [
        # pip takes every word for off, "0" too; uv accepts no empty one.
        ("PIP_NO_CACHE_DIR=1", "pip install idna", "PIP_NO_CACHE_DIR= pip install idna"),
        ("UV_NO_CACHE=1", "uv sync", "UV_NO_CACHE=0 uv sync"),
        ("X=1", "uv pip install -n idna", "uv pip install idna"),
    ],
)
def test_the_cache_is_switched_on_as_the_tool_reads_it(variable: str, command: str, expected: str) -> None:
    assert after(f"{BASE}ENV {variable}\nRUN {command}\n").endswith(f"    {expected}\n")


def test_apt_mounts_that_are_there_are_locked() -> None:
    mounts = "--mount=type=cache,target=/var/cache/apt{0} --mount=type=cache,target=/var/lib/apt{0}"
    rest = f" {CLEAN}; apt-get update && apt-get install -y git\n"
    result = after(f"{BASE}RUN {mounts.format('')}{rest}")
    assert result == f"{BASE}RUN {mounts.format(',sharing=locked')}{rest}"
    reason(f"{BASE}RUN {mounts.format(',sharing=private')}{rest}")


@pytest.mark.parametrize(
    "text",
    [
        f"{BASE}ENV UV_LINK_MODE=symlink\nRUN uv sync\n",
        f"{BASE}RUN uv pip install --link-mode symlink idna\n",
        f"# syntax=docker/dockerfile:1.1\n{BASE}RUN pip install idna\n",
        f"{BASE}RUN uv sync --offline\n",
    ],
)
def test_what_a_mount_would_break_or_not_help(text: str) -> None:
    reason(text)


def test_a_frontend_that_knows_mounts() -> None:
    after(f"# syntax=docker/dockerfile:1.10\n{BASE}RUN pip install idna\n")


def test_a_branch_of_a_heredoc_with_a_shebang() -> None:
    script = "if x; then\n  apt-get update\n  apt-get install -y git\nfi\n"
    result = after(f"{BASE}RUN <<EOF\n#!/bin/sh -e\n{script}EOF\n")
    assert f"<<EOF\n#!/bin/sh -e\n{CLEAN}\n{script}EOF\n" in result


def test_a_heredoc_with_tabs() -> None:
    text = f"{BASE}RUN <<-EOF\n\tset -e\n\tapt-get update\n\tapt-get install -y git\n\tapt-get clean\n\tEOF\n"
    assert after(text) == (
        f"{BASE}{APT}<<-EOF\n\tset -e\n\t{CLEAN}\n\tapt-get update\n\tapt-get install -y git\n\tEOF\n"
    )


def test_line_endings() -> None:
    text = f"{BASE}RUN apt-get update && apt-get install -y git\nRUN pip install idna\n"
    assert after(text.replace("\n", "\r\n")) == after(text).replace("\n", "\r\n")


def test_several_tools_in_one_run() -> None:
    result = after(f"{BASE}RUN pip install --no-cache-dir uv && uv sync --no-cache --frozen\n")
    assert result == (
        f"{BASE}RUN --mount=type=cache,target=/root/.cache/pip \\\n"
        "    --mount=type=cache,target=/root/.cache/uv \\\n    pip install uv && uv sync --frozen\n"
    )


def test_poetry_of_another_user_is_left_alone_since_its_environments_would_move() -> None:
    reason(f"{BASE}USER 7\nRUN poetry install\n")


def test_poetry_keeps_its_environments_in_the_image() -> None:
    assert "target=/root/.cache/pypoetry " not in after(f"{BASE}RUN poetry install\n")


def test_a_mount_that_is_there_is_used() -> None:
    mounted = "RUN --mount=type=cache,target=/root/.cache"
    assert (
        after(f"{BASE}{mounted} pip install --no-cache-dir idna\n") == f"{BASE}{mounted} pip install idna\n"
    )


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({}, ""),
        ({".github/workflows/x.yml": "uses: hadolint/hadolint-action@v3\n"}, "# hadolint ignore=DL3042\n"),
        ({".pre-commit-config.yaml": "id: hadolint-docker\n"}, "# hadolint ignore=DL3042\n"),
        ({".hadolint.yaml": "ignored:\n  - DL3042\n"}, ""),
    ],
)
def test_hadolint_is_told_where_it_looks(files: dict[str, str], line: str) -> None:
    assert after(f"{BASE}RUN pip install idna\n", files) == f"{BASE}{line}{PIP}\n"


def test_nothing_is_predicted_and_the_price_of_apt_is_said() -> None:
    found = phase(f"{BASE}RUN apt-get update && apt-get install -y git\n")
    assert found.predicted.image_bytes is None
    assert "apt-get" in found.costs


@pytest.mark.parametrize(
    "text",
    [
        f"{BASE}RUN --network=none pip install idna\n",
        f'{BASE}SHELL ["pwsh", "-c"]\nRUN pip install idna\n',
        f"{BASE.strip()} AS unused\nRUN pip install idna\n{BASE}",
    ],
)
def test_left_alone(text: str) -> None:
    reason(text)
