"""An API whose hardening branch compiles the whole environment to bytecode.

- `python -m compileall -b $VIRTUAL_ENV` under a comment, from a commit that the default branch does not
  have, while the runtime sets PYTHONDONTWRITEBYTECODE=1
- the Dockerfile is in api/, its build context is the root of the repository
- RUN and COPY heredocs, one of them with a blank line and a comment; cache mounts for apt, pip and uv
- uv installs the packages, so that without compileall there is no bytecode at all
- `COPY --chown` with numeric ids: there is nothing to be gained from owners
- requirements that include a file of another folder
"""

from pathlib import Path

from phasewise.cli.demo.commit_file import read_commits
from phasewise.cli.demo.history import write_history

DOCKERFILE = "api/Dockerfile"
HEAD_BRANCH = "refactor/docker-hardening"
COMMITS = Path(__file__).parent / "commits" / "phentrieve"


def create(destination: Path) -> Path:
    """The repository, written to `destination` (returned resolved). Raises as `write_history` does."""
    return write_history(destination, read_commits(COMMITS), HEAD_BRANCH)
