"""Runs git: argument lists only, a known environment, and what it said when it failed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from phasewise.migration.errors import PhasewiseError, Usage
from phasewise.model.text import decode

# Without it, a machine without git fails at the import and not with a sentence of ours.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Git, GitCommandNotFound

_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_NOTES_REF",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""What a surrounding hook or alias sets for its own repository; it would lead git to the wrong one."""

_SETTINGS = (
    "core.quotePath=false",
    "color.ui=false",
    "log.showSignature=false",
    "core.warnAmbiguousRefs=false",
)
_QUIET = ("--no-pager", *(word for setting in _SETTINGS for word in ("-c", setting)))


class GitFailed(PhasewiseError):
    """git ended with an error; the message is what it printed."""

    def __init__(self, command: str, output: Output) -> None:
        super().__init__(f"git {command}: {output.said or f'exit status {output.status}'}")
        self.output = output


class Output(Struct, frozen=True):
    """How one git process ended."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output without its last newline."""
        return decode(self.stdout).removesuffix("\n")

    @property
    def fields(self) -> list[str]:
        """The NUL-terminated fields of standard output."""
        return decode(self.stdout).split("\0")[:-1]

    @property
    def said(self) -> str:
        """All that was printed, errors first."""
        return "\n".join(part for part in (decode(self.stderr).strip(), decode(self.stdout).strip()) if part)


class GitProcess:
    """git in one folder.

    `read` never takes a lock, never asks a question and is not influenced by how the user likes git's
    output; `write` lets the user's hooks see the user's own settings.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._git = Git(str(folder))

    def read(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: Sequence[int] = (0,),
        environment: Mapping[str, str] | None = None,
    ) -> Output:
        """Runs a command that changes nothing.

        Raises:
            GitFailed: it ended with a status that is not in `ok`.
        """
        unlocked = {"GIT_OPTIONAL_LOCKS": "0", **(environment or {})}
        return self._run((*_QUIET, *arguments), arguments[0], stdin, ok, unlocked)

    def write(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: Sequence[int] = (0,),
        environment: Mapping[str, str] | None = None,
    ) -> Output:
        """Runs a command that may change the repository; hooks run with the user's locale.

        Raises:
            GitFailed: it ended with a status that is not in `ok`.
        """
        name = next(word for word in arguments if not word.startswith("-") and "=" not in word)
        locale = {key: os.environ.get(key, "") for key in ("LC_ALL", "LANGUAGE")}
        return self._run(arguments, name, stdin, ok, {**locale, **(environment or {})})

    def start(self, *arguments: str) -> Git.AutoInterrupt:
        """Starts a command that changes nothing and answers requests; it ends when it is forgotten."""
        return self._start((*_QUIET, *arguments), {"GIT_OPTIONAL_LOCKS": "0"})

    def _run(
        self,
        arguments: Sequence[str],
        name: str,
        stdin: bytes,
        ok: Sequence[int],
        environment: Mapping[str, str],
    ) -> Output:
        process = self._start(arguments, environment)
        popen = process.proc
        assert popen is not None
        try:
            stdout, stderr = popen.communicate(stdin)
        except BaseException:
            popen.terminate()
            popen.wait()
            raise
        output = Output(popen.returncode, stdout, stderr)
        if ok and output.status not in ok:
            raise GitFailed(name, output)
        return output

    def _start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Git.AutoInterrupt:
        strangers = [
            word for name in _LOCAL if name in os.environ.keys() - environment for word in ("-u", name)
        ]
        command = [Git.GIT_PYTHON_GIT_EXECUTABLE or "git", "-C", str(self.folder), *arguments]
        try:
            return self._git.execute(
                ["env", *strangers, *command] if strangers else command,
                istream=subprocess.PIPE,
                as_process=True,
                env={"GIT_TERMINAL_PROMPT": "0", **environment},
            )
        except GitCommandNotFound:
            raise Usage("git is not installed, or not on the PATH") from None
