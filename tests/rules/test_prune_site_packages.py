"""Pruning: what its program takes and leaves in a real folder of packages, and where the rule stays away."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dockerfile as buildkit
import pytest
from asking import Asking, repository
from msgspec.structs import replace

from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Phase
from phasewise.model.pruning.parts import Parts
from phasewise.model.repo import RepoView
from phasewise.rules.effective_cleanup import EffectiveCleanup
from phasewise.rules.prune_site_packages import PruneSitePackages

RULE = PruneSitePackages()
SITE = "/opt/venv/lib/python3.12/site-packages"
BUILDER = """\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install -r requirements.txt
"""
FINDS = f"RUN find {SITE} -name tests -exec rm -r {{}} +\n"
FINAL = "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\nCOPY . .\n"


def view(text: str, census: Census | None = None, **files: str) -> RepoView:
    texts = {"Dockerfile": text, **{name.replace("__", "/"): text for name, text in files.items()}}
    return repository(texts, census)


ask = Asking(RULE, view)
phase, after, reason = ask.phase, ask.after, ask.reason


def package(site: Path, name: str, files: Mapping[str, str], requires: str = "") -> None:
    """An installed distribution with a RECORD."""
    info = f"{name}-1.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    everything = {**files, f"{info}/METADATA": metadata, f"{info}/RECORD": ""}
    for path, text in everything.items():
        place = site / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (site / info / "RECORD").write_text("".join(f"{path},,\n" for path in everything))


INSTALLERS = '("pip", "setuptools", "wheel")'


def run_program(text: str, environment: Path) -> None:
    """Runs the program of the new RUN on `environment`, as the shell would."""
    (run,) = [each for each in buildkit.parse_string(text) if "distributions" in " ".join(each.value)]
    command = (
        run.value[0].replace("/opt/venv/bin/python", sys.executable).replace("/opt/venv", str(environment))
    )
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    test = {"tests/__init__.py": "", "tests/test_it.py": "", "tests/data/x.csv": "1"}
    inside = lambda name: {f"{name}/{path}": text for path, text in test.items()}  # noqa: E731
    package(site, "plain", {"plain/__init__.py": "", **inside("plain"), "plain/testing/__init__.py": ""})
    package(site, "selfish", {"selfish/__init__.py": "from .tests import x\n", **inside("selfish")})
    package(site, "lent", {"lent/__init__.py": "", **inside("lent"), **inside("lent/sub")})
    package(site, "borrower", {"borrower.py": "def f():\n    from lent.sub.tests import test_it\n"})
    package(site, "plugins", {"plugins/__init__.py": "", "plugins/test/core.py": ""})
    package(site, "native", {"native/include/n.h": "", "native/lib/n.a": "", "native/data/n.h": ""})
    package(site, "torch", {"torch/include/t.h": "", "torch/lib/t.a": ""})
    pip = {"pip/__init__.py": "", "../../../bin/pip": "", "__pycache__/pip_shim.cpython-312.pyc": ""}
    package(site, "pip", pip)
    (site / "pip" / "__pycache__").mkdir()
    (site / "pip" / "__pycache__" / "written_later.pyc").touch()
    package(site, "pip_audit", {"pip_audit/__init__.py": ""})
    package(site, "setuptools", {"setuptools/__init__.py": "import pip\n", "pkg_resources/__init__.py": ""})
    package(site, "wheel", {"wheel/__init__.py": ""}, requires="setuptools")
    package(site, "old", {"old.py": "import pkg_resources\n", "__pycache__/old.cpython-312.pyc": ""})
    return tmp_path


def there(environment: Path, path: str) -> bool:
    return (environment / "lib/python3.12/site-packages" / path).exists()


def test_the_program_takes_what_nothing_imports_and_leaves_the_rest(environment: Path) -> None:
    run_program(after(view(BUILDER + FINAL)), environment)
    gone = [
        *("plain/tests", "lent/tests", "native/include/n.h", "native/lib/n.a", "torch/lib/t.a"),
        *("pip", "pip-1.dist-info", "../../../bin/pip", "__pycache__/pip_shim.cpython-312.pyc"),
        *("wheel", "wheel-1.dist-info"),
    ]
    kept = [
        "plain/testing/__init__.py",
        "selfish/tests/test_it.py",
        "lent/sub/tests/test_it.py",
        "plugins/test/core.py",
        "native/data/n.h",
        "torch/include/t.h",
        "__pycache__/old.cpython-312.pyc",
        # pip-audit is not pip, and setuptools is imported, as pkg_resources.
        *("pip_audit/__init__.py", "setuptools/__init__.py", "pkg_resources/__init__.py"),
        *(f"{name}-1.dist-info/RECORD" for name in ("plain", "lent", "native", "pip_audit", "setuptools")),
    ]
    assert [path for path in gone if there(environment, path)] == []
    assert [path for path in kept if not there(environment, path)] == []


def test_the_program_can_run_twice(environment: Path) -> None:
    text = after(view(BUILDER + FINAL))
    run_program(text, environment)
    left = sorted(environment.rglob("*"))
    run_program(text, environment)
    assert sorted(environment.rglob("*")) == left


def test_headers_stay_where_something_is_built_later(environment: Path) -> None:
    text = BUILDER + "COPY . .\nRUN /opt/venv/bin/pip install --no-deps .\n" + FINAL
    run_program(after(view(text)), environment)
    assert there(environment, "native/include/n.h")
    assert not there(environment, "plain/tests")


@pytest.mark.parametrize(
    ("more", "files"),
    [
        ('CMD ["pip", "list"]\n', {}),
        ("RUN pip install --no-deps .\n", {}),
        ("FROM builder AS tools\nRUN python -m pip list\n" + FINAL, {}),
        ("", {"app.py": "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'list'])\n"}),
        ("", {"app.py": "import pkg_resources\n"}),
        ("", {"ci.yml": "run: docker run app sh -c 'pip install pytest'\n"}),
    ],
)
def test_pip_stays_where_something_calls_it(more: str, files: dict[str, str]) -> None:
    seen = view(BUILDER + FINAL + more, **files)
    assert INSTALLERS not in after(seen)
    assert phase(seen).costs == ""


def test_pip_goes_otherwise_and_the_price_is_said() -> None:
    seen = view(BUILDER + FINAL, **{"setup.py": "import setuptools\n"})
    assert INSTALLERS in after(seen)
    assert "pip install" in phase(seen).costs


@pytest.mark.parametrize(
    ("text", "files", "because"),
    [
        (BUILDER + FINAL, {"app.py": "from astropy.tests.helper import raises\n"}, "app.py:1"),
        ("FROM python:3.12-slim\nRUN pip install numpy\n", {}, "split_base_builder"),
        (f"# escape=`\n{BUILDER}{FINAL}", {}, "not known"),
        (f"{BUILDER}{FINDS}RUN /opt/venv/bin/pip install --no-deps .\n{FINAL}", {}, "already"),
        (f"{BUILDER}RUN find {SITE} -name tests -o -name '*.a' -exec rm -r {{}} +\n{FINAL}", {}, "already"),
    ],
)
def test_declines(text: str, files: dict[str, str], because: str) -> None:
    assert because in reason(view(text, **files))


def test_a_clean_up_where_nothing_is_does_not_count() -> None:
    text = BUILDER + FINAL + "RUN find /usr/local -name tests -exec rm -rf {} + || true\n"
    assert "shutil.rmtree" in after(view(text))


@pytest.mark.parametrize("finds", [FINDS, f"RUN <<EOF\n{FINDS[4:]}EOF\n"])
def test_where_tests_are_pruned_already_the_rest_is(finds: str, environment: Path) -> None:
    text = after(view(BUILDER + finds + FINAL))
    run_program(text, environment)
    assert not there(environment, "pip")
    assert there(environment, "plain/tests")
    assert not there(environment, "native/include/n.h")
    assert not re.search("tests", text.partition("import re, shutil;")[0].rpartition("# Out")[2])


@pytest.mark.parametrize(
    "more", [" && /opt/venv/bin/pip uninstall -y pip", " && rm -r /opt/venv/lib/python*/site-packages/pip"]
)
def test_an_installer_that_is_removed_already_is_not_called(more: str) -> None:
    text = after(view(f"{BUILDER.rstrip()}{more}\n{FINAL}"))
    assert "xargs" not in text
    assert "static libraries" in text


def test_clean_up_that_is_moved_does_not_keep_the_rest_from_being_pruned() -> None:
    late = (
        "RUN find /opt/venv -type d -name tests -exec rm -rf {} +\n"
        "RUN rm -rf /opt/venv/lib/python3.12/site-packages/{pip,setuptools,wheel}*\n"
    )
    start = view(BUILDER + FINAL + late)
    for rules in ((EffectiveCleanup(), RULE), (RULE, EffectiveCleanup())):
        seen = start
        for rule in rules:
            answer = rule.propose(seen, {})
            assert isinstance(answer, Phase), answer
            seen = seen.with_edits(answer.edits)
        builder = seen.files["Dockerfile"].partition("\nFROM ")[0]
        assert "static libraries" in builder
        assert "find /opt/venv" in builder
        # The second to remove pip would find none.
        assert builder.count(" uninstall ") + builder.count(INSTALLERS) == 1, builder
        assert not any(isinstance(rule.propose(seen, {}), Phase) for rule in rules)


def test_own_tests_of_the_repository_are_not_a_package() -> None:
    after(
        view(
            BUILDER + FINAL,
            app__tests__test_x_py="",
            **{"main.py": "from app.tests import data\n", "app/x.py": ""},
        )
    )


def test_line_endings_are_kept_and_nothing_else_changes() -> None:
    text = (BUILDER + FINAL).replace("\n", "\r\n")
    result = after(view(text))
    assert "\n" not in result.replace("\r\n", "")
    assert result.replace("\r\n", "\n") == after(view(BUILDER + FINAL))
    lines = (BUILDER + FINAL).split("\n")
    assert [line for line in after(view(BUILDER + FINAL)).split("\n") if line in lines and line] == [
        line for line in lines if line
    ]


def test_the_shell_gets_one_quoted_program() -> None:
    text = after(view(BUILDER + FINAL))
    start = text.index("-c '") + 4
    assert "'" not in text[start : text.index("'\n", start)]


def test_an_install_in_a_heredoc_is_followed_by_the_step() -> None:
    install = "RUN <<EOF\npython -m venv /opt/venv\n/opt/venv/bin/pip install numpy\nEOF\n"
    text = f"FROM python:3.12-slim AS builder\n{install}"
    result = after(view(text + FINAL))
    assert "\nEOF\n\n# Out with" in result
    assert [each.cmd for each in buildkit.parse_string(result)] == [
        "FROM",
        "RUN",
        "RUN",
        "FROM",
        "COPY",
        "COPY",
    ]


def census(path: str = SITE) -> Census:
    def distribution(name: str, size: int, *requires: str) -> Distribution:
        return Distribution(name, "1", path, size, requires=requires)

    return Census(
        image_bytes=10**9,
        layers=(),
        file_bytes=10**9,
        distributions=(
            distribution("numpy", 50_000_000, "setuptools"),
            distribution("pip", 12_000_000),
            distribution("setuptools", 5_000_000),
        ),
        test_bytes={path: 7_000_000, "/other": 1},
        static_library_bytes={path: 2_000_000, "/usr/local": 9_000_000},
    )


def test_predicted_from_the_census_only() -> None:
    assert phase(view(BUILDER + FINAL)).predicted.image_bytes is None
    assert phase(view(BUILDER + FINAL, census=census())).predicted.image_bytes == -21_000_000


def test_packages_that_an_earlier_phase_moved_have_the_figures_of_where_they_were() -> None:
    site = "/usr/local/lib/python3.12/site-packages"
    # Tests and libraries are the packages'; /usr/local has its own. The new environment's pip is as the base's.
    assert phase(view(BUILDER + FINAL, census=census(site))).predicted.image_bytes == -21_000_000
    other = Distribution("idna", "3", "/srv/lib/python3.12/site-packages", 9)
    scattered = replace(census(site), distributions=(*census(site).distributions, other))
    assert phase(view(BUILDER + FINAL, census=scattered)).predicted.image_bytes is None


def test_bytecode_that_another_phase_takes_out_is_not_promised_twice() -> None:
    numpy, pip, setuptools = census().distributions
    compiled = replace(
        census(),
        distributions=(numpy, replace(pip, legacy_bytecode_bytes=4_000_000), setuptools),
        legacy_bytecode_bytes={SITE: 9_000_000},
        test_bytecode_bytes={SITE: 500_000},
        test_legacy_bytecode_bytes={SITE: 3_000_000},
    )
    compiles = "RUN python -m compileall -b /opt/venv\n"
    assert phase(view(BUILDER + compiles + FINAL, census=compiled)).predicted.image_bytes == -24_500_000
    assert phase(view(BUILDER + FINAL, census=compiled)).predicted.image_bytes == -17_500_000


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (Parts(True, True, True), "tests, headers, static libraries and unneeded installers"),
        (Parts(True, True, False), "tests, headers and static libraries"),
        (Parts(False, True, False), "headers and static libraries"),
        (Parts(True, False, True), "tests and unneeded installers"),
    ],
)
def test_what_goes_is_listed_as_people_list(parts: Parts, named: str) -> None:
    assert parts.named() == named
