"""What makes a wide COPY narrow, and what keeps it wide."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import Asking
from asking import view_of as view
from msgspec.structs import replace
from stories import truthgraph

from phasewise.migration.git import Repository
from phasewise.migration.scan import scan
from phasewise.migration.scan import view as read
from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import BuildReference, Purpose, RepoView, Target
from phasewise.rules.base import Rule
from phasewise.rules.narrow_copy_from import NarrowCopyFrom
from phasewise.rules.prune_site_packages import PruneSitePackages
from phasewise.rules.split_base_builder import SplitBaseBuilder
from phasewise.rules.strip_symbols import StripSymbols

SITE = "/usr/local/lib/python3.12/site-packages"
NARROW = f"COPY --from=deps /usr/local/bin /usr/local/bin\nCOPY --from=deps {SITE} {SITE}\n"
WIDE = "COPY --from=deps /usr/local /usr/local\n"
INSTALL = "FROM python:3.12-slim AS deps\nRUN pip install uvicorn\n"
SLIM = "FROM python:3.12-slim\n"


ask = Asking(NarrowCopyFrom())
after, reason = ask.after, ask.reason


def propose(
    dockerfile: str, files: dict[str, str] | None = None, census: Census | None = None
) -> Phase | Declined:
    return NarrowCopyFrom().propose(view(dockerfile, files, census), {})


HARMLESS = (
    "apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*",
    "pip install --upgrade pip && pip --version && pip list",
    "find /usr/local -name '*.so*' -exec strip --strip-unneeded {} + || true",
    "find /usr/local -type d -name tests | xargs rm -rf",
    'python -c "import uvicorn; print(uvicorn.__version__)"',
    "python -m compileall -q /usr/local/lib/python3.12",
    "python -m venv /opt/other && /opt/other/bin/pip install idna",
    "curl -fsSL https://example.org/x.tar.gz | tar xz -C /opt",
    "mkdir -p /data && touch /data/x",
    "cp -r /src/models /opt/models",
    "python -m spacy download en_core_web_sm",
    "pip wheel -w /wheels -r requirements.txt",
    "python -m pip download -d /wheels x",
    "uv --version && uv pip list",
)


@pytest.mark.parametrize("command", HARMLESS)
def test_steps_that_write_nothing_else_there(command: str) -> None:
    assert after(f"{INSTALL}RUN {command}\n{SLIM}{WIDE}").endswith(SLIM + NARROW)


UNCLEAR = (
    "make install",
    "./build.sh",
    "npm install -g corepack",
    "curl -fsSL https://example.org/x.tar.gz | tar xz -C /usr/local",
    "cd /usr/local/share && wget https://example.org/x.csv",
    "curl -o /usr/local/share/x https://example.org/x",
    "cp lib.so /usr/local/lib/",
    'cp lib.so "$WHERE"',
    "ln -s /opt/x/lib /usr/local/lib/x",
    "echo 1 > /usr/local/etc/x",
    "git clone https://example.org/x.git /usr/local/x",
    "python setup.py install",
    "python -c \"import nltk; nltk.download('punkt')\"",
    "python -c \"open('/usr/local/x', 'w')\"",
    "sed -i s/a/b/ /usr/local/lib/python3.12/site.py",
    "poetry install",
    "poetry add x",
    "uv tool install ruff",
    "pipx install ruff",
    "conda install x",
    "pip wheel -w /usr/local/wheels x",
    "jupyter labextension install x",
    "cargo install --root /usr/local x",
    "find / -name x -exec cp {} /usr/local/lib +",
)


@pytest.mark.parametrize("command", UNCLEAR)
def test_steps_that_may_write_something_else(command: str) -> None:
    assert "line 3" in reason(f"{INSTALL}RUN {command}\n{SLIM}{WIDE}")


def test_what_a_copy_brings_comes_along() -> None:
    text = f"{INSTALL}COPY tables/ /usr/local/share/tables/\n{SLIM}{WIDE}"
    assert after(text).endswith(f"{NARROW}COPY --from=deps /usr/local/share/tables /usr/local/share/tables\n")
    assert "copies files into /" in reason(f"{INSTALL}COPY rootfs/ /\n{SLIM}{WIDE}")


def test_flags_continuations_and_line_endings_stay() -> None:
    text = f"{INSTALL}{SLIM}COPY --link --from=deps \\\n  --chown=1:1 /usr/local/ \\\n  /usr/local\n# next\nUSER 1\n"
    flags = "--link --from=deps --chown=1:1"
    assert after(text).endswith(
        f"COPY {flags} /usr/local/bin /usr/local/bin\nCOPY {flags} {SITE} {SITE}\n# next\nUSER 1\n"
    )
    crlf = after(text.replace("\n", "\r\n"))
    assert "\n" not in crlf.replace("\r\n", "")


DIFFERENT = (
    ("python:3.12-slim", "python:3.13-slim"),
    ("python:3.12-slim", "python:3.12-alpine"),
    ("python:3.12-slim", "debian:bookworm-slim"),
    ("example.org/python:3.12", "python:3.12"),
    ("python:slim", "python:3.12-slim"),
    ("--platform=$BUILDPLATFORM python:3.12-slim", "python:3.12-slim"),
)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_pythons(one: str, other: str) -> None:
    assert "same Python" in reason(f"FROM {one} AS deps\nRUN pip install x\nFROM {other}\n{WIDE}")


def test_the_full_image_builds_for_the_slim_one() -> None:
    assert NARROW in after(f"FROM python:3.12.7 AS deps\nRUN pip install x\nFROM python:3.12.7-slim\n{WIDE}")


def test_an_unknown_version() -> None:
    assert "version of Python" in reason(
        f"FROM python:slim AS deps\nRUN pip install x\nFROM python:slim\n{WIDE}"
    )


def test_a_version_that_builds_set() -> None:
    text = "ARG V=3.12\nFROM python:${V}-slim AS deps\nRUN pip install x\nFROM python:${V}-slim\n" + WIDE
    build = BuildReference(
        "ci.yml", 1, "", "Dockerfile", ".", None, Purpose.TEST, "jobs", arguments=(("V", "3.13"),)
    )
    assert NARROW in after(text)
    declined = NarrowCopyFrom().propose(replace(view(text), builds=(build,)), {})
    assert isinstance(declined, Declined)
    assert "builds set V" in declined.reason


USER_SITE = "/root/.local/lib/python3.12/site-packages"


def test_flags_that_change_what_is_copied() -> None:
    for flag in ("--parents", "--exclude=*.pyc"):
        assert "no COPY" in reason(INSTALL + SLIM + WIDE.replace("COPY", f"COPY {flag}"))


def test_data_that_packages_record() -> None:
    tqdm = Distribution("x", "1", SITE, 1_000_000, data=("/usr/local/share/x",))
    other = Distribution("y", "1", "/opt/venv/lib/python3.12/site-packages", 5, data=("/opt/venv/share/y",))
    layers = (Layer("COPY /usr/local /usr/local # buildkit", 41_000_000),)
    census = Census(99_000_000, layers, 98_000_000, (tqdm, other))
    text = INSTALL + SLIM + WIDE
    assert after(text, census=census).endswith(
        NARROW + "COPY --from=deps /usr/local/share/x /usr/local/share/x\n"
    )
    phase = propose(text, census=census)
    assert isinstance(phase, Phase)
    assert phase.predicted.image_bytes == -40_000_000
    assert propose(after(text, census=census), census=census).reason  # type: ignore[union-attr]


def test_no_figure_where_a_later_layer_changes_the_copied_packages() -> None:
    packages = Distribution("x", "1", SITE, 1_000_000)
    copy, rest = Layer("COPY /usr/local /usr/local # buildkit", 41_000_000), Layer("WORKDIR /app", 0)
    strip = Layer("RUN /bin/sh -c find /usr/local/lib -name '*.so' -exec strip {} +", 900_000)
    for layers, known in (((copy, rest), True), ((copy, strip), False)):
        phase = propose(INSTALL + SLIM + WIDE, census=Census(99_000_000, layers, 98_000_000, (packages,)))
        assert isinstance(phase, Phase)
        assert (phase.predicted.image_bytes is not None) is known


def test_a_tool_that_is_left_behind_counts_where_the_rest_is_not_known() -> None:
    packages, tool = Distribution("x", "1", SITE, 1_000_000), Distribution("uv", "1", USER_SITE, 44_000_000)
    layers = (
        Layer("COPY /usr/local /usr/local # buildkit", 41_000_000),
        Layer("COPY /root/.local /root/.local # buildkit", 44_500_000),
        Layer("RUN /bin/sh -c find /usr/local/lib -name '*.so' -exec strip {} +", 900_000),
    )
    install = INSTALL.replace("RUN ", "RUN pip install --user uv\nRUN ", 1)
    text = install + SLIM + WIDE + WIDE.replace("/usr/local", "/root/.local")
    phase = propose(text, census=Census(199_000_000, layers, 198_000_000, (packages, tool)))
    assert isinstance(phase, Phase)
    assert phase.predicted.image_bytes == -44_500_000
    assert phase.predicted.parts == {"python uv": 44_000_000}
    assert phase.predicted.because.endswith(
        "a later layer changes the copied packages, so that their share is not known"
    )


@pytest.mark.parametrize("rule", [StripSymbols(), PruneSitePackages()])
@pytest.mark.parametrize(
    "made", ["python -m venv /root/venv && /root/venv/bin/pip install torch", "pip install torch"]
)
def test_after_the_phases_that_work_on_the_packages(rule: Rule, made: str) -> None:
    place = "/root /root" if "venv" in made else "/usr/local /usr/local"
    before = view(f"FROM python:3.12-slim AS deps\nRUN {made}\n{SLIM}COPY --from=deps {place}\n")
    phase = rule.propose(before, {})
    assert isinstance(phase, Phase), phase
    narrow = after(phase.edits[0].after or "")
    assert f"COPY --from=deps {place}" not in narrow


def test_the_price_at_start_up_is_shown() -> None:
    for line, paid in (("", True), ("ENV PYTHONDONTWRITEBYTECODE=1\n", False)):
        phase = propose(INSTALL.replace("RUN", f"{line}RUN") + SLIM + WIDE)
        assert isinstance(phase, Phase)
        assert phase.costs_start_up is bool(phase.costs) is paid


def test_data_is_not_guessed() -> None:
    text = INSTALL.replace("uvicorn", "ipykernel") + SLIM + WIDE
    assert "once the baseline is built" in reason(text)
    assert isinstance(propose(text, census=Census(1, (), 1)), Phase)


TOOL = "FROM python:3.12-slim AS base\nRUN pip install --user uv\nFROM base AS deps\nRUN pip install x\n"
LOCAL = "COPY --from=deps /root/.local /root/.local\n"


def test_what_both_stages_have_from_their_base_is_not_copied_again() -> None:
    start = '\nCMD ["/root/.local/bin/uv", "run", "x"]\n'
    assert after(f"{TOOL}FROM base\n{LOCAL}{start}") == f"{TOOL}FROM base\n{start}"
    assert "no step is known" in reason(f"{TOOL}FROM base\nRUN rm -rf /root/.local\n{LOCAL}")


UV = "FROM python:3.12-slim AS deps\nRUN pip install --user uv\n"
CALLS = (
    ('CMD ["/root/.local/bin/uv", "run", "x"]\n', {}),
    ("RUN /root/.local/bin/uv pip install --system x\n", {}),
    ("CMD ./start.sh\n", {"start.sh": "#!/bin/sh\nexec uv run x\n"}),
    ("", {"compose.yaml": "services:\n  api:\n    build: .\n    command: uv run x\n"}),
    ("FROM python:3.12-slim AS other\nCOPY --from=run /root/.local /root/.local\nFROM run\n", {}),
)


@pytest.mark.parametrize(("rest", "files"), CALLS)
def test_a_tool_that_is_called_stays(rest: str, files: dict[str, str]) -> None:
    assert "is needed" in reason(f"{UV}FROM python:3.12-slim AS run\n{LOCAL}{rest}", files)


def test_a_tool_that_a_stage_on_top_calls_stays() -> None:
    text = f"{UV}FROM python:3.12-slim AS run\n{LOCAL}FROM run AS dev\nRUN uv --version\n"
    files = {"Dockerfile": text}
    seen = RepoView(Target("Dockerfile", stage="run"), files, frozenset(files))
    assert isinstance(NarrowCopyFrom().propose(seen, {}), Declined)


def test_packages_among_the_tools_stay() -> None:
    assert "is needed" in reason(f"{UV}RUN pip install --user idna\n{SLIM}{LOCAL}")
    assert "is needed" in reason(f"{UV}RUN pip install --user uv -r x.txt\n{SLIM}{LOCAL}")


def test_an_environment_in_a_home_directory() -> None:
    text = "FROM python:3.12-slim AS deps\nRUN python -m venv /root/venv && /root/venv/bin/pip install x\n"
    narrow = after(f"{text}{SLIM}COPY --from=deps /root /root\n")
    assert narrow.endswith("COPY --from=deps /root/venv /root/venv\n")


MANAGED = (
    ("RUN uv venv --python 3.13 /root/venv\n", {}),
    ("ENV UV_PYTHON=3.13\nRUN uv venv /root/venv\n", {}),
    ("ENV UV_PYTHON_PREFERENCE=only-managed\nRUN uv venv /root/venv\n", {}),
    ("RUN uv venv /root/venv\n", {".python-version": "3.13\n"}),
    ("RUN uv venv /root/venv\n", {"pyproject.toml": '[project]\nrequires-python = ">=3.13"\n'}),
    ("WORKDIR /root/app\nCOPY pyproject.toml uv.lock ./\nRUN uv sync\n", {".python-version": "3.11\n"}),
)


@pytest.mark.parametrize(("steps", "files"), MANAGED)
def test_an_interpreter_that_uv_may_have_downloaded(steps: str, files: dict[str, str]) -> None:
    text = f"FROM python:3.12-slim AS deps\nRUN pip install uv\n{steps}{SLIM}COPY --from=deps /root /root\n"
    assert "interpreter" in reason(text, files)


def test_uv_content_with_the_image_s_python() -> None:
    files = {".python-version": "3.12\n", "pyproject.toml": '[project]\nrequires-python = ">=3.11"\n'}
    text = "FROM python:3.12-slim AS deps\nRUN pip install uv\nWORKDIR /root/app\nCOPY pyproject.toml ./\nRUN uv sync\n"
    narrow = after(f"{text}{SLIM}COPY --from=deps /root /root\n", files)
    assert narrow.endswith("COPY --from=deps /root/app /root/app\n") or narrow.endswith(
        "COPY --from=deps /root/app/.venv /root/app/.venv\n"
    )


PACKAGES = f"COPY --from=deps {SITE} {SITE}\n"
PICKED = f"{PACKAGES}COPY --from=deps /usr/local/bin/python* /usr/local/bin/\n"


def test_packages_without_their_command() -> None:
    bare = f'{INSTALL}{SLIM}{PACKAGES}CMD ["uvicorn", "app:app"]\n'
    assert f"{PACKAGES}COPY --from=deps /usr/local/bin /usr/local/bin\nCMD" in after(bare)
    whole = f"{INSTALL}{SLIM}COPY --from=deps /usr/local/lib /usr/local/lib\nCMD uvicorn app:app\n"
    assert f"{PACKAGES}COPY --from=deps /usr/local/bin /usr/local/bin\nCMD" in after(whole)


def test_the_reason_names_the_place_that_calls_it() -> None:
    files = {
        ".github/workflows/ci.yml": "jobs:\n  test:\n    steps:\n      - run: docker run app uvicorn --help\n"
    }
    phase = propose(f"{INSTALL}{SLIM}{PICKED}", files)
    assert isinstance(phase, Phase)
    assert ".github/workflows/ci.yml:4 calls uvicorn" in phase.why
    assert any(evidence.path.endswith("ci.yml") for evidence in phase.evidence)


NOT_LOST = (
    'CMD ["python", "-m", "uvicorn", "app:app"]\n',
    "COPY --from=deps /usr/local/bin/uvicorn /usr/local/bin/\nCMD uvicorn app:app\n",
    "COPY --from=deps /usr/local/bin/u* /usr/local/bin/\nCMD uvicorn app:app\n",
    "COPY --from=deps /usr/local/bin /usr/local/bin\nCMD uvicorn app:app\n",
    "RUN pip install uvicorn\nCMD uvicorn app:app\n",
    "RUN apt-get update && apt-get install -y uvicorn\nCMD uvicorn app:app\n",
    "COPY uvicorn /usr/bin/uvicorn\nCMD uvicorn app:app\n",
    "CMD gunicorn -k uvicorn.workers.UvicornWorker\n",
)


@pytest.mark.parametrize("rest", NOT_LOST)
def test_commands_that_are_there_or_not_called(rest: str) -> None:
    assert isinstance(propose(f"{INSTALL}{SLIM}{PICKED}{rest}"), Declined)


def test_the_story_keeps_its_console_scripts(tmp_path: Path) -> None:
    repository = Repository.open(truthgraph.create(tmp_path / "story"))
    seen = read(repository, "HEAD", scan(repository, "HEAD")[0])
    for rule in (SplitBaseBuilder(), NarrowCopyFrom()):
        phase = rule.propose(seen, {})
        assert isinstance(phase, Phase), phase
        seen = seen.with_edits(phase.edits)
    copies = [line for line in seen.dockerfile.text.splitlines() if line.startswith("COPY --from")]
    assert copies == NARROW.splitlines()
