"""Scripts that a COPY brings into the image are found, and with them what they call."""

from __future__ import annotations

import pytest

from phasewise.model.repo import RepoView, Target
from phasewise.model.stages.shipped_scripts import scheduler, script_uses, shipped_scripts

SCRIPT = "#!/bin/bash\n# wget is not called\n[ $# -gt 0 ] || curl -s http://x | psql\n"


def view(dockerfile: str, context: str = ".", **files: str) -> RepoView:
    texts = {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
    texts["Dockerfile"] = (
        dockerfile if dockerfile.startswith("FROM") else f"FROM python:3.12-slim\n{dockerfile}"
    )
    return RepoView(Target("Dockerfile", context), texts, frozenset(texts))


def test_the_line_that_calls_it_is_named() -> None:
    seen = view("COPY scripts/ /app/scripts/\n", scripts__run_dot_sh=SCRIPT)
    uses = script_uses(seen, {"curl", "wget"})
    assert {name: use.place for name, use in uses.items()} == {"curl": "scripts/run.sh:3"}


@pytest.mark.parametrize(
    ("dockerfile", "files", "shipped"),
    [
        pytest.param("COPY . .\n", {"bin__fetch": SCRIPT}, ("bin/fetch",), id="no ending, a shebang"),
        pytest.param("COPY . .\n", {"LICENSE": "curl"}, (), id="no ending, no shebang"),
        pytest.param("COPY app /app\n", {"run_dot_sh": SCRIPT}, (), id="another folder"),
        pytest.param("COPY *.sh /app/\n", {"run_dot_sh": SCRIPT}, ("run.sh",), id="a wildcard"),
        pytest.param("ARG PART\nCOPY ${PART} /x/\n", {"run_dot_sh": SCRIPT}, ("run.sh",), id="unknown"),
        pytest.param(
            "COPY . .\n", {"run_dot_sh": SCRIPT, "_dot_dockerignore": "*.sh\n"}, (), id="the ignore file"
        ),
        pytest.param("COPY . .\n", {"tests__run_dot_sh": SCRIPT}, (), id="tests"),
        pytest.param(
            "COPY jobs /etc/\n",
            {"jobs__cron_dot_d__x": "* * * * * curl x\n"},
            ("jobs/cron.d/x",),
            id="a crontab",
        ),
        pytest.param(
            "COPY jobs /etc/cron.d/\n", {"jobs": "* * * * * curl x\n"}, ("jobs",), id="a crontab by its place"
        ),
        pytest.param("COPY . .\n", {"up_dot_sh": f"docker compose up -d\n{SCRIPT}"}, (), id="of the host"),
        pytest.param(
            "FROM python:3.12 AS builder\nCOPY . /app\nFROM python:3.12-slim\nCOPY --from=builder /app /app\n",
            {"run_dot_sh": SCRIPT},
            ("run.sh",),
            id="through another stage",
        ),
        pytest.param(
            "FROM python:3.12 AS b\nCOPY . /app\nFROM python:3.12-slim\nCOPY --from=b /opt/venv /opt/venv\n",
            {"run_dot_sh": SCRIPT},
            (),
            id="another stage that keeps it",
        ),
    ],
)
def test_what_a_copy_brings_counts(dockerfile: str, files: dict[str, str], shipped: tuple[str, ...]) -> None:
    assert shipped_scripts(view(dockerfile, **files)) == shipped


def test_only_the_build_context_is_copied_from() -> None:
    seen = view("COPY . .\n", "api", api__run_dot_sh=SCRIPT, other__run_dot_sh=SCRIPT)
    assert shipped_scripts(seen) == ("api/run.sh",)


@pytest.mark.parametrize(
    ("dockerfile", "line"),
    [
        ("RUN apt-get update && apt-get install -y cron\n", 2),
        ("RUN true\nCOPY jobs /etc/cron.d/jobs\n", 3),
        ("COPY supervisord.conf /etc/\n", 2),
        ("RUN apt-get install -y curl\nCOPY micron.txt /app/\n", None),
    ],
)
def test_jobs_that_nobody_sees(dockerfile: str, line: int | None) -> None:
    assert scheduler(view(dockerfile)) == line
