"""How long `phasewise REPO` takes to its first frame, beside an application of Textual's that shows one word.

Run with `make benchmark`. Figures are printed, never asserted: machines differ.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from phasewise.cli.demo.create import create

pty = pytest.importorskip("pty", reason="a terminal to draw on")
termios = pytest.importorskip("termios", reason="a terminal to draw on")

RUNS, ROWS, COLUMNS = 9, 45, 140
PEER = """
from textual.app import App
from textual.widgets import Static

class Peer(App):
    def compose(self):
        yield Static("ready")

Peer().run()
"""


def test_first_frame_beside_an_empty_application(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = create(tmp_path / "tidewatch")
    ours = ([sys.executable, "-m", "phasewise.cli", str(place)], "reading the repository")
    peer = ([sys.executable, "-c", PEER], "ready")
    taken: list[list[float]] = [[], []]
    for turn in range(RUNS + 1):
        for (command, word), seconds in zip((ours, peer), taken, strict=True):
            once = first_frame(command, word.encode())
            if turn:
                seconds.append(once)
    mine, theirs = (statistics.median(seconds) for seconds in taken)
    with capsys.disabled():
        print(
            f"\nfirst frame of phasewise REPO: {mine:.2f} s; of an empty Textual application: {theirs:.2f} s;"
            f" ratio {mine / theirs:.1f}"
        )


def first_frame(command: Sequence[str], word: bytes) -> float:
    """Seconds until `word` is drawn on a terminal; bytecode may be cached, as for an installed program."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    terminal, side = pty.openpty()
    termios.tcsetwinsize(side, (ROWS, COLUMNS))
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
    )
    os.close(side)
    try:
        drawn = b""
        while word not in drawn:
            drawn += os.read(terminal, 65_536)
        return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
