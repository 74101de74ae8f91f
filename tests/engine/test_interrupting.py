"""A build that is interrupted from outside ends at once, with its status, and leaves nothing running."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import write_files

from phasewise.migration.images import Engine

pytestmark = pytest.mark.engine

ENDLESS = "FROM python:3.12-slim\nCOPY run.sh .\nRUN python3 -m compileall -q . && sleep 600\n"


@pytest.fixture
def root(engine: Engine, git_identity: None, tmp_path: Path) -> Path:
    root = tmp_path / "endless"
    write_files(root, {"Dockerfile": ENDLESS, "run.sh": str(tmp_path)})
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    return root


def hear_signals() -> None:
    """Undoes what a background job of a shell or nohup inherits: signals that are ignored from the start."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def building(root: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """phasewise in a group of its own, in the middle of the endless step."""
    command = [sys.executable, "-m", "phasewise.cli", *words, "-C", str(root)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_signals,
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if line.startswith("build 1/1"):
                    break
            else:
                raise AssertionError("it never built")
            while not builds_of(process.pid):
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def builds_of(parent: int) -> list[int]:
    """The buildx processes that `parent` started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status, command = (entry / "status").read_text(), (entry / "cmdline").read_text()
            except OSError:
                continue
            if f"\nPPid:\t{parent}\n" in status and "buildx" in command:
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_nothing_is_left(root: Path, number: signal.Signals, status: int) -> None:
    with building(root, "apply", "drop_compileall", "--measure") as process:
        children = builds_of(process.pid)
        process.send_signal(number)
        out, _ = process.communicate()
        assert process.returncode == status
    assert out == ""
    assert not any(map(alive, children))
    listed = subprocess.run(
        ["git", "-C", str(root), "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert len(listed.stdout.splitlines()) == 1
    subject = subprocess.run(
        ["git", "-C", str(root), "log", "--format=%s"], capture_output=True, text=True, check=True
    )
    assert subject.stdout == "start\n", "the baseline was being built: nothing may be committed yet"
