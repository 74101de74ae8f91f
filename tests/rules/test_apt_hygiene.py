"""apt installs: what is named because it was recommended and used, lists, joined and merged RUNs, what stays."""

from __future__ import annotations

import re

import pytest
from asking import Asking, repository

from phasewise.model.census import Census
from phasewise.model.repo import RepoView
from phasewise.rules.apt_hygiene import AptHygiene

RULE = AptHygiene()
LISTS = "rm -rf /var/lib/apt/lists/*"


def view(text: str, census: Census | None = None, **files: str) -> RepoView:
    named = {re.sub("_(txt|sh|py)$", r".\1", name): content for name, content in files.items()}
    texts = {"Dockerfile": text, **named}
    return repository(texts, census)


ask = Asking(RULE, view)
phase, after, reason = ask.phase, ask.after, ask.reason


def stage(*lines: str, image: str = "python:3.12-slim") -> str:
    return "\n".join([f"FROM {image}", *lines, ""])


def install(packages: str, *, flag: str = " --no-install-recommends") -> str:
    return f"RUN apt-get update && apt-get install -y{flag} {packages} && {LISTS}"


class TestRecommended:
    @pytest.mark.parametrize(
        ("image", "packages", "more", "expected"),
        [
            ("python:3.12-slim", "curl", "RUN curl https://x.org", "curl"),
            ("debian:bookworm-slim", "curl", "RUN curl https://x.org", "curl ca-certificates"),
            ("debian:bookworm-slim", "curl", "RUN curl $URL", "curl ca-certificates"),
            (
                "debian:bookworm-slim",
                "curl",
                "HEALTHCHECK CMD curl http://localhost/",
                "curl ca-certificates",
            ),
            ("python:3.12-slim", "zip", "RUN zip x y", "zip"),
            ("python:3.12-slim", "zip", "RUN zip x y && unzip x", "zip unzip"),
            ("python:3.12-slim", "build-essential", "RUN gpg --dearmor < a > b", "build-essential gnupg"),
            ("python:3.12-slim", "git", "RUN ssh-keyscan x.org >> /etc/known", "git openssh-client"),
            ("python:3.12-slim", "git", "RUN git clone https://x.org/y", "git"),
            ("python:3.12-slim", "procps", "HEALTHCHECK CMD killall -0 python", "procps psmisc"),
            ("python:3.12-slim", "libvirt-dev gcc", "", "libvirt-dev gcc pkg-config libc6-dev"),
            (
                "debian:bookworm-slim",
                "curl ca-certificates",
                "RUN curl https://x.org",
                "curl ca-certificates",
            ),
            ("python:3.12-slim", "git", "RUN git clone git@x.org:y", "git openssh-client"),
            ("python:3.12-slim", "git", "RUN --mount=type=ssh make", "git openssh-client"),
            ("python:3.12-slim", "gcc", "", "gcc libc6-dev"),
            ("python:3.12-slim", "gcc g++", "", "gcc g++"),
            ("python:3.12-slim", "build-essential cmake", "", "build-essential cmake"),
            ("python:3.12-slim", "gcc=4:12.2.0-3 libpq-dev", "", "gcc=4:12.2.0-3 libpq-dev libc6-dev"),
        ],
    )
    def test_what_is_used_is_named(self, image: str, packages: str, more: str, expected: str) -> None:
        lines = [line for line in (install(packages, flag=""), more) if line]
        assert after(stage(*lines, image=image)).split("\n")[1] == install(expected)

    def test_git_in_the_requirements_counts(self) -> None:
        text = stage(install("git", flag=""), image="debian:bookworm-slim")
        assert "git ca-certificates" in after(text, requirements_txt="x @ git+https://x.org/y\n")

    def test_the_reason_is_said(self) -> None:
        why = phase(stage(install("gcc", flag=""))).why
        assert "libc6-dev (came with gcc, which cannot build without)" in why

    def test_a_package_that_is_not_known_stays_as_it_is(self) -> None:
        text = stage(install("texlive", flag=""), install("tini", flag=""))
        assert install("texlive", flag="") in after(text)
        assert "what texlive (line 2) recommends is not known here" in phase(text).why

    def test_each_stage_names_its_own(self) -> None:
        text = f"FROM python:3.12-slim AS b\n{install('libc6-dev')}\nFROM python:3.12-slim\n"
        text += f"COPY --from=b /x /x\n{install('gcc', flag='')}\n"
        assert f"{install('gcc libc6-dev')}\n" in after(text)

    def test_what_a_stage_below_names_is_there(self) -> None:
        text = f"FROM python:3.12-slim AS b\n{install('libc6-dev')}\nFROM b\n{install('gcc', flag='')}\n"
        assert f"FROM b\n{install('gcc')}\n" in after(text)

    @pytest.mark.parametrize("between", [["WORKDIR /app"], []])
    def test_what_a_run_below_is_made_to_name_is_there(self, between: list[str]) -> None:
        runs = [install(packages, flag="") for packages in ("git", "curl")]
        result = after(view(stage(runs[0], *between, runs[1], image="ubuntu:24.04")))
        assert result.count("ca-certificates") == 1
        assert result.index("ca-certificates") < result.index("curl")

    def test_what_another_stage_is_made_to_name_is_not(self) -> None:
        built = stage(install("git", flag=""), image="ubuntu:24.04 AS a")
        text = built + stage(install("curl", flag=""), "COPY --from=a /x /x", image="ubuntu:24.04")
        assert after(view(text)).count("ca-certificates") == 2

    def test_a_library_that_came_along_and_is_loaded(self) -> None:
        census = Census(1, (), 1, library_packages={"libx11-6": ("vtk",), "libpq5": ("psycopg2",)})
        text = stage(install("build-essential", flag=""))
        done = phase(text, census)
        assert (done.edits[0].after or "").split("\n")[1] == install("build-essential libx11-6")
        assert "libx11-6 (came with build-essential, and vtk loads it)" in done.why
        assert install("tini") in (phase(stage(install("tini", flag="")), census).edits[0].after or "")

    def test_a_font_that_the_code_names(self) -> None:
        text = stage(install("g++", flag=""))
        code = 'font = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"\n'
        assert install("g++ fonts-dejavu-core") in after(text, draw_py=code)

    def test_a_requirement_that_authenticates(self) -> None:
        text = stage(install("libpq5", flag=""))
        assert install("libpq5 libsasl2-modules") in after(text, requirements_txt="pyhive[hive]\n")
        assert install("libpq5") in after(text, requirements_txt="psycopg2\n")

    def test_git_at_run_time_may_use_ssh(self) -> None:
        text = stage(install("git", flag=""), "COPY . .")
        code = "import subprocess\n\nsubprocess.run(['git', 'clone', url])\n"
        assert install("git openssh-client") in after(text, main_py=code)

    def test_the_setting_counts_as_the_flag(self) -> None:
        options = " -o APT::Install-Recommends=false"
        assert "every apt install" in reason(stage(install("curl", flag=options)))


class TestLists:
    def test_the_style_of_the_run_is_kept(self) -> None:
        run = "RUN apt-get update \\\n    && apt-get install -y --no-install-recommends tini"
        assert after(stage(run)) == stage(f"{run} \\\n    && {LISTS}")

    def test_lists_that_a_stage_on_top_uses_stay(self) -> None:
        text = "FROM python:3.12-slim AS base\nRUN apt-get update && apt-get install -y --no-install-recommends a\n"
        text += "FROM base\nRUN apt-get install -y --no-install-recommends b\n"
        assert "line 2: a later step uses its lists" in reason(text)

    def test_lists_in_a_cache_mount_stay(self) -> None:
        mount = "--mount=type=cache,target=/var/lib/apt,sharing=locked"
        run = f"RUN {mount} apt-get update && apt-get install -y --no-install-recommends tini"
        assert "every apt install" in reason(stage(run))

    @pytest.mark.parametrize(
        ("step", "script"),
        [
            ("RUN ./install.sh", "apt-get install -y jq"),
            ("RUN bash tools.sh", ""),
            ("RUN cat packages | xargs apt-get install -y", ""),
            ("RUN sh -c 'apt-get install -y jq'", ""),
            ("RUN curl https://example.org/setup | bash", ""),
            ('RUN ["apt-get", "install", "-y", "jq"]', ""),
        ],
    )
    def test_lists_that_a_step_may_use_unseen_stay(self, step: str, script: str) -> None:
        text = stage("RUN apt-get update && apt-get install -y --no-install-recommends tini", step)
        said = reason(text, install_sh=script)
        assert "may use its lists" in said or "a later step uses its lists" in said

    @pytest.mark.parametrize(
        "step",
        [
            "RUN ./build.sh",
            "RUN curl -LsSf https://astral.sh/uv/install.sh | sh",
            "RUN . /opt/venv/bin/activate",
        ],
    )
    def test_other_scripts_do_not_keep_them(self, step: str) -> None:
        text = stage("RUN apt-get update && apt-get install -y --no-install-recommends tini", step)
        assert LISTS in after(text, build_sh="make\n")

    def test_lists_that_the_running_container_uses_stay(self) -> None:
        text = stage(
            "RUN apt-get update && apt-get install -y --no-install-recommends tini", 'CMD ["./up.sh"]'
        )
        assert "the running container installs" in reason(
            text, up_sh="#!/bin/sh\napt-get install -y $EXTRA\n"
        )


class TestJoined:
    def test_the_options_of_the_update_are_kept(self) -> None:
        install = "apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*"
        text = stage("RUN apt-get update --allow-releaseinfo-change", f"RUN DEBIAN_FRONTEND=x {install}")
        expected = f"RUN apt-get update --allow-releaseinfo-change && DEBIAN_FRONTEND=x {install}"
        assert after(text) == stage(expected)

    @pytest.mark.parametrize(
        ("step", "said"),
        [
            ('RUN ["apt-get", "install", "-y", "jq"]', "needs the lists"),
            ("RUN xargs apt-get install -y < packages", "may use the lists"),
            ("RUN yes | apt-get install --no-install-recommends jq", "needs the lists"),
        ],
    )
    def test_what_cannot_update_keeps_the_run(self, step: str, said: str) -> None:
        assert said in reason(stage("RUN apt-get update", step))

    def test_a_network_or_secret_of_the_update_must_be_there(self) -> None:
        run = "RUN apt-get install -y --no-install-recommends jq"
        assert "needs the lists" in reason(stage("RUN --network=host apt-get update", run))

    def test_every_install_that_used_the_lists_updates(self) -> None:
        text = stage(
            "RUN apt-get update",
            "COPY a /a",
            "RUN apt-get install -y --no-install-recommends tini",
            "COPY b /b",
            "RUN apt-get install -y --no-install-recommends jq",
        )
        assert after(text) == stage(
            "COPY a /a",
            f"RUN apt-get update && apt-get install -y --no-install-recommends tini && \\\n    {LISTS}",
            "COPY b /b",
            f"RUN apt-get update && apt-get install -y --no-install-recommends jq && \\\n    {LISTS}",
        )

    def test_an_install_that_only_sometimes_runs_is_left(self) -> None:
        text = stage(
            "RUN apt-get update",
            "ARG X",
            'RUN if [ -n "$X" ]; then apt-get install -y --no-install-recommends jq; fi',
        )
        assert "needs the lists that another RUN fetched" in reason(text)


class TestMerged:
    def test_comments_and_lists_stay(self) -> None:
        install = "RUN apt-get update && apt-get install -y --no-install-recommends \\\n"
        first = f"{install}    # init\n    tini \\\n"
        second = f"{install}    # json\n    jq \\\n    tini \\\n"
        text = stage(f"{first}    && {LISTS}", f"{second}    # last\n    less \\\n    && {LISTS}")
        assert after(text) == stage(f"{first}    # json\n    jq \\\n    # last\n    less \\\n    && {LISTS}")

    def test_the_comment_of_a_package_that_is_there_goes(self) -> None:
        run = "RUN apt-get update && apt-get install -y --no-install-recommends \\\n"
        second = f"{run}    # once more\n    tini \\\n    # json\n    jq && {LISTS}"
        done = after(stage(f"{run}    tini && {LISTS}", second))
        assert done == stage(f"{run}    tini \\\n    # json\n    jq && {LISTS}")

    def test_a_pragma_is_for_the_line_below_it(self) -> None:
        pragma = "# hadolint ignore=DL3008"
        assert after(stage(pragma, install("tini"), pragma, install("jq"))) == stage(
            pragma, install("tini jq")
        )
        assert "every apt install" in reason(stage(install("tini"), pragma, install("jq")))

    def test_on_one_line(self) -> None:
        assert after(stage(install("tini"), install("jq tini"))) == stage(install("tini jq"))

    @pytest.mark.parametrize(
        "between",
        [
            pytest.param(["WORKDIR /x"], id="an instruction"),
            pytest.param(["USER root"], id="a user"),
            pytest.param(["RUN echo deb http://x.org x >> /etc/apt/sources.list"], id="a source"),
        ],
    )
    def test_not_with_something_between(self, between: list[str]) -> None:
        assert "every apt install" in reason(stage(install("tini"), *between, install("jq")))

    def test_not_with_other_options_or_commands(self) -> None:
        backports = install("-t bookworm-backports jq")
        assert "every apt install" in reason(stage(install("tini"), backports))
        assert "every apt install" in reason(stage(install("tini"), f"{install('jq')} && jq --version"))


def test_declines_without_apt() -> None:
    assert reason(stage("RUN pip install x")) == "nothing is installed with apt"
