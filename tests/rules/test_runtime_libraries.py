"""Tools out of a final stage: what may call them keeps them, what came along with them is named."""

from __future__ import annotations

import pytest

from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.runtime_libraries import RuntimeLibraries
from phasewise.rules.split_base_builder import SplitBaseBuilder

RULE = RuntimeLibraries()
MB = 1_000_000
BUILDER = "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install x\n\n"
COPY = "COPY --from=builder /opt/venv /opt/venv"
START = 'CMD ["/opt/venv/bin/python", "-m", "app"]'


def view(text: str, census: Census | None = None, files: dict[str, str] | None = None) -> RepoView:
    texts = {"Dockerfile": text, "requirements.txt": "psycopg2==2.9.11\n", **(files or {})}
    return RepoView(Target("Dockerfile"), texts, frozenset(texts), census=census)


def final(packages: str, *more: str, image: str = "python:3.12-slim", start: str = START) -> str:
    install = f"RUN apt-get update && apt-get install -y {packages} && rm -rf /var/lib/apt/lists/*"
    return BUILDER + "\n".join([f"FROM {image}", install, COPY, *more, start, ""])


def installed(text: str, census: Census | None = None, **files: str) -> str:
    """The packages that the final stage still installs."""
    named = {name.replace("__", "/").replace("_dot_", "."): content for name, content in files.items()}
    seen = view(text, census, named)
    answer = RULE.propose(seen, {})
    assert isinstance(answer, Phase), answer
    done = seen.with_edits(answer.edits)
    assert isinstance(RULE.propose(done, {}), Declined)
    last = done.files["Dockerfile"].rpartition("FROM ")[2]
    return last.partition("install -y ")[2].partition(" &&")[0]


def reason(text: str, census: Census | None = None, **files: str) -> str:
    named = {name.replace("__", "/").replace("_dot_", "."): content for name, content in files.items()}
    answer = RULE.propose(view(text, census, named), {})
    assert isinstance(answer, Declined), answer.diff()
    return answer.reason


def census(*libraries: str, distributions: tuple[str, ...] = (), **packages: int) -> Census:
    return Census(
        900 * MB,
        (),
        800 * MB,
        distributions=tuple(Distribution(name, "1", "/opt/venv", 1) for name in distributions),
        apt_packages={name.replace("_", "-"): size for name, size in packages.items()},
        library_packages=dict.fromkeys(libraries, ("x",)),
    )


def test_headers_become_their_library_and_tools_go() -> None:
    assert installed(final("gcc libpq-dev git vim tini")) == "libpq5 tini"


def test_nothing_is_left_of_a_run_of_tools() -> None:
    assert installed(final("gcc git nano")) == ""


@pytest.mark.parametrize(
    ("packages", "start", "left"),
    [
        ("curl git", 'HEALTHCHECK CMD curl -f http://localhost/\nCMD ["/opt/venv/bin/app"]', "curl"),
        ("wget git", 'CMD ["sh", "-c", "wget -q http://x && exec /opt/venv/bin/app"]', "wget"),
    ],
)
def test_what_the_start_commands_call_stays(packages: str, start: str, left: str) -> None:
    assert installed(final(packages, start=start)) == left


@pytest.mark.parametrize(
    ("more", "start", "files", "said"),
    [
        ("RUN curl -o /x https://x.org", START, {}, "curl stays"),
        ("COPY . .", 'CMD ["./run.sh"]', {"run_dot_sh": "#!/bin/sh\ncurl http://x\n"}, "run.sh:2 calls it"),
        ("COPY . .", 'CMD ["./up"]', {}, "starts up, which is not in the repository"),
        ("RUN ./fetch.sh", START, {}, "runs a script that is not in the repository"),
        ("RUN ./fetch.sh", START, {"fetch_dot_sh": "curl http://x\n"}, "fetch.sh:1 calls it"),
        ("RUN make models", START, {}, "calls make, which calls others"),
        (
            "COPY . .",
            'CMD ["/opt/venv/bin/supervisord", "-c", "all.conf"]',
            {"all_dot_conf": "[program:x]\ncommand=curl http://x\n"},
            "all.conf:2 calls it",
        ),
        (
            "COPY jobs /etc/cron.d/jobs",
            'CMD ["cron", "-f"]',
            {"jobs": "0 * * * * root curl http://x\n"},
            "jobs:1 calls it",
        ),
        ("COPY . .", START, {"dag_dot_py": "x = Bash(bash_command=f'curl {y}')\n"}, "dag.py:1 calls it"),
        ("COPY . .", 'CMD ["/opt/venv/bin/jupyter", "lab"]', {}, "jupyter makes it a place to work in"),
        (
            "COPY . .",
            START,
            {"app_dot_py": "import subprocess\n\ntool = 'curl'\nsubprocess.run([tool])\n"},
            "app.py:3 calls it",
        ),
        (
            "COPY . .",
            START,
            {"compose_dot_yml": "services:\n  a:\n    healthcheck:\n      test: curl http://x\n"},
            "compose.yml",
        ),
        ("RUN /opt/venv/bin/pip install .", START, {}, "installs Python packages in the final image itself"),
        ("ONBUILD RUN x", START, {}, "acts in another build"),
        ("COPY . .", 'CMD ["uv", "run", "app"]', {}, "starts the service with uv"),
        (
            "COPY . .",
            START,
            {"_dot_devcontainer__devcontainer_dot_json": '{"dockerFile": "../Dockerfile"}'},
            "a place to work in",
        ),
    ],
)
def test_what_may_call_it_keeps_it(more: str, start: str, files: dict[str, str], said: str) -> None:
    assert said in reason(final("curl", more, start=start), **files)


def test_a_distribution_that_calls_git_keeps_it() -> None:
    assert "git stays" in reason(final("git"), census(distributions=("gitpython",)))
    assert installed(final("git"), census(distributions=("requests",))) == ""


def test_a_package_that_compiles_at_run_time_keeps_its_tools() -> None:
    assert "build-essential stays" in reason(
        final("build-essential"), requirements_dot_txt="cmdstanpy==1.2\n"
    )


def test_git_for_requirements_at_start() -> None:
    script = "#!/bin/sh\npip install git+https://x.org/y\nexec app\n"
    assert "git stays" in reason(final("git", "COPY . .", start='CMD ["./run.sh"]'), run_dot_sh=script)


def test_editors_go_where_tools_must_stay() -> None:
    text = final("gcc vim", "RUN /opt/venv/bin/pip install .")
    assert installed(text) == "gcc"
    answer = RULE.propose(view(text), {})
    assert isinstance(answer, Phase)
    assert "Tools that a build needs stay" in answer.why
    assert "vim: no longer at hand" in answer.costs


def test_an_editor_that_is_called_stays() -> None:
    assert "installs no tools" in reason(final("nano", "COPY . .", start='CMD ["nano", "x"]'))


def test_headers_whose_library_is_not_known_stay() -> None:
    assert "libunheard-of-dev" in reason(final("libunheard-of-dev"))
    assert installed(final("libpq-dev gcc", image="ubuntu:24.04")) == "libpq-dev"


class TestCameAlong:
    def test_certificates_where_the_image_has_none(self) -> None:
        assert installed(final("curl tini", image="debian:bookworm-slim")) == "ca-certificates tini"
        assert installed(final("curl tini")) == "tini"
        assert installed(final("--no-install-recommends curl tini", image="debian:bookworm-slim")) == (
            "--no-install-recommends tini"
        )

    def test_a_library_that_something_loads(self) -> None:
        assert installed(final("git gcc tini"), census("libexpat1", "libgomp1", "libc6")) == (
            "libexpat1 libgomp1 tini"
        )

    def test_no_library_for_wheels_that_bring_one(self) -> None:
        text = final("libxml2-dev tini")
        assert installed(text) == "libxml2 tini"
        assert installed(text, census(distributions=("lxml",))) == "tini"
        assert installed(text, census("libxml2", distributions=("lxml",))) == "libxml2 tini"
        code = "import ctypes.util\n\nctypes.util.find_library('xml2')\n"
        assert installed(text, census(distributions=("lxml",)), app_dot_py=code) == "libxml2 tini"


class TestOtherStages:
    SHARED = (
        "FROM python:3.12-slim AS base\nRUN apt-get update && apt-get install -y git gcc vim\n\n"
        "FROM base AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install x\n\n"
        f"FROM base\n{COPY}\n{START}\n"
    )

    def test_the_builder_on_the_same_base_gets_its_tools(self) -> None:
        seen = view(self.SHARED)
        answer = RULE.propose(seen, {})
        assert isinstance(answer, Phase)
        text = seen.with_edits(answer.edits).files["Dockerfile"]
        assert text.startswith(
            "FROM python:3.12-slim AS base\nRUN apt-get update && apt-get install -y gcc\n"
        )
        assert (
            "FROM base AS builder\n\n# The final image does without these.\n"
            "RUN apt-get update && apt-get install -y git\n\nRUN python"
        ) in text

    def test_editors_stay_where_people_work(self) -> None:
        text = self.SHARED.replace("git gcc vim", "gcc vim") + "\nFROM base AS dev\nRUN pip install x\n"
        seen = RepoView(Target("Dockerfile", stage="2"), {"Dockerfile": text}, frozenset({"Dockerfile"}))
        answer = RULE.propose(seen, {})
        assert isinstance(answer, Phase)
        after = seen.with_edits(answer.edits).files["Dockerfile"]
        gets = "\n\n# The final image does without these.\nRUN apt-get update && apt-get install -y vim\n"
        assert f"FROM base AS dev{gets}" in after
        assert "FROM base AS builder\nRUN python" in after

    def test_compilers_there_are_the_split_s(self) -> None:
        split = SplitBaseBuilder().propose(view(self.SHARED), {})
        assert isinstance(split, Phase)

    def test_a_split_that_was_made_is_not_made_again(self) -> None:
        split = SplitBaseBuilder().propose(view(final("gcc libpq-dev")), {})
        assert isinstance(split, Declined)
        assert "gcc in the runtime is for runtime_libraries" in split.reason

    def test_a_stage_on_top_gets_what_it_had(self) -> None:
        text = final("git").replace("FROM python:3.12-slim\n", "FROM python:3.12-slim AS runtime\n")
        text += "\nFROM runtime AS test\nRUN git --version\n"
        seen = RepoView(
            Target("Dockerfile", stage="runtime"), {"Dockerfile": text}, frozenset({"Dockerfile"})
        )
        answer = RULE.propose(seen, {})
        assert isinstance(answer, Phase)
        after = answer.edits[0].after or ""
        assert "FROM runtime AS test\n\n# The final image does without these.\nRUN apt-get update" in after


def test_a_purge_of_what_is_gone_goes_too() -> None:
    text = final("gcc tini", "RUN apt-get purge -y gcc")
    assert installed(text) == "tini"
    answer = RULE.propose(view(text), {})
    assert isinstance(answer, Phase)
    assert "purge" not in (answer.edits[0].after or "")


def test_the_prediction_is_of_the_packages_that_leave() -> None:
    answer = RULE.propose(
        view(final("git vim"), census(git=40 * MB, git_man=2 * MB, vim=4 * MB, vim_runtime=35 * MB, perl=1)),
        {},
    )
    assert isinstance(answer, Phase)
    assert answer.predicted.image_bytes == -81 * MB
    unknown = RULE.propose(view(final("git")), {})
    assert isinstance(unknown, Phase)
    assert unknown.predicted.image_bytes is None


def test_without_a_builder_it_is_for_the_split() -> None:
    text = "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y gcc vim\nRUN pip install x\n"
    assert "copies no environment" in reason(text)


def test_a_script_that_is_only_copied_keeps_what_it_calls() -> None:
    text = final("curl wget gcc", "COPY scripts/ scripts/", "RUN chmod +x scripts/*.sh")
    assert installed(text, scripts__run_dot_sh="#!/bin/bash\ncurl -s http://x\n") == "curl"


def test_jobs_of_cron_may_download() -> None:
    assert installed(final("gcc curl cron")) == "curl cron"
    assert "Dockerfile:5 calls it, or may" in reason(final("curl cron"))


@pytest.mark.parametrize(
    ("tool", "package"),
    [("curl", "reflex"), ("curl", "ultralytics"), ("wget", "archivebox"), ("git", "gitpython")],
)
def test_a_package_that_calls_it_keeps_it(tool: str, package: str) -> None:
    text = final(f"{tool} gcc", "COPY . .")
    assert installed(text, requirements_dot_txt=f"{package}==1\n") == tool
    assert installed(text, census(distributions=(package,), **{tool: MB, "gcc": MB})) == tool


@pytest.mark.parametrize(
    ("comment", "stays"), [("psycopg dependencies", True), ("to build psycopg", False), ("headers", False)]
)
def test_a_comment_stays_above_the_library_unless_it_speaks_of_a_build(comment: str, stays: bool) -> None:
    text = final(f"\\\n    # {comment}\n    libpq-dev \\\n    # init\n    tini")
    answer = RULE.propose(view(text), {})
    assert isinstance(answer, Phase), answer
    expected = f"\\\n    # {comment}\n    libpq5 \\\n" if stays else "\\\n    libpq5 \\\n"
    assert expected in (answer.edits[0].after or "")
