"""Three services, one of them heavy, that workflows build together.

- builder and runtime are apart already, and nothing is compiled to bytecode
- security-scan.yml builds all three in one `run`; ci-cd.yml builds a matrix of folders without pushing
- docker-build-push.yml is the same matrix with `push: true`, and must stay as it is
- requirements.txt with a constraints file, extras, a marker and ranges; .dockerignore has
  `requirements-*.txt`
- lightgbm is linked against the system's libgomp; pandas is imported at the top, lightgbm only when asked
- the other two Dockerfiles are not Python's
"""

from pathlib import Path

from phasewise.cli.demo.commit_file import read_commits
from phasewise.cli.demo.history import write_history

DOCKERFILE = "python-ai-service/Dockerfile"
HEAD_BRANCH = "main"
COMMITS = Path(__file__).parent / "commits" / "bot_core"


def create(destination: Path) -> Path:
    """The repository, written to `destination` (returned resolved). Raises as `write_history` does."""
    return write_history(destination, read_commits(COMMITS), HEAD_BRANCH)
