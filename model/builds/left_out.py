"""What a build context can do without: the patterns for it, in groups that a reader can decide on."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct


class Pattern(Struct, frozen=True):
    """One line of a .dockerignore."""

    text: str
    group: str
    untracked: str = ""
    """The path that it stands for where nothing tracked matches: what a machine that builds usually has."""
    always: bool = False
    """Whether it is worth a line although the repository does not say that there is such a thing."""


UNTRACKED = frozenset({"history", "caches", "environments", "secrets", "data"})
"""Groups of what lies about on a machine that builds. What is tracked under such a name is there on purpose."""

GROUPS = {
    "history": "git's own data",
    "caches": "caches and compiled files",
    "environments": "virtual environments",
    "secrets": "files with secrets",
    "data": "data and results that git ignores, and no code names",
    "documentation": "documentation",
    "tests": "tests",
    "upkeep": "settings of CI, editors and linters",
    "docker": "Dockerfiles and compose files",
}

NODE_MODULES = "**/node_modules"

PATTERNS = (
    Pattern(".git", "history", ".git", always=True),
    Pattern("**/__pycache__", "caches", "package/__pycache__", always=True),
    Pattern(".pytest_cache", "caches", ".pytest_cache", always=True),
    Pattern(".mypy_cache", "caches", ".mypy_cache", always=True),
    Pattern(".ruff_cache", "caches", ".ruff_cache", always=True),
    Pattern(NODE_MODULES, "caches", "package/node_modules"),
    Pattern(".coverage", "caches", ".coverage"),
    Pattern("htmlcov", "caches", "htmlcov"),
    Pattern(".tox", "caches", ".tox"),
    Pattern(".nox", "caches", ".nox"),
    Pattern(".venv", "environments", ".venv", always=True),
    Pattern("venv", "environments", "venv"),
    Pattern("env", "environments", "env"),
    Pattern(".env", "secrets", ".env", always=True),
    Pattern(".env.*", "secrets", ".env.local"),
    *(
        Pattern(name, "data", name)
        for name in (
            "artifacts", "checkpoints", "data", "datasets", "logs", "mlruns", "models", "output", "outputs",
            "results", "runs", "tmp", "wandb", "weights",
        )
    ),
    Pattern("docs", "documentation"),
    Pattern("doc", "documentation"),
    Pattern("mkdocs.yml", "documentation"),
    Pattern("*.md", "documentation"),
    Pattern("*.rst", "documentation"),
    Pattern("tests", "tests"),
    Pattern("test", "tests"),
    Pattern("conftest.py", "tests"),
    Pattern("pytest.ini", "tests"),
    Pattern("tox.ini", "tests"),
    Pattern("noxfile.py", "tests"),
    Pattern(".github", "upkeep"),
    Pattern(".circleci", "upkeep"),
    Pattern(".gitlab-ci.yml", "upkeep"),
    Pattern(".pre-commit-config.yaml", "upkeep"),
    Pattern(".readthedocs.y*ml", "upkeep"),
    Pattern(".editorconfig", "upkeep"),
    Pattern("codecov.yml", "upkeep"),
    Pattern(".devcontainer", "upkeep"),
    Pattern(".idea", "upkeep", ".idea"),
    Pattern(".vscode", "upkeep", ".vscode"),
    Pattern("Dockerfile*", "docker"),
    Pattern("docker-compose*.y*ml", "docker"),
    Pattern("compose*.y*ml", "docker"),
)  # fmt: skip
"""In the order in which they are written. `.gitignore` stays: hatchling reads it to choose a wheel's files."""


def git_ignores(texts: Collection[str], path: str) -> bool:
    """Whether a .gitignore names `path`, as a line of its own; finer patterns count for nothing here."""
    names = {path, path.rpartition("/")[2]}
    lines = {line.strip().strip("/").removeprefix("**/") for text in texts for line in text.splitlines()}
    return bool(names & lines) or (path == ".env.local" and ".env.*" in lines)
