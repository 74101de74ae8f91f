"""What stripping saves, by the census of an image whose packages may have stood elsewhere; what its step does."""

import os
import subprocess
from pathlib import Path

import dockerfile as buildkit
import pytest

from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.strip_symbols import StripSymbols

TEXT = """\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv
RUN /opt/venv/bin/pip install numpy
FROM python:3.12-slim
COPY --from=builder /opt/venv /opt/venv
"""


SYSTEM = "/usr/local/lib/python3.12/site-packages"
VENV = "/opt/venv/lib/python3.12/site-packages"


def answer(locations: list[str], strippable: dict[str, int], text: str = TEXT) -> Phase | Declined:
    packages = tuple(Distribution(f"numpy{number}", "2", at, 9) for number, at in enumerate(locations))
    census = Census(500_000_000, (), 400_000_000, packages, strippable_bytes=strippable)
    view = RepoView(Target("Dockerfile"), {"Dockerfile": text}, frozenset({"Dockerfile"}), census=census)
    return StripSymbols().propose(view, {})


def saving(locations: list[str], strippable: dict[str, int], text: str = TEXT) -> int | None:
    phase = answer(locations, strippable, text)
    assert isinstance(phase, Phase), phase
    return phase.predicted.image_bytes


def test_packages_that_a_phase_moved_save_what_they_would_have_where_they_were() -> None:
    # The interpreter's own symbols stay where they are: it is not in the environment.
    assert saving([SYSTEM], {"/usr/local": 7_000_000, SYSTEM: 5_000_000}) == -5_000_000


def test_packages_in_two_places_are_no_reason_to_decline_and_give_no_figure() -> None:
    assert saving([SYSTEM, "/root/.local/lib/python3.12/site-packages"], {SYSTEM: 5_000_000}) is None


def test_the_saving_is_what_the_census_found_there() -> None:
    assert saving([VENV, SYSTEM], {VENV: 5_000_000, "/usr/local": 7_000_000}) == -5_000_000


@pytest.mark.parametrize(("copied", "saved"), [("/usr/local", 8_000_000), (SYSTEM, 5_000_000)])
def test_the_interpreter_is_counted_where_it_is_copied_along(copied: str, saved: int) -> None:
    text = (
        "FROM python:3.12-slim AS builder\nRUN pip install numpy\nFROM python:3.12-slim\n"
        f"COPY --from=builder {copied} {copied}\n"
    )
    assert saving([SYSTEM], {"/usr/local": 3_000_000, SYSTEM: 5_000_000}, text) == -saved


def test_nothing_to_strip_is_a_reason() -> None:
    declined = answer([VENV], {"/usr/local": 7_000_000})
    assert isinstance(declined, Declined)
    assert "less than 1 MB" in declined.reason


TOOLS = {
    # A library's file holds what readelf would print of it.
    "strip": 'grep -q foreign "$4" && exit 1\ngrep -v symbols "$4" > "$3"',
    "readelf": '/bin/cat "$2"',
    "nproc": "echo 3",
}
ALIGNED = "  LOAD 0x001000 0x0000000000002000 0x0000000000002000 0x10 0x10 R E 0x1000\n"
ASKEW = "  LOAD 0x001000 0x0000000000002008 0x0000000000002000 0x10 0x10 RW  0x1000\n"


def run_step(folder: Path, libraries: dict[str, str], **tools: str) -> "subprocess.CompletedProcess[str]":
    """Runs the step of the rule, as the shell would, on `libraries` of the environment below `folder`."""
    phase = answer([VENV], {VENV: 5_000_000})
    assert isinstance(phase, Phase), phase
    (run,) = [each for each in buildkit.parse_string(phase.edits[0].after) if "du -sk" in "".join(each.value)]
    environment, passing, programs = (folder / name for name in ("venv", "passing", "programs"))
    for path, text in {f"venv/{name}": text for name, text in libraries.items()}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    passing.mkdir()
    programs.mkdir()
    for name, text in {"apt-get": "", **TOOLS, **tools}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    command = run.value[0].replace("rm -rf /var/lib/apt/lists/*;", "").replace("/tmp/", f"{passing}/")
    done = subprocess.run(
        ["sh", "-c", command.replace("/opt/venv", str(environment))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
    )
    assert done.returncode or not [*passing.iterdir()]
    return done


def test_every_library_is_stripped_unless_that_does_not_help_or_harms(tmp_path: Path) -> None:
    plain = {f"package {number}/it.cpython-312.so": ALIGNED + "symbols\n" for number in range(8)}
    kept = {
        "numpy.libs/libblas.so.0": ALIGNED + "symbols\n",
        "package/askew.so": ALIGNED + ASKEW + "symbols\n",
        "package/foreign.so": ALIGNED + "symbols\nforeign\n",
        "package/bare.so": ALIGNED,
        "package/module.py": "symbols\n",
    }
    done = run_step(tmp_path, plain | kept)
    assert done.returncode == 0, done.stderr
    assert "stripped: " in done.stdout
    assert {name: (tmp_path / "venv" / name).read_text() for name in plain} == dict.fromkeys(plain, ALIGNED)
    assert {name: (tmp_path / "venv" / name).read_text() for name in kept} == kept


def test_a_library_that_could_not_be_written_ends_the_build(tmp_path: Path) -> None:
    libraries = {f"{number}.so": ALIGNED + "symbols\n" for number in range(4)}
    assert run_step(tmp_path, libraries, cat="exit 1").returncode != 0


def test_nothing_to_strip_ends_no_build(tmp_path: Path) -> None:
    done = run_step(tmp_path, {"package/module.py": ""})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sync", ["uv pip sync r.txt", "pip-sync r.txt", "poetry sync --no-root", "pdm sync"])
def test_the_step_goes_behind_what_really_installs(sync: str) -> None:
    text = (
        "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
        "ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv\nRUN pip install uv pip-tools\n"
        f"RUN {sync}\nRUN pip install --no-deps .\n"
        "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n"
    )
    phase = answer([VENV], {VENV: 5_000_000}, text)
    assert isinstance(phase, Phase), phase
    after = phase.edits[0].after or ""
    assert after.index(f"RUN {sync}") < after.index("strip --strip-unneeded") < after.index("--no-deps .")


@pytest.mark.parametrize(
    ("image", "has_binutils"),
    [
        ("python:3.12", True),
        ("python:3.12.1-bookworm", True),
        ("registry.example/library/python", True),
        ("python:latest", True),
        ("python:3.12-alpine", False),
        ("buildpack-deps:trixie", True),
        ("buildpack-deps:trixie-curl", False),
        ("python:3.12-slim-bookworm", False),
        ("registry.example/company/python:3.12", False),
        ("debian:bookworm", False),
    ],
)
def test_binutils_are_installed_where_the_image_lacks_them(image: str, has_binutils: bool) -> None:
    phase = answer([VENV], {VENV: 5_000_000}, TEXT.replace("python:3.12-slim AS", f"{image} AS"))
    assert isinstance(phase, Phase), phase
    assert (" binutils;" not in (phase.edits[0].after or "")) == has_binutils
