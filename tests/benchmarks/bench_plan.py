"""How long `phasewise plan --json` takes on 1,000 commits and 5 Dockerfiles, beside git reading the same history.

Run with `make benchmark`. Figures are printed, never asserted: machines differ.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phasewise.cli.demo.commit_file import Commit
from phasewise.cli.demo.create import create
from phasewise.cli.demo.history import write_history

COMMITS, DOCKERFILES, RUNS = 1_000, 5, 7
SERVICES = [f"service-{number}" for number in range(DOCKERFILES)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of that size; each service is the sample one, and its Dockerfile changed over the years."""
    sample = create(tmp_path_factory.mktemp("sample") / "tidewatch")
    names = subprocess.run(
        ["git", "-C", str(sample), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    files = {name: (sample / name).read_text(encoding="utf-8") for name in names}
    start = datetime(2020, 1, 1, tzinfo=UTC)
    commits = []
    for number in range(COMMITS):
        service = SERVICES[number % DOCKERFILES]
        if number < DOCKERFILES:
            changed = {f"{service}/{name}": text for name, text in files.items()}
        else:
            changed = {
                f"{service}/Dockerfile": f"{files['Dockerfile']}LABEL revision={number}\n",
                f"{service}/app/module_{number}.py": f"NUMBER = {number}\n",
            }
        commits.append(
            Commit(
                branch="main",
                starts_from=None,
                author="Ada <ada@example.com>",
                date=start + timedelta(hours=number),
                message=f"change {number}\n",
                files=changed,
            )
        )
    return write_history(tmp_path_factory.mktemp("bench") / "platform", commits, "main")


def test_plan_beside_git(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def plan() -> None:
        run([sys.executable, "-m", "phasewise.cli", "plan", str(root), "--json"])

    def git() -> None:
        run(["git", "-C", str(root), "log", "--format=%H%n%B"])
        for service in SERVICES:
            run(["git", "-C", str(root), "blame", "--porcelain", "-w", "-M", f"{service}/Dockerfile"])

    ours, theirs = timed([plan, git])
    with capsys.disabled():
        print(
            f"\nplan --json, {COMMITS} commits, {DOCKERFILES} Dockerfiles: {ours:.2f} s;"
            f" git log and git blame of the same: {theirs:.2f} s; ratio {ours / theirs:.1f}"
        )


def timed(jobs: Sequence[Callable[[], None]]) -> list[float]:
    """The median seconds of each job, the first run left out; they take turns, so that both meet the same machine."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for turn in range(RUNS + 1):
        for job, taken in zip(jobs, seconds, strict=True):
            started = time.perf_counter()
            job()
            if turn:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def run(command: Sequence[str]) -> None:
    """Bytecode may be cached, as for an installed program."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
