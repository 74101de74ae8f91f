"""Which build tools a Dockerfile goes without: only what nothing in a stage of the build can need."""

from collections.abc import Mapping

import dockerfile as buildkit
import pytest
from msgspec.structs import replace

from phasewise.model.census import Built, Census, Distribution
from phasewise.model.debian.needless_tools import Trimmed, without_tools
from phasewise.model.phase import FileEdit
from phasewise.model.repo import BuildReference, Purpose, RepoView, Target

SITE = "/opt/venv/lib/python3.12/site-packages"
TOOLS = "RUN apt-get update && apt-get install -y gcc libpq-dev git && rm -rf /var/lib/apt/lists/*\n"
INSTALL = "COPY requirements-ci.txt .\nRUN pip install -r requirements-ci.txt\n"
FINAL = (
    "\nFROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n"
    'RUN useradd app\nCMD ["/opt/venv/bin/app"]\n'
)


def distribution(name: str, built: Built = Built.ELSEWHERE, origin: str = "") -> Distribution:
    return Distribution(name, "1.2", SITE, 1, built=built, origin=origin)


WHEELS = (distribution("fastapi", Built.PURE), distribution("numpy"), distribution("torch", Built.HERE))


def census(*others: Distribution) -> Census:
    return Census(10, (), 10, distributions=(*WHEELS, *others))


def view_of(
    builder: str, *, final: str = FINAL, inside: Census | None = None, files: Mapping[str, str] | None = None
) -> RepoView:
    text = f"FROM python:3.12-slim AS builder\n{builder}{final}"
    everything = {"requirements-ci.txt": "fastapi==1.2\nnumpy>=1\n", **(files or {}), "Dockerfile": text}
    return RepoView(Target("Dockerfile"), everything, frozenset(everything), census=inside or census())


def trimmed(view: RepoView) -> Trimmed:
    found = without_tools(view, {"torch"})
    buildkit.parse_string(found.text)
    return found


def builder_of(found: Trimmed) -> str:
    return found.text.removeprefix("FROM python:3.12-slim AS builder\n").partition("\nFROM")[0]


def test_the_step_goes_with_its_comment_when_everything_comes_built() -> None:
    found = trimmed(view_of(f"# to compile\n{TOOLS}\n{INSTALL}"))
    assert builder_of(found) == f"\n{INSTALL}"
    assert found.gone == ("gcc", "libpq-dev", "git")
    assert not found.stay


@pytest.mark.parametrize(
    ("step", "left"),
    [
        (
            "RUN apt-get update && apt-get install -y \\\n    # compile\n    gcc g++ \\\n    # locales\n    tzdata\n",
            "RUN apt-get update && apt-get install -y \\\n    # locales\n    tzdata\n",
        ),
        (
            "RUN --mount=type=cache,target=/var/cache/apt rm -f /etc/apt/apt.conf.d/docker-clean \\\n"
            "    && apt-get update && apt-get install -y build-essential\n",
            "",
        ),
        (
            "RUN <<EOF\nset -e\napt-get update\napt-get install -y gcc cmake\nmkdir /data\nEOF\n",
            "RUN <<EOF\nset -e\nmkdir /data\nEOF\n",
        ),
        (
            "RUN apt-get update && apt-get install -y gcc g++ && strip /opt/x.so\n",
            "RUN apt-get update && apt-get install -y binutils && strip /opt/x.so\n",
        ),
        (
            "RUN apt-get update && apt-get install -y gcc curl\nRUN curl -fsSLo /opt/model https://x.org/model\n",
            "RUN apt-get update && apt-get install -y curl\nRUN curl -fsSLo /opt/model https://x.org/model\n",
        ),
    ],
)
def test_what_else_a_step_does_stays(step: str, left: str) -> None:
    assert builder_of(trimmed(view_of(f"{step}{INSTALL}"))) == f"{left}{INSTALL}"


def test_tools_that_a_step_takes_away_itself_go_from_the_image_that_runs_too() -> None:
    final = (
        "\nFROM python:3.12-slim\nCOPY requirements-ci.txt .\n"
        "RUN apt-get update && apt-get install -y gcc libpq5 \\\n    && pip install -r requirements-ci.txt \\\n"
        "    && apt-get purge -y --auto-remove gcc \\\n    && rm -rf /var/lib/apt/lists/*\n"
    )
    assert trimmed(view_of("", final=final)).text.endswith(
        "RUN apt-get update && apt-get install -y libpq5 \\\n    && pip install -r requirements-ci.txt \\\n"
        "    && rm -rf /var/lib/apt/lists/*\n"
    )


@pytest.mark.parametrize(
    "harmless",
    [
        "RUN python -m venv /opt/venv && /opt/venv/bin/pip install --upgrade pip setuptools wheel\n",
        "RUN find /opt/venv -name '*.pyc' -delete && rm -rf /root/.cache && mkdir -p /data\n",
        'RUN /opt/venv/bin/python -c \'import shutil, subprocess; subprocess.run(["pip", "check"])\'\n',
        "RUN . /opt/venv/bin/activate && python -m compileall /opt/venv\n",
        "RUN apt-get update && apt-get install -y tzdata\n",
        "RUN echo made with gcc\n",
        'ENV PATH="/opt/venv/bin:$PATH"\nARG VERSION=1\nWORKDIR /src\n',
    ],
)
def test_steps_that_compile_nothing(harmless: str) -> None:
    assert trimmed(view_of(f"{TOOLS}{harmless}{INSTALL}")).gone == ("gcc", "libpq-dev", "git")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("RUN make -C native\n", "calls make, which may compile something"),
        ("RUN python setup.py build_ext\n", "calls python, which may compile"),
        ("RUN python -c 'import cffi; cffi.build()'\n", "calls python, which may compile"),
        ("RUN python -c 'import ctypes.util'\n", "calls python, which may compile"),
        ("RUN pip wheel -w /wheels .\n", "calls pip, which may compile"),
        ("RUN uv sync\n", "calls uv, which may compile"),
        ("RUN ./build.sh\n", "calls ./build.sh, which may compile"),
        ("RUN . /opt/build.sh\n", "calls ., which may compile"),
        ("RUN curl -sSf https://x.org/install.sh | sh\n", "calls sh, which may compile"),
        ("RUN npm ci\n", "calls npm"),
        ("ONBUILD RUN make\n", "cannot be read"),
        ("RUN apt-get install -y tzdata\n", "uses the package lists of another step"),
        ("RUN apt-get update && apt-get purge -y gcc\n", "removes them again"),
        ("RUN pip install $EXTRA\n", "what $EXTRA installs is not known"),
        ("RUN pip install -r other.txt\n", "what other.txt asks for is not known"),
        ("RUN pip install lxml\n", "lxml is not in the baseline's image"),
        ("RUN pip install numpy==2\n", "has numpy 1.2, not numpy==2"),
    ],
)
def test_steps_that_may_need_the_tools(step: str, said: str) -> None:
    view = view_of(f"{TOOLS}{INSTALL}{step}")
    found = trimmed(view)
    assert found.text == view.files["Dockerfile"]
    assert found.stay == ("gcc", "libpq-dev", "git")
    assert said in found.reason


@pytest.mark.parametrize(
    ("others", "lists", "said"),
    [
        ((distribution("psycopg2", Built.HERE),), {}, "psycopg2 is compiled from its source"),
        ((distribution("odd", Built.UNKNOWN),), {}, "whether odd is compiled is not known"),
        ((), {"requirements-ci.txt": "fastapi==1.3\n"}, "has fastapi 1.2, not fastapi==1.3"),
        ((), {"requirements-ci.txt": "fastapi\nredis\n"}, "redis is not in the baseline's image"),
        ((), {"requirements-ci.txt": "fastapi\n./libs/own\n"}, "what ./libs/own installs is not known"),
        ((), {"requirements-ci.txt": "-e ./libs/own\n"}, "is not known"),
        (
            (),
            {"requirements-ci.txt": "-c c.txt\nnumpy\n", "c.txt": "numpy==1.1\nscipy==1\n"},
            "not numpy==1.1",
        ),
    ],
)
def test_packages_that_may_be_compiled(
    others: tuple[Distribution, ...], lists: dict[str, str], said: str
) -> None:
    view = view_of(f"{TOOLS}{INSTALL}", inside=census(*others), files=lists)
    found = trimmed(view)
    assert found.text == view.files["Dockerfile"]
    assert said in found.reason


def test_packages_that_are_left_out_or_debians_do_not_count() -> None:
    debian = replace(
        distribution("apt-listchanges", Built.UNKNOWN), location="/usr/lib/python3/dist-packages"
    )
    lists = {
        "requirements-ci.txt": "-c c.txt\nnumpy\npywin32 ; sys_platform == 'win32'\n",
        "c.txt": "scipy==1\n",
    }
    assert trimmed(view_of(f"{TOOLS}{INSTALL}", inside=census(debian), files=lists)).gone


@pytest.mark.parametrize(
    ("install", "others"),
    [
        ("RUN pip install 'own @ git+https://x.org/own'\n", (distribution("own", Built.PURE),)),
        ("RUN pip install own\n", (distribution("own", Built.PURE, "vcs"),)),
        ("COPY . .\nRUN pip install --no-deps .\n", (distribution("own", Built.PURE, "folder"),)),
    ],
)
def test_git_stays_where_something_comes_from_a_repository(
    install: str, others: tuple[Distribution, ...]
) -> None:
    found = trimmed(view_of(f"{TOOLS}{INSTALL}{install}", inside=census(*others)))
    assert found.gone == ("gcc", "libpq-dev")
    assert "apt-get install -y git " in found.text


def test_a_project_that_was_not_seen_built_keeps_the_tools() -> None:
    found = trimmed(view_of(f"{TOOLS}{INSTALL}COPY . .\nRUN pip install --no-deps .\n"))
    assert "how the project itself is built is not known" in found.reason


@pytest.mark.parametrize(
    "final",
    [
        "\nFROM builder\nCMD python\n",
        f"\nFROM builder AS test\nRUN mkdir /x\n{FINAL}",
    ],
)
def test_an_image_that_runs_keeps_its_tools(final: str) -> None:
    view = view_of(f"{TOOLS}{INSTALL}", final=final)
    assert trimmed(view) == Trimmed(view.files["Dockerfile"])


def test_a_stage_that_is_built_by_name_keeps_its_tools() -> None:
    view = view_of(f"{TOOLS}{INSTALL}")
    build = BuildReference("ci.yml", 1, "", "Dockerfile", ".", "builder", Purpose.TEST, "jobs.a.steps[0]")
    assert not trimmed(replace(view, builds=(build,))).gone


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        ("COPY --from=builder /usr/lib/x86_64-linux-gnu/libpq.so.5 /usr/lib/\n", "copies /usr/lib/x86"),
        ("COPY --from=builder / /\n", "copies / from the stage"),
        ("COPY --from=0 /usr /usr\n", "copies /usr from the stage"),
        ("RUN --mount=from=builder,target=/b cp /b/usr/bin/git /usr/bin\n", "mounts / of the stage"),
        ("RUN --mount=from=BUILDER,src=usr/bin,dst=/b cp /b/git /usr/bin\n", "mounts usr/bin of the stage"),
        (
            "RUN --mount=from=builder,source=$WHERE,target=/b cp /b/git /usr/bin\n",
            "mounts $WHERE of the stage",
        ),
    ],
)
def test_files_of_the_tools_that_another_stage_takes(copy: str, said: str) -> None:
    assert said in trimmed(view_of(f"{TOOLS}{INSTALL}", final=f"{FINAL}{copy}")).reason


def test_what_pip_puts_into_usr_local_may_be_copied() -> None:
    final = f"{FINAL}COPY --from=builder /usr/local/lib/python3.12/ /usr/local/lib/python3.12/\n"
    assert trimmed(view_of(f"{TOOLS}{INSTALL}", final=final)).gone


def test_a_tool_of_its_own_may_be_lent_to_another_stage() -> None:
    lent = "RUN --mount=type=bind,from=builder,source=/root/.local/bin/uv,target=/tmp/uv /tmp/uv --version\n"
    assert trimmed(view_of(f"{TOOLS}{INSTALL}", final=f"{FINAL}{lent}")).gone


def test_another_python_or_platform_is_not_known() -> None:
    view = view_of(f"{TOOLS}{INSTALL}")
    other = view.files["Dockerfile"].replace("3.12", "3.13")
    assert "another version of Python" in trimmed(view.with_edits([edit(other)])).reason
    other = view.files["Dockerfile"].replace("FROM python", "FROM --platform=linux/arm64 python", 1)
    assert "platform of its own" in trimmed(view.with_edits([edit(other)])).reason


def test_what_another_stage_installs_is_not_called_gone() -> None:
    final = FINAL.replace("RUN useradd app", "RUN apt-get update && apt-get install -y curl")
    step = "RUN apt-get update && apt-get install -y gcc curl\n"
    found = trimmed(view_of(f"{step}{INSTALL}", final=final))
    assert builder_of(found) == INSTALL
    assert found.gone == ("gcc",)


def test_nothing_is_known_without_a_census() -> None:
    view = replace(view_of(f"{TOOLS}{INSTALL}"), census=None)
    assert trimmed(view) == Trimmed(view.files["Dockerfile"])
    shallow = replace(view, census=Census(10, (), 10, note="only the layers"))
    assert "what the baseline's image holds is not known" in trimmed(shallow).reason


def test_python_of_debian_keeps_its_headers() -> None:
    step = "RUN apt-get update && apt-get install -y gcc python3-dev\n"
    view = view_of(f"{step}{INSTALL}")
    debian = edit(view.files["Dockerfile"].replace("python:3.12-slim", "debian:bookworm-slim"))
    assert trimmed(view.with_edits([debian])).gone == ("gcc",)
    assert trimmed(view).gone == ("gcc", "python3-dev")


def edit(text: str) -> FileEdit:
    return FileEdit("Dockerfile", "", text)
