"""Every fixture as it is, after the peers' automatic fixes, and after all phases: size, times and checks side by side.

Run with `make benchmark`; the peers come with `pip install '.[benchmark]'`. Figures are printed, never asserted:
machines differ. tests/benchmarks/RESULTS.md holds the figures of one run.
"""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from git_fixtures import own_git_settings
from msgspec import Struct
from story_runs import REPOSITORIES, commit_all, figures, prepared

from phasewise.migration.errors import NoEngine
from phasewise.migration.events import Verified
from phasewise.migration.session import Session
from phasewise.model.measurement import Measurement, Outcome, Scenario, Verdict
from phasewise.model.units import size

__all__ = ["own_git_settings"]

CODE_CHANGES = 3
PEERS = {
    "tally-cli": ("tally", "lint", "--fix", "--fix-unsafe", "--no-config", "--fail-level=none"),
    "dockerfile-doctor": ("dockerfile-doctor", "--fix", "--unsafe-fixes"),
}
"""Distribution to the command that rewrites a Dockerfile with everything the peer is willing to do."""


class Column(Struct, frozen=True):
    """What is known of one state of a fixture."""

    title: str
    cold: Measurement
    code_change: Measurement | None
    passed: int
    broken: tuple[str, ...]

    @property
    def line(self) -> str:
        """A row of the table."""
        if self.cold.outcome is not Outcome.BUILT or self.code_change is None:
            why = " ".join(self.cold.note.split())[:100].replace("|", "\\|") or str(self.cold.outcome)
            return f"| {self.title} | does not build: {why} | | | |"
        checks = f"{self.passed} pass" + (f", broken: {', '.join(self.broken)}" if self.broken else "")
        return (
            f"| {self.title} | {size(self.cold.image_bytes)} | {told(self.cold)} | {told(self.code_change)}"
            f" | {checks} |"
        )


def told(measurement: Measurement) -> str:
    """`4.1 s ± 0.3`: the median, and half the spread where there is more than one build."""
    samples = measurement.samples
    if samples is None:
        return measurement.note
    spread = f" ± {samples.spread / 2:.1f}" if len(samples.seconds) > 1 else ""
    return f"{samples.median:.1f} s{spread}"


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
        tell(f"\n### {name}\n")
        tell("| | image | cold build | after a change of code | checks |")
        tell("|---|---|---|---|---|")
        for title, revision in states.items():
            tell(column(session, title, revision).line)
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


def column(session: Session, title: str, revision: str) -> Column:
    """Measures and checks one state."""
    cold = figures(session, revision, [Scenario.COLD])[Scenario.COLD]
    if cold.outcome is not Outcome.BUILT:
        return Column(title, cold, None, 0, ())
    changed = figures(session, revision, [Scenario.CODE_CHANGE], CODE_CHANGES)[Scenario.CODE_CHANGE]
    seen = [event for event in session.verify(revision) if isinstance(event, Verified)]
    verification, broken = seen[-1].verification, seen[-1].broken
    return Column(
        title,
        cold,
        changed,
        verification.count(Verdict.PASSED),
        tuple(result.title for result in broken),
    )
