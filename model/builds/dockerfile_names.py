"""Which files are Dockerfiles, by name and by content."""

from __future__ import annotations

import re

_CERTAIN = re.compile(r"[Dd]ockerfile|[Cc]ontainerfile|.+\.[Dd]ockerfile")
_LIKELY = re.compile(r"(?:Dockerfile|Containerfile)[._-].+")
_NEVER = re.compile(
    r".+\.(?:dockerignore|md|rst|j2|jinja2?|tmpl|tpl|template|erb|in|orig|rej|bak|swp|patch|diff)|.+~"
)
_NO_DOCKERFILES = {
    "authors", "brewfile", "build", "changelog", "changes", "codeowners", "contributing", "contributors",
    "copying", "fastfile", "gemfile", "gnumakefile", "jenkinsfile", "justfile", "license", "makefile", "manifest",
    "notice", "pipfile", "podfile", "procfile", "py.typed", "rakefile", "readme", "snakefile", "tiltfile",
    "vagrantfile", "version", "workspace",
}  # fmt: skip
_FROM = re.compile(r"FROM\s+(?:--platform=\S+\s+)?\S+(?:\s+AS\s+\S+)?\s*(?:#.*)?", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+\w+", re.IGNORECASE)
_SECONDARY = re.compile(
    r"(?:^|/)(?:\.devcontainer|docs?|examples?|tests?|samples?|benchmarks?)/|[._-](?:ci|dev|test|tests|debug|local)$"
    r"|(?:^|/)(?:ci|dev|test|tests|debug|local)\.[Dd]ockerfile$"
)


def is_named_so(path: str) -> bool:
    """Whether the name alone says that it is a Dockerfile."""
    name = path.rpartition("/")[2]
    return bool(_CERTAIN.fullmatch(name)) and not _NEVER.fullmatch(name)


def may_be_one(path: str) -> bool:
    """Whether a look at the content is worth it: `Dockerfile.gpu`, and names without an extension."""
    name = path.rpartition("/")[2]
    if _NEVER.fullmatch(name):
        return False
    return bool(_LIKELY.fullmatch(name)) or ("." not in name and name.lower() not in _NO_DOCKERFILES)


def reads_like_one(text: str) -> bool:
    """Whether the first instruction, after comments and ARGs, is a FROM."""
    for line in text.removeprefix("\ufeff").split("\n"):
        line = line.strip()
        if line and not line.startswith("#") and not _ARG.match(line):
            return bool(_FROM.fullmatch(line))
    return False


def is_secondary(path: str) -> bool:
    """Whether the name says that it is for tests, development or show, and not the one that is deployed."""
    return bool(_SECONDARY.search(path))
