"""Three repositories whose images are built well, each in its own way: there is nothing to migrate.

- `uv`: the lock file and a bind mount for the dependencies, the project on top; published for two platforms
- `poetry`: the environment in the project's folder, `--no-root`; apt in the final stage cleans up after itself
- `pip`: hashes, an environment, compilers in the builder only, cache mounts throughout
"""

from functools import partial
from pathlib import Path

from phasewise.cli.demo.commit_file import read_commits
from phasewise.cli.demo.history import write_history

STYLES = ("uv", "poetry", "pip")
COMMITS = Path(__file__).parent / "commits"


def create(style: str, destination: Path) -> Path:
    """The repository of a style, written to `destination` (returned resolved). Raises as `write_history` does."""
    return write_history(destination, read_commits(COMMITS / f"good_{style}"), "main")


CREATE = {style: partial(create, style) for style in STYLES}
