"""Hundreds of changes that have nothing to do with a phase, in every state that git knows."""

from git_sandbox import Sandbox

EACH = 60


def commit_clean(sandbox: Sandbox) -> None:
    """The files that are going to be changed."""
    for kind in ("staged", "unstaged", "both", "deleted", "renamed"):
        for number in range(EACH):
            sandbox.write(f"work/{kind}/{number}.txt", f"{kind} {number}\n" * 3)
    sandbox.write("work/run.sh", "#!/bin/sh\n")
    sandbox.commit("files of the day's work")


def make_dirty(sandbox: Sandbox) -> int:
    """Changes them in every way; returns how many `git status` tells."""
    for number in range(EACH):
        sandbox.write(f"work/staged/{number}.txt", f"staged now {number}\r\n")
        sandbox.write(f"work/both/{number}.txt", f"staged first {number}\n")
    sandbox.git("add", "--", "work/staged", "work/both")
    for number in range(EACH):
        sandbox.write(f"work/both/{number}.txt", f"and changed again {number}\n")
        sandbox.write(f"work/unstaged/{number}.txt", f"unstaged {number}")
        sandbox.write(f"work/untracked/new {number} é.bin", bytes(range(number, 200)))
        sandbox.git("mv", "--", f"work/renamed/{number}.txt", f"work/renamed/{number}.moved")
    sandbox.git("rm", "--quiet", "--cached", "-r", "--", "work/deleted")
    (sandbox.root / "work/run.sh").chmod(0o755)
    return len(sandbox.git("status", "--porcelain", "-z", "--untracked-files=all").split("\0"))
