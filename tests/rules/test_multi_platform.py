"""Publishing for arm64: which steps are changed and how, what the lock file tells, and what is made for amd64."""

from __future__ import annotations

import re

import pytest
from asking import Asking, repository

from phasewise.model.builds.one_platform import fixed
from phasewise.model.builds.yaml_edit import load
from phasewise.model.phase import Phase
from phasewise.model.python.lock_wheels import Platform, only_on
from phasewise.model.repo import RepoView, Target
from phasewise.rules.multi_platform import _COMMAND, _LOCK, _WORKFLOW, MultiPlatform

RULE = MultiPlatform()
PATH = ".github/workflows/publish.yml"
FILE = "FROM python:3.12-slim\n"
HERE, THERE = Platform("x86_64", (3, 12)), Platform("aarch64", (3, 12))


def view(workflow: str, text: str = FILE, **files: str) -> RepoView:
    texts = {
        "Dockerfile": text,
        PATH: workflow,
        **{name.replace("_DOT_", "."): each for name, each in files.items()},
    }
    return repository(texts)


ask = Asking(RULE, view, path=PATH)
after, reason = ask.after, ask.reason


def uses(workflow: str) -> list[str]:
    return re.findall(r"uses: (docker/setup.*)", workflow)


@pytest.mark.parametrize(
    ("build_push", "login", "major"),
    [("v6", "v3", 3), ("v7", "v4", 4), ("v3", "v2", 2), ("v6", "", 3), ("v7", "", 4)],
)
def test_the_major_of_the_neighbours(build_push: str, login: str, major: int) -> None:
    text = _WORKFLOW.replace("push-action@v6", f"push-action@{build_push}")
    text = text.replace("docker/login-action@v3", f"docker/login-action@{login}" if login else "x/login@v9")
    assert uses(after(view(text))) == [f"docker/setup-{each}-action@v{major}" for each in ("qemu", "buildx")]


def test_nothing_is_set_up_twice_and_nothing_else_changes() -> None:
    text = after(view(_WORKFLOW))
    both = after(view(text.replace("          platforms: linux/amd64,linux/arm64\n", "")))
    assert both == text
    taken_out = [line for line in text.split("\n") if "setup-" not in line and "Set up" not in line]
    kept = [line for line in taken_out if "platforms:" not in line]
    assert [line for line in kept if line] == [line for line in _WORKFLOW.split("\n") if line]
    windows = after(view(_WORKFLOW.replace("\n", "\r\n")))
    assert windows == text.replace("\n", "\r\n")


def test_several_builds_of_one_job_share_the_steps() -> None:
    step = _WORKFLOW[_WORKFLOW.index("      # what") :].replace("app:latest", "app:other")
    text = after(view(_WORKFLOW + step))
    assert text.count("platforms: linux/amd64,linux/arm64") == 2
    assert len(uses(text)) == 2
    steps = load(text)["jobs"]["publish"]["steps"]
    assert [step.get("name", "")[:6] for step in steps] == ["", "", "Set up", "Set up", "Build ", "Build "]


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        (_WORKFLOW.replace("push: true", "push: false"), "does not push"),
        (
            _WORKFLOW.replace("push: true", "push: true\n          platforms: linux/arm64"),
            "already: linux/arm64",
        ),
        (_WORKFLOW.replace("push: true", "push: true\n          outputs: type=docker"), "one platform only"),
        (_WORKFLOW.replace("login-action@v3", "login-action@v3.4.0"), "no major version"),
        (
            _WORKFLOW.replace("on: push", "on: push\nenv:\n  DOCKER_DEFAULT_PLATFORM: linux/amd64"),
            "DEFAULT_PLATFORM",
        ),
        (_COMMAND.replace("--push", "--push --load"), "one platform only"),
        (_COMMAND.replace("--push", "--push --platform linux/amd64"), "names its platforms already"),
        (
            _COMMAND.replace(" --push", "") + "          docker push registry.example/app\n",
            "a command of its own",
        ),
        (_COMMAND.replace("docker buildx build", "podman build"), "another tool"),
    ],
)
def test_says_why_not(workflow: str, said: str) -> None:
    assert said in reason(view(workflow))


def test_only_the_command_that_pushes_is_changed() -> None:
    text = after(view(_COMMAND.replace("docker login", "docker buildx build -t test .")))
    assert "docker buildx build -t test .\n" in text
    assert "docker buildx build --platform linux/amd64,linux/arm64 --push" in text


def test_a_matrix_counts_for_everything_that_it_builds() -> None:
    matrix = _WORKFLOW.replace(
        "    timeout", "    strategy:\n      matrix:\n        service: [api, worker]\n    timeout"
    ).replace("context: .", "context: ${{ matrix.service }}")
    files = {
        PATH: matrix,
        "api/Dockerfile": FILE,
        "worker/Dockerfile": "FROM --platform=linux/amd64 debian\n",
    }
    seen = RepoView(Target("api/Dockerfile", "api"), files, frozenset(files))
    assert reason(seen) == "worker/Dockerfile:1 is made for amd64 alone"
    files["worker/Dockerfile"] = FILE
    assert "platforms:" in after(RepoView(Target("api/Dockerfile", "api"), files, frozenset(files)))


def test_the_time_limit_and_the_wheels_that_are_not_known_are_told() -> None:
    seen = view(
        _WORKFLOW, "FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    )
    texts = {**seen.files, "requirements.txt": "numpy\n"}
    answer = RULE.propose(RepoView(seen.target, texts, frozenset(texts)), {})
    assert isinstance(answer, Phase)
    assert f"{PATH}:5" in answer.costs
    assert "pip download --only-binary=:all:" in answer.why
    assert "not known" in answer.why


def test_what_the_lock_tells() -> None:
    assert [(each.name, each.has_source) for each in only_on(_LOCK, HERE, THERE)] == [("old", True)]
    without_marker = _LOCK.replace(", marker = \"platform_machine == 'x86_64'\"", "")
    assert [each.name for each in only_on(without_marker, HERE, THERE)] == ["old", "gpu"]
    older = Platform("aarch64", (3, 11))
    assert [each.name for each in only_on(_LOCK, Platform("x86_64", (3, 11)), older)] == []
    stable = _LOCK.replace("cp312-cp312-manylinux_2_27_aarch64", "cp39-abi3-manylinux_2_27_aarch64")
    assert [each.name for each in only_on(stable, HERE, THERE)] == ["old"]
    alpine = only_on(_LOCK, Platform("x86_64", None, "musllinux"), Platform("aarch64", None, "musllinux"))
    assert alpine == ()


def test_poetry_s_lock_leaves_development_out() -> None:
    def package(name: str, *lines: str) -> str:
        file = f'{{file = "{name}-1-cp312-cp312-manylinux_2_17_x86_64.whl"}}'
        return f'[[package]]\nname = "{name}"\nversion = "1"\nfiles = [{file}]\n' + "".join(
            f"{x}\n" for x in lines
        )

    lock = package("a", 'groups = ["main"]') + package("b", 'groups = ["dev"]')
    lock += package("c", 'groups = ["main"]', "markers = \"platform_machine == 'x86_64'\"") + package(
        "d", 'category = "dev"'
    )
    assert [each.name for each in only_on(lock, HERE, THERE)] == ["a"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("RUN curl -LO https://x.example/tool_linux_amd64.tar.gz", 2),
        ("RUN apt-get update && \\\n    curl https://x.example/node-v20-linux-x64.tar.xz", 3),
        ("ENV LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu", 2),
        ("RUN GOOS=linux GOARCH=amd64 go build", 2),
        ("COPY install.sh /\nRUN sh /install.sh", 0),
        ("RUN <<EOF\ncurl https://x.example/x86_64\nEOF", 3),
    ],
)
def test_what_is_made_for_amd64(text: str, line: int) -> None:
    files = {"Dockerfile": f"{FILE}{text}\n", "install.sh": "set -e\nwget https://x.example/a-amd64.deb\n"}
    seen = repository(files)
    assert list(fixed(seen)) == ([("Dockerfile", line)] if line else [("install.sh", 2)])


@pytest.mark.parametrize(
    "text",
    [
        "ARG TARGETARCH\nRUN case $TARGETARCH in amd64) a=x64;; esac; curl https://x.example/$a",
        'RUN curl "https://x.example/$(uname -m | sed s/x86_64/amd64/)"',
        "RUN echo max64 example64",
        "# not for amd64\nRUN true",
    ],
)
def test_what_asks_for_the_platform_is_not(text: str) -> None:
    assert list(fixed(view(_WORKFLOW, f"{FILE}{text}\n"))) == []
