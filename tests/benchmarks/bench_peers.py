"""Every fixture as it is, after the peers' automatic fixes, and after all phases: size, times and checks side by side.

Run with `make benchmark`; the peers come with `pip install '.[benchmark]'`. Figures are printed, never asserted:
machines differ. tests/benchmarks/RESULTS.md holds the figures of one run.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from git_fixtures import own_git_settings
from msgspec import Struct
from msgspec.structs import replace
from story_runs import REPOSITORIES, commit_all, in_turns, prepared, told

from phasewise.migration.errors import NoEngine
from phasewise.migration.events import Verified
from phasewise.migration.session import Session
from phasewise.model.measurement import Measurement, Outcome, Scenario, Verdict
from phasewise.model.units import size

__all__ = ["own_git_settings"]

COLD_BUILDS = 3
CODE_CHANGES = 5
PEERS = {
    "tally-cli": ("tally", "lint", "--fix", "--fix-unsafe", "--no-config", "--fail-level=none"),
    "dockerfile-doctor": ("dockerfile-doctor", "--fix", "--unsafe-fixes"),
}
"""Distribution to the command that rewrites a Dockerfile with everything the peer is willing to do."""


class Column(Struct, frozen=True):
    """What is known of one state of a fixture."""

    title: str
    cold: Sequence[Measurement]
    code_change: Sequence[Measurement]
    passed: int = 0
    broken: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """A row of the table."""
        last = self.cold[-1]
        if last.outcome is not Outcome.BUILT:
            why = " ".join(last.note.split())[:100].replace("|", "\\|") or str(last.outcome)
            return f"| {self.title} | does not build: {why} | | | |"
        checks = f"{self.passed} pass" + (f", broken: {', '.join(self.broken)}" if self.broken else "")
        return (
            f"| {self.title} | {size(last.image_bytes)} | {told(self.cold)} | {told(self.code_change)}"
            f" | {checks} |"
        )


@pytest.mark.parametrize("name", REPOSITORIES)
def test_beside_the_peers(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        versions = {peer: version(peer) for peer in PEERS}
    except PackageNotFoundError as missing:
        pytest.skip(f"{missing.name} is not installed: pip install '.[benchmark]'")
    try:
        session = prepared(name, tmp_path)
    except NoEngine as missing:
        pytest.skip(missing.message)

    def tell(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    try:
        baseline = session.status().baseline
        phases = commit_all(session)
        states = {"as it is": baseline}
        for peer, number in versions.items():
            states[f"{peer} {number}"] = fixed(session, peer, baseline, tmp_path / peer)
        states[f"phasewise, {len(phases)} phases"] = session.repository.head()
        cold = in_turns(session, tuple(states.values()), Scenario.COLD, COLD_BUILDS)
        # The first builds also fill the cache, and do not count.
        taken = in_turns(session, tuple(states.values()), Scenario.CODE_CHANGE, CODE_CHANGES + 1)
        changed = [each[1:] for each in taken]
        tell(f"\n### {name}\n")
        tell("| | image | cold build | after a change of code | checks |")
        tell("|---|---|---|---|---|")
        for (title, revision), each_cold, each_change in zip(states.items(), cold, changed, strict=True):
            tell(checked(session, revision, Column(title, each_cold, each_change)).line)
    finally:
        session.clean()


def fixed(session: Session, peer: str, baseline: str, folder: Path) -> str:
    """The commit of what the peer makes of the baseline, on a branch of its own."""
    root, target = session.repository.root, session.target

    def git(*words: str, at: Path = root) -> str:
        return subprocess.run(
            ["git", "-C", str(at), *words], check=True, capture_output=True, text=True
        ).stdout

    git("worktree", "add", "--quiet", "-b", peer, str(folder), baseline)
    program, *words = PEERS[peer]
    context = ["--context", target.context] if program == "tally" else []
    command = [str(Path(sys.executable).with_name(program)), *words, *context, target.dockerfile]
    # A linter ends with a failure when it leaves findings, so that its status says nothing.
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    git("commit", "--quiet", "--all", "--allow-empty", "--message", f"Fixed by {peer}", at=folder)
    return git("rev-parse", "HEAD", at=folder).strip()


def checked(session: Session, revision: str, column: Column) -> Column:
    """With what the image of `revision` can do, if there is one."""
    if column.cold[-1].outcome is not Outcome.BUILT:
        return column
    seen = [event for event in session.verify(revision) if isinstance(event, Verified)]
    verification, broken = seen[-1].verification, seen[-1].broken
    return replace(
        column,
        passed=verification.count(Verdict.PASSED),
        broken=tuple(result.title for result in broken),
    )
