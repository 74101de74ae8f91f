"""Package lists change by spans and go on looking as they were written."""

from __future__ import annotations

import pytest

from phasewise.model.debian.apt import apt_commands, installed_and_gone, rewritten
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.shell import Script

LIBRARY = {"libpq-dev": ("libpq5",), "libkrb5-dev": ("libgssapi-krb5-2", "libkrb5-3"), "gcc": (), "g++": ()}


def script(run: str) -> tuple[Dockerfile, Script]:
    dockerfile = Dockerfile.parse(f"FROM python:3.12-slim\n{run}\nWORKDIR /app\n")
    found = Script.of(dockerfile, dockerfile.stages[0].instructions[1])
    assert found
    return dockerfile, found


def clean(run: str) -> str | None:
    return rewritten(*script(run), lambda package: LIBRARY.get(package, (package,)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "RUN apt-get update && apt-get install -y gcc curl libpq-dev && rm -rf /var/lib/apt/lists/*",
            "RUN apt-get update && apt-get install -y curl libpq5 && rm -rf /var/lib/apt/lists/*",
            id="one line",
        ),
        pytest.param(
            "RUN apt-get update && apt-get install -y \\\n    gcc \\\n    curl \\\n    g++ \\\n    && rm -rf /x",
            "RUN apt-get update && apt-get install -y \\\n    curl \\\n    && rm -rf /x",
            id="a line each",
        ),
        pytest.param(
            "RUN apt-get update && apt-get install -y \\\n    curl \\\n    gcc",
            "RUN apt-get update && apt-get install -y \\\n    curl",
            id="the last line goes with the continuation that led to it",
        ),
        pytest.param(
            "RUN apt-get update && apt-get install -y \\\n    # compilers\n    gcc \\\n    g++ \\\n"
            "    # health check\n    curl",
            "RUN apt-get update && apt-get install -y \\\n    # health check\n    curl",
            id="a comment goes with all that it is about",
        ),
        pytest.param(
            "RUN apt-get update && apt-get install -y \\\n    # this and that\n    gcc \\\n    curl",
            "RUN apt-get update && apt-get install -y \\\n    # this and that\n    curl",
            id="a comment stays with the rest of what it is about",
        ),
        pytest.param(
            "RUN apt-get update && apt-get install -y \\\n    tini \\\n    # headers\n    gcc \\\n    libpq-dev",
            "RUN apt-get update && apt-get install -y \\\n    tini \\\n    libpq5",
            id="a comment about headers says nothing of the library",
        ),
        pytest.param(
            "RUN apt-get install -y \\\n    libkrb5-dev \\\n    curl",
            "RUN apt-get install -y \\\n    libgssapi-krb5-2 \\\n    libkrb5-3 \\\n    curl",
            id="two libraries, a line each",
        ),
        pytest.param(
            "RUN apt-get install -y libpq-dev libpq5",
            "RUN apt-get install -y libpq5",
            id="a library that is there already",
        ),
        pytest.param(
            "RUN apt-get -y install -o Dpkg::Use-Pty=0 gcc=4:12.2.0-3 libpq-dev:amd64",
            "RUN apt-get -y install -o Dpkg::Use-Pty=0 libpq5",
            id="options, versions, architectures",
        ),
        pytest.param(
            "RUN <<EOF\nset -e\napt-get update\napt-get install -y gcc curl\nrm -rf /var/lib/apt/lists/*\nEOF",
            "RUN <<EOF\nset -e\napt-get update\napt-get install -y curl\nrm -rf /var/lib/apt/lists/*\nEOF",
            id="heredoc",
        ),
        pytest.param(
            "RUN --mount=type=cache,target=/var/cache/apt apt-get update && apt-get install -y gcc curl",
            "RUN --mount=type=cache,target=/var/cache/apt apt-get update && apt-get install -y curl",
            id="cache mount",
        ),
        pytest.param(
            "RUN apt-get update && apt-get install -y gcc && useradd app && rm -rf /var/lib/apt/lists/*",
            "RUN useradd app",
            id="what only served the install goes with it",
        ),
        pytest.param(
            "RUN apt-get update && apt-get upgrade -y && apt-get install -y gcc",
            "RUN apt-get update && apt-get upgrade -y",
            id="an upgrade needs its update",
        ),
        pytest.param(
            "RUN apt-get update && apt-get install -y g++ && rm -rf /var/lib/apt/lists/*",
            None,
            id="nothing is left",
        ),
    ],
)
def test_a_list_keeps_its_layout(before: str, after: str | None) -> None:
    assert clean(before) == after


def test_variables_are_not_packages_that_could_go() -> None:
    run = "RUN apt-get install -y $PACKAGES curl"
    assert clean(run) == run


def test_what_a_layer_purges_again_costs_nothing() -> None:
    _, run = script("RUN apt-get install -y gcc tini && make && apt-get purge -y --auto-remove gcc")
    assert installed_and_gone(run) == {"gcc"}


def test_packages_are_named_without_versions() -> None:
    _, run = script("RUN DEBIAN_FRONTEND=noninteractive apt-get install -yq gcc=1 -t stable libpq-dev/stable")
    (install,) = apt_commands(run, "install")
    assert install.names == ("gcc", "libpq-dev")
