"""Programs are ended with all that they started."""

import os
import sys
import time

import pytest

from phasewise.migration.events import Cancel
from phasewise.migration.process import Running, capture

CHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(300)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
child.wait()
"""


def test_cancelling_ends_a_child_that_ignores_the_first_signal() -> None:
    cancel, printed = Cancel(), b""
    with Running([sys.executable, "-c", PARENT, CHILD]) as program:
        for chunk in program.output(cancel):
            printed += chunk
            if printed.count(b"\n") == 2:
                cancel.ask()
        pids = [int(word) for word in printed.split() if word.isdigit()]
    assert len(pids) == 1
    deadline = time.monotonic() + 10
    while is_running(pids[0]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pids[0])
    assert program.wait() < 0


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            # An orphan that nobody waited for yet is dead all the same.
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_all_output_of_both_streams_comes_before_the_end() -> None:
    script = "import sys; sys.stderr.write('e' * 100_000); sys.stdout.write('o' * 100_000); sys.exit(3)"
    with Running([sys.executable, "-c", script]) as program:
        printed = b"".join(program.output(Cancel()))
        assert program.wait() == 3
    assert (printed.count(b"e"), printed.count(b"o")) == (100_000, 100_000)


def test_the_environment_is_added_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    script = "import os; print(os.environ['OURS'], os.environ['ADDED'])"
    with Running([sys.executable, "-c", script], environment={"ADDED": "2"}) as program:
        assert b"".join(program.output(Cancel())) == b"1 2\n"


def test_odd_bytes_are_replaced() -> None:
    script = "import sys; sys.stdout.buffer.write(b'\\xff\\n')"
    assert capture([sys.executable, "-c", script]).stdout == "\ufffd\n"


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        Running(["phasewise-nowhere"])
