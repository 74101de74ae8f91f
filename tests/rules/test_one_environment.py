"""Which scattered packages get one environment, and what keeps others where they are."""

from __future__ import annotations

import pytest
from asking import Asking, repository

from phasewise.model.census import Census, Distribution
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Phase
from phasewise.model.python.environments import environment_copies
from phasewise.model.repo import RepoView, Target
from phasewise.rules.one_environment import OneEnvironment
from phasewise.rules.prune_site_packages import PruneSitePackages
from phasewise.rules.strip_symbols import StripSymbols

FILES = {"requirements.txt": "uvicorn\n", "app.py": ""}
USER = """FROM python:3.12-slim AS builder
RUN pip install --user -r requirements.txt
FROM python:3.12-slim AS runtime
COPY --from=builder /root/.local /root/.local
USER app
"""
PIECES = """FROM python:3.12-slim AS builder
RUN pip install --prefix=/install -r requirements.txt
FROM python:3.12-slim AS runtime
COPY --from=builder /install/lib /usr/local/lib
COPY --from=builder /install/bin /usr/local/bin
"""


def view(dockerfile: str, files: dict[str, str] | None = None, stage: str | None = None) -> RepoView:
    everything = {"Dockerfile": dockerfile, **FILES, **(files or {})}
    return repository(everything, stage=stage)


ask = Asking(OneEnvironment(), view)
after, reason = ask.after, ask.reason


WRONG = (
    (PIECES, "in 2 pieces"),
    (USER, "in /root, which app may not enter"),
    (
        USER.replace("/root/.local\nUSER app", "/home/x/.local\nRUN useradd -m app\nUSER app"),
        "looks for them in /home/app/.local",
    ),
    (USER.replace("USER app", "ENV HOME=/tmp"), "looks for them in /tmp/.local"),
    (
        PIECES.replace("COPY --from=builder /install/bin /usr/local/bin\n", "CMD uvicorn app:app\n"),
        "come without uvicorn",
    ),
    (
        "FROM python:3.12-slim AS builder\nRUN pip install -t /deps -r requirements.txt\nFROM python:3.12-slim\n"
        "COPY --from=builder /deps /deps\nENV PYTHONPATH=/deps\nCMD uvicorn app:app\n",
        "bring uvicorn, which the container calls, to /deps/bin, which is not on PATH",
    ),
)


@pytest.mark.parametrize(("dockerfile", "word"), WRONG)
def test_says_what_is_wrong(dockerfile: str, word: str) -> None:
    everything = {**FILES, "Dockerfile": dockerfile.replace("\nRUN", "\nCOPY requirements.txt .\nRUN", 1)}
    phase = OneEnvironment().propose(view(everything["Dockerfile"]), {})
    assert isinstance(phase, Phase), phase
    assert word in phase.why


WORKS = (
    PIECES.replace(
        "/install/lib /usr/local/lib\nCOPY --from=builder /install/bin /usr/local/bin", "/install /usr/local"
    ),
    USER.replace("/root/.local\nUSER app", "/home/app/.local\nUSER app"),
    USER.replace("USER app\n", "ENV PATH=/root/.local/bin:$PATH\n"),
    USER.replace("/root/.local\nUSER", "/usr/local\nUSER"),
    USER.replace("/root/.local\nUSER app", "/home/app/.local\nUSER 1000"),
    USER.replace("/root/.local\nUSER app", "/srv/x/.local\nRUN useradd -m -d /srv/x app\nUSER app"),
    USER.replace("/root/.local\nUSER app", "/var/www/.local\nUSER www-data"),
    USER.replace("/root/.local\nUSER app", "/srv/x\nENV PYTHONUSERBASE=/srv/x\nUSER app"),
    PIECES.replace(
        "/install/lib /usr/local/lib\nCOPY --from=builder /install/bin /usr/local/bin", "/install /opt/x"
    ),
    "FROM python:3.12-slim AS builder\nRUN pip install --target=/deps x\nFROM python:3.12-slim\n"
    "COPY --from=builder /deps /deps\nENV PYTHONPATH=/deps\nCMD python -m uvicorn app:app\n",
)


@pytest.mark.parametrize("dockerfile", WORKS)
def test_what_is_copied_once_and_works_is_left(dockerfile: str) -> None:
    assert "is copied once, and works" in reason(dockerfile)


OBSTACLES = (
    (("FROM python:3.12-slim AS runtime", "FROM python:3.11-slim AS runtime"), "same Python"),
    (("FROM python:3.12-slim AS runtime", "FROM gcr.io/distroless/python3 AS runtime"), "same Python"),
    (("AS builder\n", "AS builder\nRUN pip install numpy\n"), "into /root/.local and /usr/local"),
    (("AS builder\n", "AS builder\nRUN pip install --user uv\n"), "installs tools beside"),
    (("AS builder\n", "AS builder\nUSER build\nENV HOME=/root\n"), "as somebody else than root"),
    (("AS builder\n", "AS builder\nENV PIP_USER=1\n"), "PIP_USER steers"),
    (("AS builder\n", "AS builder\nCOPY wheels /root/.local/wheels\n"), "puts other files into"),
    (("pip install --user", "/usr/local/bin/pip install --user"), "by its path"),
    (("pip install --user", "pip install --user --no-build-isolation"), "--no-build-isolation"),
    (("USER app", "RUN pip install idna\nUSER app\nRUN pip install x"), "beside the copied ones"),
    (("AS runtime\n", "AS runtime\nRUN pip install idna\n"), "beside the copied ones"),
    (("USER app", "RUN chown -R app /root/.local\nUSER app"), "names /root/.local"),
    (("USER app", "RUN ls ~/.local\nUSER app"), "names ~/.local"),
    (("USER app", 'USER app\nCMD ["/usr/local/bin/python", "x.py"]'), "Python's own directories"),
    (("USER app", "USER app\nCMD cron -f"), "Python's own directories, or starts"),
    (("USER app", "ENV DATA=/root/.local/share/x\nUSER app"), "DATA names"),
    (
        ("USER app", "FROM builder AS test\nRUN pytest\nFROM runtime\nUSER app"),
        "stage test builds on builder",
    ),
    (
        ("USER app", "FROM runtime AS dev\nRUN pip install x\nFROM runtime\nUSER app"),
        "stage dev installs packages",
    ),
    (
        (
            "USER app",
            "FROM builder2 AS x\nRUN --mount=from=builder,source=/root/.local,target=/x ls\nFROM runtime\nUSER app",
        ),
        "mounts",
    ),
    (("AS builder\n", "AS builder\nWORKDIR /opt/venv\nRUN mkdir /venv\n"), "no path for an environment"),
    (
        (
            "COPY --from=builder /root/.local /root/.local",
            "COPY --from=builder /root/.local /etc/x /root/.local/",
        ),
        "other",
    ),
)


@pytest.mark.parametrize(("change", "word"), OBSTACLES)
def test_what_stands_against_it(change: tuple[str, str], word: str) -> None:
    assert change[0] in USER
    assert word in reason(USER.replace(*change))


NAMES = (
    ("compose.yaml", "services:\n  api:\n    command: /root/.local/bin/uvicorn app:app\n"),
    ("start.sh", "#!/bin/sh\nexec ~/.local/bin/uvicorn app:app\n"),
    ("k8s/deployment.yaml", "command: ['/root/.local/bin/uvicorn']\n"),
    ("app.py", "SITE = '/root/.local/lib/python3.12/site-packages'\n"),
    ("crontab", "* * * * * /root/.local/bin/celery\n"),
)


@pytest.mark.parametrize(("path", "text"), NAMES)
def test_a_file_that_names_the_place(path: str, text: str) -> None:
    assert reason(USER, {path: text}).startswith(f"/root/.local: {path}:")


def test_a_start_that_needs_pip() -> None:
    files = {"start.sh": "#!/bin/sh\npip install -e .\nexec app\n"}
    assert "calls pip in the container" in reason(USER + "CMD ./start.sh\n", files)


def test_every_stage_that_copies_gets_it_once() -> None:
    text = after(
        PIECES + "FROM python:3.12-slim AS worker\nCOPY --from=builder /install /usr/local\nFROM runtime\n"
    )
    assert text.count("COPY --from=builder /opt/venv /opt/venv\n") == 2
    assert text.count('ENV PATH="/opt/venv/bin:$PATH"') == 3
    assert "/install" not in text


def test_two_stages_on_one_base() -> None:
    base = "FROM python:3.12-slim AS base\nCMD /root/.local/bin/uvicorn app:app\n"
    twice = (
        USER.replace("FROM python:3.12-slim", "FROM base")
        + USER[USER.index("FROM python:3.12-slim AS run") :]
    )
    text = after(base + twice.replace("FROM python:3.12-slim AS runtime", "FROM base AS worker"))
    assert text.count("CMD /opt/venv/bin/uvicorn") == 1
    assert text.count("COPY --from=builder /opt/venv /opt/venv\n") == 2


def test_commands_that_the_dockerfile_starts_by_their_path() -> None:
    text = after(
        USER
        + 'HEALTHCHECK CMD ["/root/.local/bin/httpx", "http://x"]\nCMD /root/.local/bin/uvicorn app:app\n'
    )
    assert 'HEALTHCHECK CMD ["/opt/venv/bin/httpx", "http://x"]\nCMD /opt/venv/bin/uvicorn app:app\n' in text


def test_one_path_for_builder_and_runtime() -> None:
    base = "FROM python:3.12-slim AS base\nENV PATH=/root/.local/bin:$PATH\n"
    text = after(base + USER.replace("python:3.12-slim", "base"))
    assert text == (
        "FROM python:3.12-slim AS base\nENV PATH=/opt/venv/bin:$PATH\n"
        "FROM base AS builder\nRUN python -m venv /opt/venv\nRUN pip install -r requirements.txt\n"
        "FROM base AS runtime\nCOPY --from=builder /opt/venv /opt/venv\nUSER app\n"
    )


def test_what_the_builder_does_with_the_packages_moves_along() -> None:
    text = after(
        PIECES.replace(
            "FROM python:3.12-slim AS runtime", "RUN find /install -name '*.pyc' -delete\n\\g<0>"
        ).replace("\\g<0>", "FROM python:3.12-slim AS runtime")
    )
    assert "RUN find /opt/venv -name '*.pyc' -delete\n" in text


OPTIONS = (
    ("pip install --prefix=/install -r requirements.txt", "pip install -r requirements.txt"),
    ("pip install --prefix /install -r requirements.txt", "pip install -r requirements.txt"),
    ("pip install -r requirements.txt --prefix=/install", "pip install -r requirements.txt"),
    (
        "pip install \\\n    --prefix=/install \\\n    -r requirements.txt",
        "pip install \\\n    -r requirements.txt",
    ),
    ("pip install -r requirements.txt \\\n    --prefix=/install", "pip install -r requirements.txt"),
    ("pip install \\\n  --prefix=/install -r requirements.txt", "pip install \\\n  -r requirements.txt"),
    (
        "pip install --prefix=/install x && \\\n    pip install --prefix=/install y",
        "pip install x && \\\n    pip install y",
    ),
    ("python3 -m pip install --prefix=/install x", "python3 -m pip install x"),
    ("uv pip install --system --prefix /install x", "uv pip install x"),
)


@pytest.mark.parametrize(("before", "then"), OPTIONS)
def test_the_option_goes(before: str, then: str) -> None:
    written = "pip install --prefix=/install -r requirements.txt"
    for ending in ("\n", "\r\n"):
        text = after(PIECES.replace(written, before).replace("\n", ending))
        assert f"RUN {then}\n".replace("\n", ending) in text
        assert Dockerfile.parse(text, "Dockerfile").stages
        assert ending == "\n" or "\n" not in text.replace("\r\n", "")


def test_pip_is_upgraded_in_the_environment_and_uv_stays_out_of_it() -> None:
    text = after(
        PIECES.replace("AS builder\n", "AS builder\nRUN pip install uv\nRUN pip install --upgrade pip\n")
    )
    assert "RUN pip install uv\nRUN python -m venv /opt/venv\n" in text
    assert text.index("ENV PATH") < text.index("RUN pip install --upgrade pip")


def test_variables_lose_the_old_places_only() -> None:
    dockerfile = (
        "FROM python:3.12-slim AS builder\nCOPY requirements.txt .\nRUN pip install -t /deps -r requirements.txt\n"
        "FROM python:3.12-slim\nENV PYTHONPATH=/deps:/app\nCOPY --from=builder /deps /deps\nCMD uvicorn app:app\n"
    )
    assert "ENV PYTHONPATH=/app\n" in after(dockerfile)
    assert "PYTHONPATH" not in after(dockerfile.replace("/deps:/app", "/deps"))
    assert '"/opt/venv/bin:$PATH"' in after(dockerfile)


def test_a_whole_home_directory_counts_as_its_packages() -> None:
    wide = USER.replace("/root/.local /root/.local", "/root /root")
    assert "COPY --from=builder /opt/venv /opt/venv\nENV" in after(wide)
    assert "different places" in reason(
        wide.replace("AS builder\n", "AS builder\nRUN python -m venv /root/x\n")
    )


@pytest.mark.parametrize("dockerfile", [USER, PIECES])
def test_the_other_rules_find_the_environment(dockerfile: str) -> None:
    migrated = view(after(dockerfile))
    [copy] = environment_copies(migrated.dockerfile, migrated.stage)
    assert copy.path == "/opt/venv"
    for rule in (PruneSitePackages(), StripSymbols()):
        phase = rule.propose(migrated, {})
        assert isinstance(phase, Phase)
        # What these add to the builder works on the environment from then on.
        again = rule.propose(view(dockerfile), {})
        assert isinstance(again, Phase)
        text = after(again.edits[0].after or "")
        assert "/install" not in text
        assert ".local" not in text


def test_it_says_what_the_environment_costs() -> None:
    pip = Distribution("pip", "25", "/usr/local/lib/python3.12/site-packages", 11_000_000)
    files = {"Dockerfile": USER, **FILES}
    seen = RepoView(Target("Dockerfile"), files, frozenset(files), census=Census(1, (), 1, (pip,)))
    phase = OneEnvironment().propose(seen, {})
    assert isinstance(phase, Phase)
    assert phase.predicted.image_bytes == 11_000_000
    assert "pip of its own" in phase.costs


def test_packages_in_two_places_stay() -> None:
    both = USER.replace(
        "FROM python:3.12-slim AS runtime", "RUN pip install idna\nFROM python:3.12-slim AS runtime"
    )
    assert "/root/.local and /usr/local, and only packages that are all in one place are moved" in reason(
        both
    )


def test_the_comment_of_the_next_step_stands_apart_from_what_comes_first() -> None:
    text = after(USER.replace("RUN pip", "# Packages\nRUN pip"))
    assert (
        'RUN python -m venv /opt/venv\nENV PATH="/opt/venv/bin:$PATH"\n\n# Packages\nRUN pip install -r'
        in text
    )


MOVED = (
    "FROM python:3.12-slim AS builder\nRUN python -m venv /install && /install/bin/pip install uvicorn\n"
    "FROM python:3.12-slim\nCOPY --from=builder /install /opt/venv\nCMD uvicorn app:app\n"
)


def test_a_virtual_environment_that_a_copy_moves_is_named() -> None:
    said = reason(view(MOVED))
    assert "line 4 copies the virtual environment /install to /opt/venv" in said
    assert "/install/bin/python" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/install /opt/venv", "/install /install"),
        ("/install /opt/venv", "/install /opt/venv\nRUN ln -s /opt/venv /install"),
        ("/install /opt/venv", "/install /opt/venv\nCOPY --from=builder /install /install"),
        ("RUN python -m venv /install && /install/bin/pip", "RUN uv venv --relocatable /install && uv pip"),
        ("COPY --from=builder /install /opt/venv", "COPY --from=builder /install/lib /opt/venv/lib"),
    ],
)
def test_one_that_stays_or_can_be_moved_is_not(old: str, new: str) -> None:
    assert old in MOVED
    assert "copies the virtual environment" not in reason(view(MOVED.replace(old, new)))
