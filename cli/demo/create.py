"""Makes the sample repository that `phasewise demo` opens on: a tide forecasting service and its image."""

from pathlib import Path

from phasewise.cli.demo.commit_file import read_commits
from phasewise.cli.demo.history import write_history

HEAD_BRANCH = "security/harden-image"


def create(destination: Path) -> Path:
    """The sample repository, written to `destination` (returned resolved), on its hardening branch.

    Raises FileExistsError where `destination` is a file or a folder that is not empty.
    """
    return write_history(destination, read_commits(Path(__file__).parent / "commits"), HEAD_BRANCH)
