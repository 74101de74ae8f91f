"""Tools out of builders: only where the measured image proves that nothing needs them, in production as it is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from asking import Asking, repository
from came_built import measured
from msgspec.structs import replace
from stories import bahr, bot_core, good, phentrieve

from phasewise.cli.demo import create as demo
from phasewise.migration.git import Repository
from phasewise.migration.planning import Wishes, make_plan
from phasewise.migration.scan import scan, view
from phasewise.model.census import Built, Census, Distribution
from phasewise.model.phase import Phase, Risk
from phasewise.model.repo import BuildReference, Purpose, RepoView
from phasewise.rules.discovery import all_rules
from phasewise.rules.needless_build_tools import NeedlessBuildTools

RULE = NeedlessBuildTools()
SITE = "/opt/venv/lib/python3.12/site-packages"
APT = "RUN apt-get update && apt-get install -y {} && rm -rf /var/lib/apt/lists/*\n"
BUILDER = "FROM python:3.12-slim AS builder\n"
TOOLS = APT.format("build-essential git")
INSTALL = "RUN python -m venv /opt/venv\nCOPY requirements.txt .\nRUN /opt/venv/bin/pip install -r requirements.txt\n"
FINAL = (
    '\nFROM python:3.12-slim AS app\nCOPY --from=builder /opt/venv /opt/venv\nCMD ["/opt/venv/bin/python"]\n'
)


def census(*others: Distribution) -> Census:
    found = (
        Distribution("flask", "3.1.2", SITE, 1, built=Built.PURE, requires=("click",)),
        Distribution("click", "8.2.1", SITE, 1, built=Built.PURE),
        Distribution("numpy", "2.3.5", SITE, 1, built=Built.ELSEWHERE),
    )
    return Census(10, (), 10, distributions=(*found, *others))


def seen(
    text: str = f"{BUILDER}{TOOLS}{INSTALL}{FINAL}",
    files: Mapping[str, str] | None = None,
    inside: Census | None = None,
) -> RepoView:
    texts = {"requirements.txt": "flask==3.1.2\nnumpy>=2\n", **(files or {}), "Dockerfile": text}
    return repository(texts, inside or census())


def built(
    view: RepoView, stage: str | None = None, path: str = "build.yml", *given: tuple[str, str]
) -> RepoView:
    reference = BuildReference(
        path, 1, "", "Dockerfile", ".", stage, Purpose.TEST, "jobs.a.steps[0]", arguments=given
    )
    return replace(view, builds=(*view.builds, reference))


ask = Asking(RULE, seen)


def test_the_phase_tells_what_was_measured_its_price_and_the_way_back() -> None:
    phase = ask.phase(seen())
    assert phase.risk is Risk.CHECK
    assert [each.line for each in phase.evidence] == [2]
    assert "Of the 3 Python packages in the baseline's image 1 have compiled parts" in phase.why
    assert phase.predicted.image_bytes is None
    for word in (
        "stops at the install",
        "No such file or directory: 'gcc'",
        "Cannot find command 'git'",
        "roll this phase back, or install",
    ):
        assert word in phase.costs


@pytest.mark.parametrize(
    ("name", "module"),
    [("bahr", bahr), ("bot_core", bot_core), ("phentrieve", phentrieve), ("demo", demo)],
)
def test_the_last_of_all_phases_or_the_only_one(name: str, module: ModuleType, tmp_path: Path) -> None:
    repository = Repository.open(module.create(tmp_path / name))
    start = measured(view(repository, "HEAD", scan(repository, "HEAD")[0]))
    after = start
    for rule in all_rules():
        answer = rule.propose(after, {})
        if isinstance(answer, Phase) and answer.risk is not Risk.ASK and rule.id != RULE.id:
            after = after.with_edits(answer.edits)
    for each in (after,) if name == "demo" else (start, after):
        text = ask.after(each)
        begin = " AS dependencies" if name == "demo" else " AS builder"
        builder = text.partition(begin)[2].partition("\nFROM ")[0]
        assert not {"gcc", "build-essential", "git", "curl", "make"} & set(builder.split()), builder
        assert ("strip --strip-unneeded" in builder) == ("binutils" in builder)
    plan = make_plan(start, Wishes())
    assert RULE.id in {phase.id for phase in plan.phases}


def test_what_only_named_stages_carry_is_theirs(tmp_path: Path) -> None:
    """BAHR's development stage inherits compilers from a base that production does not."""
    repository = Repository.open(bahr.create(tmp_path / "bahr"))
    start = measured(view(repository, "HEAD", scan(repository, "HEAD")[0]))
    assert "    gcc \\\n    g++ \\\n    make \\\n" in ask.after(start)


def test_a_builder_for_other_architectures_keeps_its_compiler(tmp_path: Path) -> None:
    """A good Dockerfile says why it has gcc; the measured machine does not prove it wrong."""
    repository = Repository.open(good.create("pip", tmp_path / "pip"))
    start = measured(view(repository, "HEAD", scan(repository, "HEAD")[0]))
    assert "other machines in mind: gcc: some architectures have no wheel of ujson" in ask.reason(start)


def test_the_comment_above_does_not_speak_of_what_is_gone() -> None:
    above = "# hadolint ignore=DL3008\n# Compilers for what has no wheel\n# Kept small\n"
    steps = f"{TOOLS}{INSTALL}RUN strip /opt/venv/x.so\n"
    text = ask.after(f"{BUILDER}{above}{steps}{FINAL}")
    assert text.startswith(
        f"{BUILDER}# hadolint ignore=DL3008\n# Kept small\n{APT.format('binutils')}{INSTALL}"
    )
    partly = ask.after(f"{BUILDER}{above}{steps.replace(' git', ' tzdata')}{FINAL}")
    assert partly.startswith(f"{BUILDER}{above}{APT.format('binutils tzdata')}")


def test_strip_is_told_of() -> None:
    phase = ask.phase(f"{BUILDER}{TOOLS}{INSTALL}RUN strip /opt/venv/x.so\n{FINAL}")
    assert "is in binutils, which is installed instead" in phase.why


# -- what declines -----------------------------------------------------------------------------------------


def test_without_a_measurement() -> None:
    reason = ask.reason(replace(seen(), census=None))
    assert (
        reason
        == "whether anything is compiled with build-essential and git is not known: measure the baseline first"
    )


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Distribution("own", "1", SITE, 1, built=Built.HERE), "own is compiled from its source"),
        (Distribution("own", "1", SITE, 1), "whether own is compiled is not known"),
        (
            Distribution("own", "1", SITE, 1, built=Built.PURE, requires=("lost",)),
            "lost, which own requires, is not in the baseline's image",
        ),
        (
            Distribution("own", "1", "/usr/local/lib/python3.12/dist-packages", 1, built=Built.HERE),
            "own is compiled from its source",
        ),
    ],
)
def test_what_the_image_does_not_prove(other: Distribution, said: str) -> None:
    assert ask.reason(seen(inside=census(other))) == f"build-essential and git stay, since {said}"


def test_the_final_stage_is_for_another_rule() -> None:
    assert "no stage that only builds installs" in ask.reason(f"{BUILDER}{INSTALL}{FINAL}{TOOLS}")
    assert "no stage that only builds installs" in ask.reason(f"FROM python:3.12-slim\n{TOOLS}{INSTALL}")


def test_tools_of_another_image_are_not_looked_at() -> None:
    other = f"\nFROM python:3.12-slim AS more\n{TOOLS}RUN mkdir /x\n\n"
    other += "FROM python:3.12-slim AS job\nCOPY --from=more /x /x\n"
    text = f"{BUILDER}{INSTALL}{other}{FINAL}"
    assert "no stage that only builds installs" in ask.reason(text)


@pytest.mark.parametrize("stage", ["builder", "Builder", "0"])
def test_a_stage_that_is_built_by_name_may_be_run(stage: str) -> None:
    assert "no stage that only builds installs" in ask.reason(built(seen(), stage))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docker-bake.hcl", 'target "test" {\n  target = "builder"\n}\n'),
        (
            ".devcontainer/devcontainer.json",
            '{"build": {"dockerfile": "../Dockerfile", "target": "builder"}}',
        ),
        ("skaffold.yaml", "build:\n  artifacts:\n  - docker:\n      target: builder\n"),
        ("fly.toml", '[build]\nbuild-target = "builder"\n'),
    ],
)
def test_files_that_name_a_stage_in_a_way_of_their_own(path: str, text: str) -> None:
    assert "no stage that only builds installs" in ask.reason(seen(files={path: text}))
    assert ask.phase(seen(files={path: text.replace("builder", "app")}))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("build.yml", "platforms: linux/amd64,linux/arm64\n"),
        ("build.yml", "runs-on: ubuntu-24.04-arm\n"),
        ("docker-bake.hcl", 'platforms = ["linux/amd64", "linux/arm64"]\n'),
        (".github/workflows/all.yml", "with:\n  platforms: linux/arm/v7\n"),
        ("Makefile", "all:\n\tdocker buildx bake --set *.platform=linux/arm64\n"),
    ],
)
def test_other_machines_have_other_wheels(path: str, text: str) -> None:
    assert "builds for several kinds of machines" in ask.reason(built(seen(files={path: text})))


def test_one_machine_is_what_was_measured() -> None:
    files = {
        "build.yml": "platforms: linux/amd64\n",
        ".github/workflows/cli.yml": "jobs:\n  wheels:\n    strategy:\n      matrix:\n        arch: [arm64]\n",
        "docs/arm.md": "linux/arm64\n",
    }
    assert ask.phase(built(seen(files=files)))


def test_a_dockerfile_that_asks_what_it_is_built_for() -> None:
    reason = ask.reason(f"{BUILDER}ARG TARGETARCH\n{TOOLS}{INSTALL}{FINAL}")
    assert reason.startswith("Dockerfile:2 builds for several kinds of machines, or may")


def test_another_python_in_one_of_the_builds() -> None:
    text = f"ARG PYTHON=3.12\n{BUILDER}{TOOLS}{INSTALL}{FINAL}".replace(
        "python:3.12-slim AS b", "python:${PYTHON}-slim AS b"
    )
    assert ask.phase(built(seen(text), None, "build.yml", ("PYTHON", "3.12")))
    assert "a build gives PYTHON in FROM another value" in ask.reason(
        built(seen(text), None, "build.yml", ("PYTHON", "3.14"))
    )


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("RUN tar -xf /x.tar.xz\n", "calls tar, which may call what came along with them"),
        ("RUN find /src -name setup.py -exec python {} build_ext \\;\n", "calls find, which may compile"),
        ("RUN ls /src | xargs -n 1 ./build\n", "calls xargs, which may compile"),
    ],
)
def test_commands_that_start_others(step: str, said: str) -> None:
    assert said in ask.reason(f"{BUILDER}{TOOLS}{INSTALL}{step}{FINAL}")


def test_commands_that_start_harmless_ones() -> None:
    steps = "RUN tar -xzf /x.tgz && find /opt -name '*.a' -exec rm -f {} + && ls /x | xargs -r rm\n"
    assert ask.phase(f"{BUILDER}{TOOLS}{INSTALL}{steps}{FINAL}")


def test_certificates_come_with_downloaders_where_the_image_has_none() -> None:
    text = f"{BUILDER}{APT.format('gcc git')}{INSTALL}{FINAL}".replace(
        "python:3.12-slim AS b", "debian:trixie-slim AS b"
    )
    assert APT.format("git") in ask.after(text)


def test_windows_line_endings_stay() -> None:
    text = f"{BUILDER}{TOOLS}{INSTALL}{FINAL}"
    assert ask.after(text.replace("\n", "\r\n")) == ask.after(text).replace("\n", "\r\n")


def test_binutils_alone_are_no_compiler() -> None:
    text = f"{BUILDER}{APT.format('binutils')}{INSTALL}{FINAL}"
    assert "no stage that only builds installs compilers" in ask.reason(seen(text))
