"""A backend over its platform's size limit: the environment is written twice.

- `base` carries compilers, but only `development` inherits it, which compose builds by name; `builder` has
  its own
- `production` copies the environment, then `useradd && chown -R && chmod -R` writes it again in a later layer
- the clean-up in `production` looks in /usr/local while the packages are in /opt/venv
- base images of two Python versions; CMD and HEALTHCHECK in shell form; pandas is imported at the top
- no workflow builds the image: the platform does, and the tests run on the runner
- one commit in the history does not build: its .dockerignore leaves out what the Dockerfile copies
"""

from pathlib import Path

from phasewise.cli.demo.commit_file import read_commits
from phasewise.cli.demo.history import write_history

DOCKERFILE = "backend/Dockerfile"
HEAD_BRANCH = "main"
COMMITS = Path(__file__).parent / "commits" / "bahr"


def create(destination: Path) -> Path:
    """The repository, written to `destination` (returned resolved). Raises as `write_history` does."""
    return write_history(destination, read_commits(COMMITS), HEAD_BRANCH)
