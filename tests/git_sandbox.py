"""A real repository for a test, and everything about it that a commit must leave alone."""

import os
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from phasewise.migration.git import Repository
from phasewise.model.phase import FileEdit

DOCKERFILE = "FROM python:3.12\nRUN pip install x\nRUN python -m compileall .\n"


class Sandbox:
    """A repository in `root`, driven with the git command itself."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def create(cls, root: Path) -> "Sandbox":
        root.mkdir(parents=True)
        sandbox = cls(root)
        sandbox.git("init", "--quiet", "--initial-branch=main")
        return sandbox

    def git(self, *arguments: str, stdin: bytes = b"", ok: Iterable[int] = (0,)) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments], input=stdin, capture_output=True, check=False
        )
        assert done.returncode in ok, done.stderr.decode()
        return done.stdout.decode("utf-8", "surrogateescape")

    def write(self, path: str, content: str | bytes) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return place

    def commit(self, message: str = "change", **files: str) -> str:
        for path, content in files.items():
            self.write(path.replace("__", "/"), content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def hook(self, name: str, script: str) -> None:
        place = self.write(f".git/hooks/{name}", f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)

    def open(self) -> Repository:
        return Repository.open(self.root)

    def text(self, path: str, revision: str = "HEAD") -> str:
        return self.git("show", f"{revision}:{path}")

    def files_of(self, revision: str) -> list[str]:
        return self.git("show", "--format=", "--name-only", "-z", revision).split("\0")[:-1]

    def state(self, *without: str) -> dict[str, object]:
        """Index and work tree, bit for bit, but for the paths in `without`."""
        self.git("update-index", "-q", "--refresh", ok=(0, 1))
        exclude = [f":(exclude,literal,top){path}" for path in without]
        listing = self.git("ls-files", "--stage", "-t", "-v", "-z", "--", ".", *exclude)
        work = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name != ".git"]
            for name in names:
                place = Path(folder, name)
                path = place.relative_to(self.root).as_posix()
                if path not in without:
                    status = place.lstat()
                    content = os.readlink(place) if place.is_symlink() else place.read_bytes()
                    work[path] = (stat.S_IMODE(status.st_mode), content)
        return {
            "index": listing,
            "staged": self.git(
                "diff", "--cached", "--raw", "-z", "--no-renames", "HEAD", "--", ".", *exclude
            ),
            "unstaged": self.git("diff", "--raw", "-z", "--", ".", *exclude),
            "status": self.git("status", "--porcelain=v2", "-z", "--ignored", "--", ".", *exclude),
            "work tree": work,
        }


def edit(path: str, before: str | None, after: str | None) -> FileEdit:
    return FileEdit(path, before, after)


def dropped(path: str = "Dockerfile") -> FileEdit:
    """The edit that drops compileall from DOCKERFILE."""
    return FileEdit(path, DOCKERFILE, "".join(DOCKERFILE.splitlines(keepends=True)[:2]))


def object_readers() -> set[int]:
    """The processes of this one that read git objects; skips the test where the system does not list them."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():
        pytest.skip("the system does not list the processes of a process")
    return {
        int(child)
        for child in children.read_text().split()
        if b"cat-file" in Path(f"/proc/{child}/cmdline").read_bytes()
    }
