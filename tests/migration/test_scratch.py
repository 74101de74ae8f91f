"""Folders for a moment: gone with the block, and swept when their process was killed before."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from phasewise.migration import scratch

KILLED = """
import os, signal
from phasewise.migration import scratch
with scratch.folder("build") as made:
    (made / "id").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_a_folder_is_gone_with_its_block(place: Path) -> None:
    with scratch.folder("build") as made:
        assert made.parent == place
        assert scratch.sweep() == ()
        assert made.is_dir()
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_nothing_else(place: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = place.iterdir()
    others = [
        "phasewise-build-abc123",
        "phasewise-demo-x",
        f"phasewise-build-00000000-{os.getpid()}@0-a",
        "mine",
    ]
    for name in others:
        (place / name).mkdir()
    assert scratch.sweep() == (left.name,)
    assert {path.name for path in place.iterdir()} == set(others)
