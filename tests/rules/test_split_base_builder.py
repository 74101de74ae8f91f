"""Splits of many shapes: the text, what is kept and why, what it predicts, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dockerfile as buildkit
import pytest
from asking import Asking, repository

from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Declined, Phase, Provenance, Risk
from phasewise.model.repo import RepoView, Target
from phasewise.rules.drop_compileall import DropCompileall
from phasewise.rules.split_base_builder import SplitBaseBuilder

CASES = sorted(path for path in Path(__file__).with_name("split_base_builder").iterdir() if path.is_dir())
RULE = SplitBaseBuilder()

INHERITED = r"""FROM {image} AS base
RUN apt-get update && apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*
WORKDIR /app

FROM base AS {name}
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install -r requirements.txt

FROM base
COPY --from={name} /opt/venv /opt/venv
COPY . .
{more}
CMD ["/opt/venv/bin/python", "main.py"]
"""


def view(text: str, stage: str | None = None, census: Census | None = None, **files: str) -> RepoView:
    texts = {
        "requirements.txt": "psycopg2\n",
        **{name.replace("_dot_", "."): text for name, text in files.items()},
        "Dockerfile": text,
    }
    return repository(texts, census, stage=stage)


ask = Asking(RULE, view)
phase, after, reason = ask.phase, ask.after, ask.reason


def inherited(
    packages: str, *, image: str = "python:3.12-slim", name: str = "builder", more: str = "EXPOSE 80"
) -> str:
    return INHERITED.format(image=image, packages=packages, name=name, more=more)


def installed(text: str, stage: str | None = None) -> str:
    """The lines of the stage's lineage that install Debian's packages."""
    dockerfile = Dockerfile.parse(text)
    return "\n".join(
        instruction.value
        for ancestor in dockerfile.lineage(dockerfile.stage(stage))
        for instruction in ancestor.instructions
        if "apt-get install" in instruction.value
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cases(case: Path) -> None:
    files = {
        str(path.relative_to(case / "files")): path.read_text()
        for path in (case / "files").rglob("*")
        if path.is_file()
    }
    files["Dockerfile"] = (case / "before.Dockerfile").read_text()
    seen = repository(files)
    text = after(seen)
    assert text == (case / "after.Dockerfile").read_text()
    assert text == after(seen)
    assert isinstance(RULE.propose(seen.with_edits(phase(seen).edits), {}), Declined)
    ours = [(i.keyword, i.line) for i in Dockerfile.parse(text).instructions]
    assert ours == [(command.cmd.upper(), command.start_line) for command in buildkit.parse_string(text)]


class TestPackages:
    @pytest.mark.parametrize(
        ("image", "headers", "libraries"),
        [
            ("python:3.12-slim", "libssl-dev", "libssl3"),
            ("python:3.12-slim-bookworm", "libssl-dev", "libssl3"),
            ("python:3.12-slim-trixie", "libssl-dev", "libssl3t64"),
            ("python:3.12-slim-bullseye", "libffi-dev", "libffi7"),
            ("python:3.12-slim-bookworm", "libicu-dev", "libicu72"),
            ("python:3.12-slim", "default-libmysqlclient-dev", "libmariadb3"),
        ],
    )
    def test_headers_become_the_library_of_the_release(
        self, image: str, headers: str, libraries: str
    ) -> None:
        text = after(view(inherited(f"gcc {headers}", image=image)))
        assert installed(text).split("--no-install-recommends ")[1].split(" &&")[0] == libraries

    def test_the_release_is_seen_in_the_measured_image(self) -> None:
        census = Census(1, (), 1, apt_packages={"libssl3t64": 1})
        assert "libssl3t64" in installed(after(view(inherited("gcc libssl-dev"), census=census)))

    def test_headers_of_an_unknown_library_stay(self) -> None:
        seen = view(inherited("gcc libicu-dev"))
        assert "libicu-dev" in installed(after(seen))
        assert "libicu-dev stays: its library is not known" in phase(seen).why

    def test_a_wheel_with_its_own_library_needs_none(self) -> None:
        seen = view(inherited("gcc libpq-dev tini"), requirements_dot_txt="psycopg2-binary==2.9.11\n")
        assert "libpq5" not in installed(after(seen))

    def test_beside_a_driver_from_source_it_does(self) -> None:
        seen = view(inherited("gcc libpq-dev"), requirements_dot_txt="psycopg2-binary\npsycopg2\n")
        assert "libpq5" in installed(after(seen))

    def test_openmp_stays_where_it_is_linked(self) -> None:
        assert "libgomp1" in installed(after(view(inherited("gcc"), requirements_dot_txt="lightgbm\n")))

    def test_fortran_leaves_its_library(self) -> None:
        assert "libgfortran5" in installed(after(view(inherited("gfortran"))))

    def test_a_library_loaded_without_version_keeps_its_headers(self) -> None:
        seen = view(inherited("gcc libmagic-dev"), main_dot_py='import ctypes\nctypes.CDLL("libmagic.so")\n')
        assert "libmagic-dev" in installed(after(seen))

    @pytest.mark.parametrize("package", ["pytensor", "PyMC==5"])
    def test_a_compiler_that_a_package_calls_stays(self, package: str) -> None:
        said = reason(view(inherited("g++"), requirements_dot_txt=f"numpy\n{package}\n"))
        assert "requirements.txt:2" in said

    def test_git_for_gitpython_stays(self) -> None:
        seen = view(inherited("gcc git"), requirements_dot_txt="GitPython\n")
        assert "git" in installed(after(seen))

    def test_what_a_health_check_calls_stays_and_the_rest_is_named_as_price(self) -> None:
        seen = view(inherited("gcc curl wget", more="HEALTHCHECK CMD curl -f http://localhost/"))
        assert " curl " in installed(after(seen))
        assert " wget " not in installed(after(seen))
        assert phase(seen).costs == "wget: no longer at hand in a running container"

    def test_certificates_and_servers_are_no_build_tools(self) -> None:
        text = installed(after(view(inherited("gcc ca-certificates postgresql-client tini"))))
        assert "ca-certificates postgresql-client tini" in text

    def test_a_tool_that_a_later_run_calls_stays(self) -> None:
        seen = view(inherited("gcc git", more="RUN git config --system safe.directory /app"))
        assert " git " in installed(after(seen))


class TestStages:
    def test_a_name_that_is_taken_is_not_used_again(self) -> None:
        text = after(
            view(r"""FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y gcc
FROM base AS development
RUN pip install psycopg2
FROM base AS BUILDER
RUN python -m venv /venv && /venv/bin/pip install psycopg2
FROM base
COPY --from=BUILDER /venv /venv
CMD ["/venv/bin/python"]
""")
        )
        names = [stage.name for stage in Dockerfile.parse(text).stages]
        assert names == ["base", "build-base", "development", "BUILDER", None]

    def test_a_stage_on_top_of_the_service_gets_the_tools_to_install_with(self) -> None:
        text = after(
            view(
                """FROM python:3.12-slim AS service
RUN apt-get update && apt-get install -y gcc
COPY requirements.txt .
RUN pip install -r requirements.txt
CMD ["python", "main.py"]

FROM service AS tests
RUN pip install -r requirements-test.txt

FROM service AS shell
CMD ["bash"]
""",
                stage="service",
            )
        )
        assert "gcc" in installed(text, "tests")
        assert "gcc" not in installed(text, "service")
        assert "gcc" not in installed(text, "shell")

    @pytest.mark.parametrize(
        ("code", "costs"),
        [("COPY app app\n", "dev installs its build tools again after every change of code"), ("", "")],
    )
    def test_a_stage_that_gets_tools_behind_the_code_is_named_as_price(self, code: str, costs: str) -> None:
        text = (
            "FROM python:3.12-slim AS base\nRUN apt-get update && apt-get install -y gcc\n"
            f"COPY requirements.txt .\nRUN pip install -r requirements.txt\n{code}\n"
            "FROM base AS dev\nRUN pip install pytest\n\nFROM base AS prod\n"
        )
        assert phase(view(text, stage="prod")).costs == costs

    def test_stages_that_have_nothing_to_do_with_it_stay_as_they_are(self) -> None:
        other = "FROM node:22-slim AS assets\nRUN apt-get update && apt-get install -y g++\nRUN npm ci\n\n"
        assert after(view(other + inherited("gcc"))).startswith(other)

    def test_numbered_stages_keep_their_numbers(self) -> None:
        text = """FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y gcc
FROM base
RUN python -m venv /venv && /venv/bin/pip install psycopg2
FROM base AS development
RUN pip install psycopg2
FROM base
COPY --from=1 /venv /venv
CMD ["/venv/bin/python"]
"""
        assert len(Dockerfile.parse(after(view(text))).stages) == 4

    def test_one_stage_with_a_numbered_copy_is_not_split(self) -> None:
        text = "FROM node:22 AS assets\nFROM python:3.12-slim\nRUN apt-get update && apt-get install -y gcc\n"
        text += "COPY --from=0 /dist /dist\nRUN pip install psycopg2\n"
        assert "by its number" in reason(view(text))

    def test_who_builds_on_a_base_with_a_user_installs_tools_as_root(self) -> None:
        split = Dockerfile.parse(
            after(
                view("""FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y gcc
RUN useradd -m app
USER app
FROM base AS builder
RUN python -m venv /tmp/venv && /tmp/venv/bin/pip install psycopg2
FROM base
COPY --from=builder /tmp/venv /tmp/venv
CMD ["/tmp/venv/bin/python"]
""")
            )
        )
        builder = split.stage("builder")
        tools, build = (i for i in builder.instructions if i.keyword == "RUN")
        assert (split.user(tools), split.user(build)) == ("root", "app")

    def test_uv_stays_where_the_service_installs_with_it_too(self) -> None:
        text = after(
            view("""FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y gcc
RUN pip install uv
FROM base AS builder
RUN uv venv /venv && uv pip install --python /venv/bin/python psycopg2
FROM base
COPY --from=builder /venv /venv
COPY . .
RUN uv pip install --python /venv/bin/python --no-deps .
CMD ["/venv/bin/python"]
""")
        )
        assert [i.value for i in Dockerfile.parse(text).stages[0].instructions][1:] == ["pip install uv"]

    def test_a_run_that_installs_both_is_done_on_both_sides(self) -> None:
        text = after(
            view("""FROM python:3.12-slim
COPY requirements.txt .
RUN apt-get update && apt-get install -y gcc tini && pip install -r requirements.txt && rm -rf /var/lib/apt/lists/*
CMD ["tini", "python"]
""")
        )
        assert "RUN apt-get update && apt-get install -y tini && rm -rf /var/lib/apt/lists/*\n" in text
        assert "apt-get install -y gcc && pip install -r requirements.txt && rm" in text

    def test_an_environment_is_made_where_nothing_else_is(self) -> None:
        text = after(
            view("""FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc
COPY --from=registry.example/plugins /opt/venv /opt/venv
RUN pip install psycopg2
CMD ["python"]
""")
        )
        assert "COPY --from=builder /venv /venv" in text
        assert 'ENV PATH="/venv/bin:$PATH"' in text

    @pytest.mark.parametrize(
        ("start", "copied"),
        [
            ('ENTRYPOINT ["entrypoint.sh"]', "/opt/venv"),
            ('ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]', "/opt/venv"),
            ('CMD ["/usr/local/bin/gunicorn", "app:app"]', "/usr/local/bin"),
            ("CMD /usr/local/bin/python -m app", "/usr/local/bin"),
            ('CMD ["su", "-", "app", "-c", "gunicorn"]', "/usr/local/bin"),
            ("CMD su app -c gunicorn", "/opt/venv"),
            ("CMD su - app -c gunicorn", "/usr/local/bin"),
        ],
    )
    def test_what_is_called_in_the_systems_folders_is_found_there(self, start: str, copied: str) -> None:
        text = after(
            view(f"""FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc
COPY entrypoint.sh /usr/local/bin/
RUN chmod +x /usr/local/bin/entrypoint.sh
RUN pip install gunicorn
{start}
""")
        )
        assert f"COPY --from=builder {copied} {copied}\n" in text

    def test_what_comes_from_other_images_is_in_the_final_one(self) -> None:
        split = Dockerfile.parse(
            after(
                view("""FROM node:22-slim AS assets
FROM python:3.12-slim
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /uvx /bin/
RUN apt-get update && apt-get install -y gcc
COPY --from=mwader/static-ffmpeg:7 /ffmpeg /usr/local/bin/
COPY --from=assets /dist /srv/static
COPY --from=assets /wheels /wheels
RUN uv pip install --system /wheels/*.whl
CMD ["python"]
""")
            )
        )
        copied = {
            name: [i.value.split()[0] for i in split.stage(name).instructions if i.keyword == "COPY"]
            for name in ("builder", "runtime")
        }
        assert copied == {"builder": ["/uv", "/wheels"], "runtime": ["/opt/venv", "/ffmpeg", "/dist"]}

    def test_an_owner_is_set_behind_the_files_it_is_set_on(self) -> None:
        split = Dockerfile.parse(
            after(
                view("""FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc
COPY . /app
RUN useradd app && chown -R app:app /app/data
RUN pip install -r /app/requirements.txt
CMD ["python"]
""")
            )
        )
        runtime = [i.keyword for i in split.stage(None).instructions]
        assert runtime == ["FROM", "COPY", "COPY", "RUN", "CMD"]
        assert "useradd" not in split.stage("builder").instructions[-1].value

    def test_tools_that_come_after_the_last_install_just_go(self) -> None:
        text = after(
            view("""FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc
RUN pip install psycopg2
RUN apt-get install -y g++ tini
CMD ["tini", "python"]
""")
        )
        assert "g++" not in text
        assert "RUN apt-get install -y tini\n" in text

    @pytest.mark.parametrize(
        ("script", "clean", "tools"),
        [
            (
                "for i in 1 2 3; do apt-get update && apt-get install -y gcc curl && break || sleep 5; done",
                "for i in 1 2 3; do apt-get update && apt-get install -y curl && break || sleep 5; done",
                "for i in 1 2 3; do apt-get update && apt-get install -y gcc && break || sleep 5; done",
            ),
            (
                'for i in 1 2 3; do apt-get update && apt-get install -y gcc && break || (echo "$i" && sleep 5); '
                "done && useradd app",
                "useradd app",
                'for i in 1 2 3; do apt-get update && apt-get install -y gcc && break || (echo "$i" && sleep 5); '
                "done",
            ),
            (
                "n=0; until [ $n = 3 ]; do apt-get update && apt-get install -y gcc curl && break; n=$((n+1)); done",
                "n=0; until [ $n = 3 ]; do apt-get update && apt-get install -y curl && break; n=$((n+1)); done",
                "n=0; until [ $n = 3 ]; do apt-get update && apt-get install -y gcc && break; n=$((n+1)); done",
            ),
            (
                "apt-get update || exit 1; apt-get install -y gcc curl || { echo no; exit 1; }; useradd app",
                "apt-get update || exit 1; apt-get install -y curl || { echo no; exit 1; }; useradd app",
                "apt-get update || exit 1; apt-get install -y gcc || { echo no; exit 1; }",
            ),
        ],
    )
    def test_each_side_tries_again_and_stops_as_before(self, script: str, clean: str, tools: str) -> None:
        text = after(
            view(f"FROM python:3.12-slim\nRUN {script}\nRUN pip install psycopg2\nHEALTHCHECK CMD curl x\n")
        )
        base, _, rest = text.partition("AS builder")
        assert f"RUN {clean}\n" in base
        assert f"RUN {tools}\n" in rest

    def test_a_loop_that_does_more_than_to_try_again_is_not_divided(self) -> None:
        loop = "for i in 1 2; do apt-get update && apt-get install -y gcc curl && touch /x && break; done"
        text = f"FROM python:3.12-slim\nRUN {loop}\nRUN pip install psycopg2\nHEALTHCHECK CMD curl x\n"
        assert reason(view(text)).endswith("line 2: the loop around the packages does more than to try again")

    def test_cleaning_the_environment_goes_with_it_and_cleaning_the_application_does_not(self) -> None:
        split = Dockerfile.parse(
            after(
                view("""FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc
RUN python -m venv /venv && /venv/bin/pip install psycopg2
RUN find /venv -name tests -exec rm -rf {} +
RUN find /app -name tests -exec rm -rf {} +
CMD ["/venv/bin/python"]
""")
            )
        )
        assert "find /venv" in split.stage("builder").instructions[-1].value
        assert any("find /app" in i.value for i in split.stage("runtime").instructions)


class TestConfiguration:
    def test_an_argument_that_a_variable_takes_up_is_there_before_it(self) -> None:
        split = Dockerfile.parse(
            after(
                view("""FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc
ARG RELEASE=1
ENV RELEASE=${RELEASE}
RUN pip install psycopg2
CMD ["python"]
""")
            )
        )
        keywords = [i.keyword for i in split.stages[0].instructions]
        assert keywords.index("ARG") < keywords.index("ENV")
        assert split.variables(split.stage(None).instructions[-1])["RELEASE"] == "1"

    TEXT = r"""# syntax=docker/dockerfile:1
ARG TAG=3.12-slim

# The service
FROM --platform=linux/amd64 python:${TAG} AS service
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
LABEL maintainer="us"
ENV PYTHONUNBUFFERED=1
ARG PIP_INDEX_URL
RUN apt-get update && apt-get install -y --no-install-recommends gcc libffi-dev

# ------------------------------------------------------------
# Packages
# ------------------------------------------------------------

WORKDIR /srv
COPY requirements.txt .
RUN --mount=type=secret,id=netrc,target=/root/.netrc pip install -r requirements.txt
ENV MODE=production
EXPOSE 8000
VOLUME ["/data"]
STOPSIGNAL SIGINT

# Not root
RUN useradd --uid 1000 app
USER app
COPY --chown=app main.py ./
HEALTHCHECK --interval=5s CMD ["python", "-c", "pass"]
ENTRYPOINT ["python"]
CMD ["main.py"]
"""

    def test_everything_survives_in_the_final_image(self) -> None:
        before, split = Dockerfile.parse(self.TEXT), Dockerfile.parse(after(view(self.TEXT)))
        final = [i for s in split.lineage(split.stage("service")) for i in s.instructions]
        for instruction in before.stages[0].instructions[1:]:
            if instruction.keyword in ("RUN", "COPY"):
                continue
            assert (instruction.keyword, instruction.value) in {(i.keyword, i.value) for i in final}
        order = [i.keyword for i in final if i.keyword in ("USER", "HEALTHCHECK", "ENTRYPOINT", "CMD")]
        assert order == ["USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"]

    def test_directives_comments_and_platform_survive(self) -> None:
        text = after(view(self.TEXT))
        assert text.startswith("# syntax=docker/dockerfile:1\nARG TAG=3.12-slim\n\n# The service\n")
        assert "FROM --platform=linux/amd64 python:${TAG} AS base\n" in text
        assert "# Packages\n" in text
        assert "# Not root\nRUN useradd" in text

    def test_the_builder_has_what_the_install_was_given(self) -> None:
        split = Dockerfile.parse(after(view(self.TEXT)))
        builder = split.stage("builder")
        install = next(i for i in builder.instructions if "pip install" in i.value)
        assert install.flags_named("mount") == ("type=secret,id=netrc,target=/root/.netrc",)
        assert split.workdir(install) == "/srv"
        assert split.shell(install) == ("/bin/bash", "-o", "pipefail", "-c")
        assert any(i.keyword == "ARG" and i.value == "PIP_INDEX_URL" for i in split.stages[0].instructions)

    def test_the_environment_is_on_path_on_both_sides(self) -> None:
        split = Dockerfile.parse(after(view(self.TEXT)))
        for name in ("builder", "service"):
            last = split.stage(name).instructions[-1]
            assert split.variables(last)["PATH"] == "/opt/venv/bin:$PATH"


class TestReport:
    def test_evidence_has_the_commits_that_brought_the_tools_in(self) -> None:
        text = inherited("gcc", more="RUN chown -R 1000:1000 /opt/venv")
        commit = Provenance("c0ffee", "Ada", datetime(2025, 1, 1, tzinfo=UTC), "fix: compilers")
        seen = RepoView(
            Target("Dockerfile"),
            {"Dockerfile": text, "requirements.txt": ""},
            frozenset({"Dockerfile", "requirements.txt"}),
            introduced={("Dockerfile", 2): commit},
        )
        tools, chown = phase(seen).evidence
        assert (tools.line, tools.provenance) == (2, commit)
        assert chown.text == "RUN chown -R 1000:1000 /opt/venv"

    def test_without_a_census_there_is_no_number(self) -> None:
        assert phase(view(inherited("gcc"))).predicted.image_bytes is None

    def test_the_prediction_is_what_the_census_has(self) -> None:
        chown = "RUN /bin/sh -c chown -R 1000:1000 /opt/venv # buildkit"
        census = Census(
            image_bytes=1000,
            layers=(Layer("RUN /bin/sh -c apt-get update", 300), Layer(chown, 400)),
            file_bytes=600,
            apt_packages={"gcc": 10, "gcc-12": 20, "binutils": 5, "libc6": 100, "curl": 7, "libpq-dev": 3},
        )
        text = inherited(
            "gcc libpq-dev curl", more="RUN chown -R 1000:1000 /opt/venv\nHEALTHCHECK CMD curl x"
        )
        assert phase(view(text, census=census)).predicted.image_bytes == -(10 + 20 + 5 + 3 + 400)

    @pytest.mark.parametrize(
        ("compiles", "layer"), [("RUN python -m compileall -b /opt/venv\n", 400), ("", 330)]
    )
    def test_bytecode_that_another_phase_took_out_is_not_written_again(
        self, compiles: str, layer: int
    ) -> None:
        chown = Layer("RUN /bin/sh -c chown -R 1000:1000 /opt/venv # buildkit", 400)
        census = Census(
            1000, (chown,), 600, (), {"gcc": 10}, legacy_bytecode_bytes={"/opt/venv/lib/python3.12": 70}
        )
        text = inherited("gcc", more="RUN chown -R 1000:1000 /opt/venv").replace(
            "\nFROM base\n", f"{compiles}\nFROM base\n"
        )
        assert phase(view(text, census=census)).predicted.image_bytes == -(10 + layer)

    def test_the_pip_of_a_new_environment_is_counted(self) -> None:
        pip = Distribution("pip", "25", "/usr/local/lib/python3.12/site-packages", 7)
        census = Census(1000, (), 600, (pip,), {"gcc": 10})
        one_stage = "FROM python:3.12-slim\nRUN apt-get install -y gcc\nRUN pip install psycopg2\nCMD x\n"
        assert phase(view(one_stage, census=census)).predicted.image_bytes == -(10 - 7)
        assert phase(view(inherited("gcc"), census=census)).predicted.image_bytes == -10

    def test_it_must_be_checked(self) -> None:
        found = phase(view(inherited("gcc libpq-dev")))
        assert found.risk is Risk.CHECK
        assert "libpq-dev becomes libpq5" in found.why

    def test_only_owners_have_a_title_of_their_own(self) -> None:
        text = inherited("tini", more="RUN chown -R 1000:1000 /opt/venv")
        assert phase(view(text)).title == "Copy files as their owner"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM python:3.12-slim\nRUN apt-get install -y gcc\nCMD python\n", "nothing is built"),
        (
            "FROM ubuntu:24.04\nRUN apt-get install -y gcc\nRUN pip install x\n",
            "line 1: ubuntu:24.04 is no `python` image, so where its pip puts packages is not known",
        ),
        (
            'FROM python:3.12-slim\nSHELL ["pwsh", "-c"]\nRUN apt-get install gcc\n',
            "line 3 is no shell script that can be read",
        ),
        (
            "FROM python:3.12-slim\nRUN apt-get install -y gcc\nRUN conda install x\nRUN pip install y\n",
            "line 3: packages are installed with conda",
        ),
        (
            "FROM python:3.12-slim\nRUN apt-get install -y gcc\nCOPY . .\nRUN ./prepare\nRUN pip install y\n",
            "line 4: whether this belongs to the build or to the service is not certain: ./prepare",
        ),
        (
            "FROM python:3.12-slim\nRUN apt-get install -y gcc\nRUN pip install y\nRUN python setup.py build_ext\n",
            "line 4: it compiles into the application's own directory",
        ),
        (
            "FROM python:3.12-slim\nRUN apt-get install -y gcc\nRUN pip install -t /a x\nRUN pip install -t /b y\n",
            "packages are installed into /a and /b",
        ),
        (
            "FROM python:3.12-slim\nRUN apt-get install -y gcc && pip install poetry\nRUN poetry install\n"
            'CMD ["poetry", "run", "x"]\n',
            "",
        ),
        (
            "FROM python:3.12-slim AS base\nRUN apt-get install -y gcc\nRUN pip install x\nFROM base\n"
            "RUN pip install y\n",
            "line 5: packages are installed in a stage and again on top of it",
        ),
        ('FROM scratch\nCOPY x /\nCMD ["/x"]\n', "no package manager"),
    ],
)
def test_refuses_with_the_reason(text: str, said: str) -> None:
    assert said in reason(view(text))


COMPILED = """FROM python:3.12-slim
RUN apt-get update && apt-get install -y build-essential
WORKDIR /app
COPY . .
RUN python -m compileall -q {folder}
RUN pip install -r requirements.txt
CMD ["python", "main.py"]
"""


@pytest.mark.parametrize("folder", ["/app", "."])
def test_bytecode_of_the_application_alone_goes_to_the_service(folder: str) -> None:
    builder, service = after(view(COMPILED.format(folder=folder))).split("AS runtime")
    assert "compileall" not in builder
    assert service.index("COPY . .") < service.index(f"compileall -q {folder}")


@pytest.mark.parametrize("folder", ["/", "/usr/local/lib", "$WHERE"])
def test_bytecode_of_what_is_installed_has_no_certain_side(folder: str) -> None:
    assert "not certain: python -m compileall" in reason(view(COMPILED.format(folder=folder)))


def test_the_split_comes_after_the_choice_to_compile_the_application_only() -> None:
    text = COMPILED.replace("RUN python -m compileall -q {folder}\n", "").replace(
        "requirements.txt\nCMD", "requirements.txt && python -m compileall -q .\nCMD"
    )
    seen = view(text)
    chosen = DropCompileall().propose(seen, {"bytecode": frozenset({"application"})})
    assert isinstance(chosen, Phase)
    service = after(seen.with_edits(chosen.edits)).split("AS runtime")[1]
    assert "compileall -q /app" in service


def test_a_stage_that_begins_as_root_gets_its_tools_behind_that() -> None:
    head = (
        "FROM python:3.12-slim AS deps\nRUN apt-get update && apt-get install -y gcc\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\nRUN useradd app\nUSER app\n\nFROM deps AS dev\n"
    )
    end = 'RUN pip install pytest\nUSER app\n\nFROM deps\nCMD ["python"]\n'
    tools = "# Only the build needs these.\nRUN apt-get update && apt-get install -y gcc\n\n"
    assert f"FROM deps AS dev\nUSER root\n\n{tools}RUN pip install pytest" in after(
        view(f"{head}USER root\n{end}")
    )
    assert f"FROM deps AS dev\n\nUSER root\n\n{tools}USER app\n\nRUN pip install" in after(view(head + end))


def test_says_whether_tools_move_or_are_left_out() -> None:
    built = (
        "FROM python:3.12-slim AS base\nRUN pip install poetry==1.8.3\n\nFROM base AS packages\n"
        "RUN apt-get update && apt-get install -y gcc libgmp-dev\nENV POETRY_VIRTUALENVS_IN_PROJECT=true\n"
        "WORKDIR /app\nCOPY pyproject.toml poetry.lock ./\nRUN poetry install --no-root\n\nFROM base\nWORKDIR /app\n"
        "RUN apt-get update && apt-get install -y curl libgmp-dev\nCOPY --from=packages /app/.venv /app/.venv\n"
        'CMD ["/app/.venv/bin/python"]\n'
    )
    left_out = phase(view(built)).why
    assert "curl and libgmp-dev, which it does without once it is built. They are left out of it" in left_out
    assert "to a builder" not in left_out
    assert "which only its build needs. They move to a builder" in phase(view(inherited("gcc libpq-dev"))).why
