"""An API whose runtime stage inherits compilers, copied and stripped without looking.

- `base` carries gcc, g++ and uv beside what the runtime needs, and `runtime` inherits all of it
- `COPY --from=deps` takes all of /usr/local, and /root/.local with uv in it
- the strip stands in the runtime, after the copy, under `2>/dev/null || true`
- `set -eux; if ... fi` with cache mounts; an ARG before FROM that is declared again
- compose runs two console scripts, alembic and uvicorn; dependencies are in pyproject extras
"""

from pathlib import Path

from phasewise.cli.demo.commit_file import read_commits
from phasewise.cli.demo.history import write_history

DOCKERFILE = "docker/api.Dockerfile"
HEAD_BRANCH = "main"
COMMITS = Path(__file__).parent / "commits" / "truthgraph"


def create(destination: Path) -> Path:
    """The repository, written to `destination` (returned resolved). Raises as `write_history` does."""
    return write_history(destination, read_commits(COMMITS), HEAD_BRANCH)
