"""What the application's Python is asked, asked of this one."""

import os
import sys
from pathlib import Path

import pytest

from phasewise.migration.probes.application import (
    Child,
    describe_application,
    describe_metadata,
    describe_program,
    describe_start,
    import_each,
    module_exists,
    python_of,
    shebang_of,
)

LONG = "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\nimport sys\n"


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def script(bin: Path, text: str, name: str = "tool", mode: int = 0o755) -> str:
    (bin / name).write_text(text)
    (bin / name).chmod(mode)
    return str(bin / name)


@pytest.mark.parametrize("template", ["#!{python}\n", "#!{python} -s\n", LONG])
def test_a_scripts_python_is_the_one_its_first_lines_name(bin: Path, template: str) -> None:
    script(bin, template.format(python=sys.executable))
    assert python_of("tool") == sys.executable
    assert describe_program("tool")["error"] == ""


def test_env_is_looked_up_on_path(bin: Path) -> None:
    path = script(bin, "#!/usr/bin/env -S nowhere-python -u\n")
    assert shebang_of(path) == ("", "nowhere-python")
    assert describe_program("tool")["error"] == "its interpreter nowhere-python is missing"
    os.symlink(sys.executable, bin / "python3.99")
    script(bin, "#!/usr/bin/env python3.99\n")
    assert python_of("tool") == str(bin / "python3.99")


def test_programs_that_would_not_start_say_why(bin: Path) -> None:
    script(bin, "#!/build/venv/bin/python\n")
    assert describe_program("tool")["error"] == "its interpreter /build/venv/bin/python is missing"
    assert describe_program("phasewise-nowhere") == {"path": "", "error": "not found"}
    path = script(bin, "#!/bin/sh\n", "plain", 0o644)
    assert describe_program(path)["error"] == "not executable"
    assert python_of("sh") is None


def test_metadata_that_is_gone_is_an_error() -> None:
    assert describe_metadata("phasewise-nowhere", None)["error"] == "no metadata"
    assert describe_metadata("pytest", None)["error"] == ""


def test_modules_are_found_without_running_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud.py").write_text("raise SystemExit(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert module_exists("loud")
    assert module_exists("email.mime.text")
    assert module_exists("sys")
    assert not module_exists("nowhere.at.all")


def test_each_import_stands_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {
        "fine": "print('noise')\n",
        "lacking": "import phasewise_nowhere\n",
        "crashing": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n",
        "leaving": "import os\nos._exit(3)\n",
        "exiting": "raise SystemExit('no')\n",
        "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ImportError('outer') from error\n",
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    errors = {name: result["error"] for name, result in import_each(modules).items()}
    assert errors == {
        "fine": "",
        "lacking": "ModuleNotFoundError: No module named 'phasewise_nowhere'",
        "crashing": "killed by SIGTERM",
        "leaving": "ended the process with status 3",
        "exiting": "SystemExit: no",
        "chained": "ImportError: outer\nZeroDivisionError: division by zero",
    }
    assert not set(modules) & set(sys.modules)


def test_a_child_that_takes_too_long_is_killed() -> None:
    import time

    child = Child("slow", lambda: time.sleep(300), seconds=0.2)
    while not child.ended():
        time.sleep(0.01)
    assert child.result()["error"].startswith("took longer than")


def test_the_application_is_loaded_from_its_directory(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text("class Site:\n    app = 1\ndef make():\n    return 1\n")

    def error(kind: str, value: str) -> str:
        return str(describe_application({"kind": kind, "value": value, "directory": str(tmp_path)})["error"])

    assert error("object", "served:Site.app") == ""
    assert error("object", "served:make()") == ""
    assert error("object", "served") == ""
    assert error("object", "served:other").startswith("AttributeError")
    assert error("object", "nowhere:app").startswith("ModuleNotFoundError")
    assert error("module", "served") == ""
    assert error("module", "nowhere") == "no module nowhere"
    assert error("file", str(tmp_path / "served.py")) == ""
    assert error("file", str(tmp_path / "nowhere.py")).startswith("no file")
    assert str(tmp_path) not in sys.path


def test_the_application_behind_a_script_is_imported(tmp_path: Path, bin: Path) -> None:
    (tmp_path / "served_too.py").write_text("app = 1\n")
    entry = script(bin, f'#!/bin/sh\ncd {tmp_path}\nexec uvicorn "${{MODULE:-served_too}}:app"\n')
    found = describe_start([entry])
    assert (found["value"], found["error"]) == ("served_too:app", "")
    entry = script(bin, f"#!/bin/sh\ncd {tmp_path}\nexec uvicorn served_too:other\n")
    assert "AttributeError" in describe_start([entry])["error"]
    assert describe_start(["tool", "x"])["value"] == "served_too:other"
    assert "names no application" in describe_start([sys.executable])["unknown"]


def test_the_import_is_timed_a_few_times_and_leaves_no_bytecode(tmp_path: Path) -> None:
    (tmp_path / "timed_one.py").write_text("app = 1\n")
    found = describe_application({"kind": "object", "value": "timed_one:app", "directory": str(tmp_path)})
    assert 3 <= len(found["import_seconds"]) <= 5
    assert not (tmp_path / "__pycache__").exists()
