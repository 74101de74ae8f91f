"""The application installed with uv: which uv, for which environment, with which mounts, and what stands in the way."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from asking import Asking, view_of

from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Phase
from phasewise.model.repo import RepoView
from phasewise.rules.application_install import ApplicationInstall
from phasewise.rules.split_base_builder import SplitBaseBuilder

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "Claim_Line"
"""
DEPS = "FROM python:3.12-slim AS deps\nRUN pip install --user uv\nFROM python:3.12-slim\nCOPY --from=deps /x /x\n"
COPY = "COPY . .\n"
PIP = "pip install --no-deps ."


def view(text: str, files: Mapping[str, str] | None = None, census: Census | None = None) -> RepoView:
    return view_of(text, {"pyproject.toml": PYPROJECT, **(files or {})}, census)


ask = Asking(ApplicationInstall(), view)
phase, after, reason = ask.phase, ask.after, ask.reason


def step(text: str, files: Mapping[str, str] | None = None) -> str:
    """The last RUN after the phase, on one line, without what is always there."""
    text = after(text, files)
    run = re.sub(r"\s*\\\n\s*", " ", text[text.rindex("RUN ") :]).removesuffix("\n")
    run = run.replace("RUN --mount=type=tmpfs,target=/tmp ", "")
    return run.replace(" --no-deps --link-mode=copy --reinstall-package=claim-line .", " ...")


CACHE = "--mount=type=cache,target=/root/.cache/uv"


def lent(place: str = "/root/.local/bin/uv") -> str:
    return (
        f"--mount=type=bind,from=deps,source={place},target=/tmp/uv {CACHE} /tmp/uv pip install --system ..."
    )


@pytest.mark.parametrize(
    "script",
    [
        "pip install --no-deps .",
        "pip3 install --no-deps --no-cache-dir ./",
        "python -m pip install -q --no-deps .",
        "/usr/local/bin/python3 -m pip install . --no-deps",
        "python3 -m pip install --no-deps --no-build-isolation . || python3 -m pip install --no-deps .",
        "--mount=type=cache,target=/root/.cache/pip pip install --no-deps .",
        "--mount=type=cache,target=/root/.cache/uv pip install --no-deps .",
        "PIP_NO_CACHE_DIR= pip install --no-deps .",
    ],
)
def test_what_installs_the_project_alone(script: str) -> None:
    assert step(f"{DEPS}{COPY}RUN {script}\n") == lent()


@pytest.mark.parametrize(
    "script",
    [
        "pip install --no-deps -e .",
        "pip install --no-deps . idna",
        "pip install --no-deps '.[ml]'",
        "pip install --no-deps ./other",
        "pip install --no-deps -t /srv .",
        "pip install --no-deps . && rm -rf build",
        "pip install --no-deps . &",
        "if pip install --no-deps .; then true; fi",
        "pip install --no-deps . || echo failed",
        "pip install --no-deps --index-url https://mirror.example .",
        "pip install --no-deps --user .",
        "<<EOF\npip install --no-deps .\nEOF",
    ],
)
def test_any_other_step(script: str) -> None:
    assert reason(f"{DEPS}{COPY}RUN {script}\n") == "no step installs just the application, with pip"


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("pip install --no-deps . || true", "silent_failure"),
        ("pip install --no-deps . 2>/dev/null", "silent_failure"),
        ("pip install .", "dependencies as well"),
        ("pip install --no-deps --no-build-isolation .", "nothing is fetched"),
        ("pip install \\\n# all of it\n    --no-deps .", "comment"),
        ("PIP_NO_BINARY=:all: pip install --no-deps .", "PIP_NO_BINARY"),
        ("--network=none pip install --no-deps .", "flags other than --mount"),
        ("--mount=type=secret,id=pip pip install --no-deps .", "mounts something else"),
        ("--mount=type=cache,target=/tmp pip install --no-deps .", "mounts something else"),
        ("/opt/venv/bin/pip install --no-deps .", "which Python"),
    ],
)
def test_what_the_step_may_not_be(script: str, word: str) -> None:
    assert word in reason(f"{DEPS}{COPY}RUN {script}\n")


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ("ARG PIP_INDEX_URL\n", "PIP_INDEX_URL"),
        ("ENV UV_COMPILE_BYTECODE=1\n", "UV_COMPILE_BYTECODE"),
        ("COPY pip.conf /etc/pip.conf\n", "pip.conf"),
        ("USER app\n", "root"),
        ("ENV PATH=/opt/venv/bin:$PATH\n", "which Python"),
        ("ENV VIRTUAL_ENV=/opt/venv\n", "which Python"),
        ("ENV UV_LINK_MODE=symlink\n", "uv's cache"),
        ('SHELL ["powershell"]\n', "no step"),
        ("WORKDIR /elsewhere\n", "pyproject.toml"),
    ],
)
def test_what_may_not_be_in_force(lines: str, word: str) -> None:
    assert word in reason(f"{DEPS}{COPY}{lines}RUN {PIP}\n")


def test_an_environment_that_is_active() -> None:
    text = f"{DEPS}ENV VIRTUAL_ENV=/v PATH=/v/bin:$PATH\n{COPY}RUN {PIP}\n"
    assert step(text) == lent().replace(" --system", "")


@pytest.mark.parametrize(
    "pyproject",
    [
        PYPROJECT.replace("[project]", 'backend-path = ["."]\n[project]'),
        PYPROJECT.replace('"hatchling"]', '"hatchling @ https://example.com/h.zip"]'),
        PYPROJECT.replace('name = "Claim_Line"', 'dynamic = ["name"]'),
        PYPROJECT + "[tool.uv]\nno-build-isolation = true\n",
        "[project]\nname = 'x'\n",
        "[build-system\n",
    ],
)
def test_builds_that_are_not_plain(pyproject: str) -> None:
    assert "plainly" in reason(f"{DEPS}{COPY}RUN {PIP}\n", {"pyproject.toml": pyproject})


def test_settings_of_the_repository() -> None:
    assert "settings of its own" in reason(f"{DEPS}{COPY}RUN {PIP}\n", {"uv.toml": "offline = true\n"})


class TestTheAttemptWithoutIsolation:
    TRIES = f"{COPY}RUN pip install --no-build-isolation --no-deps . || {PIP}\n"
    SETUPTOOLS = {"pyproject.toml": PYPROJECT.replace('"hatchling"', '"setuptools", "wheel"')}

    def test_an_image_with_setuptools(self) -> None:
        assert "may have setuptools" in reason((DEPS + self.TRIES).replace("3.12", "3.11"), self.SETUPTOOLS)

    def test_an_image_without(self) -> None:
        assert "--no-build-isolation" in phase(DEPS + self.TRIES, self.SETUPTOOLS).why

    def test_the_backend_was_found_in_the_image(self) -> None:
        found = (Distribution("hatchling", "1", "/usr/local/lib/python3.12/site-packages", 1),)
        census = Census(1, (), 1, distributions=found)
        assert "nothing is fetched" in reason(DEPS + self.TRIES, census=census)
        assert phase(f"{DEPS}{COPY}RUN {PIP}\n", census=census)


def uv_from(lines: str, image: str = "python:3.12-slim") -> str:
    return f"FROM {image} AS deps\n{lines}\nFROM python:3.12-slim\nCOPY --from=deps /x /x\n{COPY}RUN {PIP}\n"


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("RUN pip install uv==0.9.9", "/usr/local/bin/uv"),
        ("RUN pip install --user 'uv>=0.5'", "/root/.local/bin/uv"),
        ("RUN set -eux; /opt/uv/uv sync", "/opt/uv/uv"),
        ("COPY --from=example/uv:0.9 /uv /uvx /bin/", "/bin/uv"),
        ("COPY --from=example/uv:0.9 /uv /bin/uv", "/bin/uv"),
        (
            "RUN pip install uv && rm -rf /tmp/* && find / -name __pycache__ -exec rm -rf {} +",
            "/usr/local/bin/uv",
        ),
    ],
)
def test_where_uv_is(lines: str, place: str) -> None:
    assert step(uv_from(lines)) == lent(place)


@pytest.mark.parametrize(
    "lines",
    [
        "RUN pip install uvloop",
        "RUN pip install --target /srv uv",
        "RUN pip install uv || true",
        'RUN if [ -n "$X" ]; then /opt/uv sync; fi',
        "RUN --mount=from=example/uv,source=/uv,target=/bin/uv /bin/uv sync",
        "RUN pip install uv && uv sync && pip uninstall -y uv",
        "RUN /root/.local/bin/uv sync\nRUN rm -rf /root/.local",
        "RUN /root/.local/bin/uv sync\nRUN find /root -type f -delete",
        "USER app\nRUN pip install uv",
        "COPY --from=example/tools /uv /bin/",
        "COPY uv /bin/uv",
    ],
)
def test_where_uv_is_not_known_to_be(lines: str) -> None:
    assert "no stage before it is known to have uv" in reason(uv_from(lines))


@pytest.mark.parametrize(
    "image", ["python:3.12-alpine", "python:3.11-slim", "--platform=$BUILDPLATFORM python:3.12-slim"]
)
def test_a_uv_that_may_not_run_here(image: str) -> None:
    assert "no stage" in reason(uv_from("RUN pip install uv", image))


def test_a_stage_that_is_not_needed_or_has_no_name() -> None:
    assert "no stage" in reason(
        f"FROM python:3.12-slim AS deps\nRUN pip install uv\nFROM python:3.12-slim\n{COPY}RUN {PIP}\n"
    )
    unnamed = uv_from("RUN pip install uv").replace(" AS deps", "").replace("from=deps", "from=0")
    assert "no stage" in reason(unnamed)


def test_uv_of_its_own_stage() -> None:
    text = f"FROM python:3.12-slim\nRUN pip install uv\n{COPY}RUN {PIP}\n"
    assert step(text) == f"{CACHE} uv pip install --system ..."
    late = f"FROM python:3.12-slim\n{COPY}RUN {PIP}\nRUN pip install uv\n"
    assert "no stage" in reason(late)


def test_what_it_costs_is_said() -> None:
    compiled = phase(f"{DEPS}{COPY}RUN {PIP}\n")
    assert (compiled.costs_start_up, "bytecode" in compiled.costs) == (True, True)
    not_compiled = phase(f"{DEPS}{COPY}RUN pip install --no-compile --no-deps .\n")
    assert (not_compiled.costs_start_up, not_compiled.costs) == (False, "")


def test_a_base_gives_up_its_uv_also_afterwards() -> None:
    base = (
        "FROM python:3.12-slim AS base\nRUN apt-get update && apt-get install -y gcc\nRUN pip install --user uv\n"
        "FROM base AS deps\nCOPY requirements.txt .\nRUN /root/.local/bin/uv pip install --system -r requirements.txt\n"
    )
    final = f"FROM base\nCOPY --from=deps /usr/local /usr/local\n{COPY}RUN {PIP}\n"
    seen = view(base + final, {"requirements.txt": "idna\n"})
    seen = seen.with_edits(phase(seen).edits)
    split = SplitBaseBuilder().propose(seen, {})
    assert isinstance(split, Phase), split
    text = seen.with_edits(split.edits).files["Dockerfile"]
    assert text.index("FROM base AS deps") < text.index("pip install --user uv") < text.index("FROM base\n")
    assert "from=deps,source=/root/.local/bin/uv" in text
