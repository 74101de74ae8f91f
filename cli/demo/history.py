"""Writes a list of commits as a git repository that has the same hashes wherever it is made."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from phasewise.cli.demo.commit_file import Commit


def write_history(destination: Path, commits: Sequence[Commit], head: str) -> Path:
    """A repository with these commits, `head` checked out, at `destination`, which is returned resolved.

    Where git has no identity to commit with, the repository gets one of its own.

    Raises FileExistsError where `destination` is a file or a folder that is not empty, FileNotFoundError
    without git, subprocess.CalledProcessError where git fails.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FileExistsError(f"{destination} exists and is not an empty folder")
    destination.mkdir(parents=True, exist_ok=True)
    _git(destination, "init", "--quiet", "--template=", f"--initial-branch={head}")
    _git(destination, "fast-import", "--quiet", stdin=_fast_import_stream(commits))
    _git(destination, "reset", "--quiet", "--hard")
    if not _has_identity(destination):
        _git(destination, "config", "user.name", "Phasewise Demo")
        _git(destination, "config", "user.email", "demo@tidewatch.example")
    return destination.resolve()


def _has_identity(folder: Path) -> bool:
    """Whether git knows in whose name to commit there: on a new machine it does not."""
    asked = subprocess.run(["git", "-C", str(folder), "var", "GIT_COMMITTER_IDENT"], capture_output=True)
    return asked.returncode == 0


def _fast_import_stream(commits: Sequence[Commit]) -> bytes:
    """The commits as `git fast-import` reads them: it asks no hook, signs nothing and needs no identity."""
    stream = bytearray()
    tips: dict[str, int] = {}
    for mark, commit in enumerate(commits, start=1):
        who_and_when = f"{commit.author} {int(commit.date.timestamp())} {commit.date:%z}"
        stream += f"commit refs/heads/{commit.branch}\nmark :{mark}\n".encode()
        stream += f"author {who_and_when}\ncommitter {who_and_when}\n".encode()
        stream += _data(commit.message)
        parent = tips.get(commit.starts_from or commit.branch)
        if parent is not None:
            stream += f"from :{parent}\n".encode()
        for path, content in commit.files.items():
            if content is None:
                stream += f"D {path}\n".encode()
            else:
                stream += f"M 100644 inline {path}\n".encode() + _data(content)
        tips[commit.branch] = mark
    return bytes(stream)


def _data(text: str) -> bytes:
    payload = text.encode()
    return b"data %d\n%s\n" % (len(payload), payload)


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> None:
    """Run git in `folder` with no configuration but git's defaults, and no variable of a surrounding hook."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DEFAULT_REF_FORMAT": "files",
    }
    subprocess.run(
        ["git", "-C", str(folder), *arguments], input=stdin, env=environment, check=True, capture_output=True
    )
