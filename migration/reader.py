"""Reads a repository: commits, trees, texts, the log, blame and notes; nothing is changed by it."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from phasewise.migration.errors import Usage
from phasewise.migration.git_process import GitFailed, GitProcess
from phasewise.migration.notes import Notes
from phasewise.migration.objects import MOST_AHEAD, Objects
from phasewise.model.phase import FileEdit
from phasewise.model.text import decode

_NO_SETTINGS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_CODE = ".py"
_FULL_HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


class Entry(Struct, frozen=True):
    """One path of a tree or of the index."""

    mode: str
    sha: str

    @property
    def is_regular(self) -> bool:
        """A file: no symbolic link, no submodule."""
        return self.mode.startswith("100")


class Logged(Struct, frozen=True):
    """One commit of the log."""

    sha: str
    parents: tuple[str, ...]
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


class Reader:
    """The reading half of a repository."""

    def __init__(self, root: Path, git_directory: Path, common_directory: Path) -> None:
        self.root, self.git_directory, self.common_directory = root, git_directory, common_directory
        self.git = GitProcess(root)
        self._objects = Objects(self.git)
        self.notes = Notes(self.git, common_directory, self._objects)
        self._logs: dict[tuple[str, int], tuple[Logged, ...]] = {}
        self._changes: dict[str, tuple[str, ...]] = {}
        self._trees: dict[str, Mapping[str, Entry]] = {}
        self._tree_ids: dict[str, str] = {}
        self.memory: dict[object, object] = {}
        """What others found out from it: it lives as long as the repository is used, and no longer."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.name

    def close(self) -> None:
        """Ends the process that reads the objects and forgets; what is asked afterwards starts another."""
        self.memory.clear()
        self._objects.close()

    def head(self) -> str:
        """The full hash of the commit that HEAD names; asked so often that it costs no process."""
        return self._objects.sha("HEAD") or self.resolve("HEAD")

    def branch(self) -> str | None:
        """The current branch; None when HEAD is detached."""
        output = self.git.read("symbolic-ref", "--quiet", "HEAD", ok=(0, 1))
        return None if output.status else output.text.removeprefix("refs/heads/")

    def default_branch(self) -> str | None:
        """The branch that others start from: the one origin names, else `main` or `master`."""
        return next(iter(self._default), None)

    def default_tips(self) -> tuple[str, ...]:
        """The commits at which the default branch stands, here and on origin."""
        return next(iter(self._default.values()), ())

    @property
    def _default(self) -> dict[str, tuple[str, ...]]:
        names = ["main", "master"]
        output = self.git.read(
            "for-each-ref",
            "--format=%(refname) %(objectname) %(symref)",
            "refs/remotes/origin",
            *(f"refs/heads/{name}" for name in names),
        )
        refs = {line.split(" ")[0]: line.split(" ")[1:] for line in output.text.splitlines()}
        _, named = refs.get("refs/remotes/origin/HEAD", ["", ""])
        origin = "refs/remotes/origin/"
        if named.startswith(origin):
            names = [named.removeprefix(origin)]
            refs |= self._ref(f"refs/heads/{names[0]}")
        for name in names:
            tips = tuple(
                refs[ref][0]
                for ref in (f"{origin}{name}", f"refs/heads/{name}")
                if ref in refs and refs[ref][0]
            )
            if tips:
                return {name: tips}
        return {}

    def _ref(self, ref: str) -> dict[str, list[str]]:
        output = self.git.read("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", ok=(0, 1))
        return {} if output.status else {ref: [output.text, ""]}

    def resolve(self, revision: str) -> str:
        """The full hash of the commit that `revision` names.

        Raises:
            Usage: it names none.
        """
        if not revision or revision.startswith("-") or "\0" in revision:
            raise Usage(f"{revision!r} is not a revision")
        try:
            return self.git.read(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
            ).text
        except GitFailed:
            raise Usage(f"{revision} names no commit of {self.name}") from None

    def _known(self, commit: str) -> str:
        """`resolve`, without asking git about what is a full hash already."""
        if commit == "HEAD":
            return self.head()
        return commit if _FULL_HASH.fullmatch(commit) else self.resolve(commit)

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `descendant` contains `ancestor`; every commit contains itself."""
        command = ("merge-base", "--is-ancestor", self.resolve(ancestor), self.resolve(descendant))
        return self.git.read(*command, ok=(0, 1)).status == 0

    def tree_id(self, commit: str) -> str:
        """The hash of a commit's tree: equal for commits that hold the same files."""
        if commit not in self._tree_ids:
            self._tree_ids[commit] = self.git.read("rev-parse", f"{self._known(commit)}^{{tree}}").text
        return self._tree_ids[commit]

    def entries(self, commit: str) -> Mapping[str, Entry]:
        """All paths of a commit's tree, symbolic links and submodules too."""
        if commit not in self._trees:
            listed = self.git.read("ls-tree", "-r", "-z", "--full-tree", self._known(commit)).fields
            self._trees[commit] = {
                path: Entry(mode, sha) for mode, _, sha, path in (split_entry(line) for line in listed)
            }
        return self._trees[commit]

    def tree(self, commit: str) -> tuple[str, ...]:
        """The paths of the regular files of a commit: no symbolic links, no submodules."""
        return tuple(path for path, entry in self.entries(commit).items() if entry.is_regular)

    def sizes(self, commit: str) -> dict[str, int]:
        """The bytes of everything in a commit's tree, by path; none for a submodule."""
        listed = self.git.read("ls-tree", "-r", "-l", "-z", "--full-tree", self._known(commit)).fields
        split = (line.partition("\t") for line in listed)
        return {path: int(size) if (size := head.split()[-1]).isdecimal() else 0 for head, _, path in split}

    def files(self, commit: str, paths: Collection[str] | None = None) -> Mapping[str, str]:
        """The text files of a commit by path, each read when it is asked for.

        Binary files and those beyond `objects.LARGEST_TEXT_BYTES` raise KeyError.
        """
        entries = self.entries(commit)
        wanted = entries if paths is None else [path for path in paths if path in entries]
        return _Files({path: entries[path].sha for path in wanted if entries[path].is_regular}, self._objects)

    def log(self, revision: str = "HEAD", limit: int = 5000) -> tuple[Logged, ...]:
        """The commits that `revision` contains, newest first, at most `limit`."""
        start = self._known(revision)
        known = self._logs.get((start, limit))
        if known is None:
            command = ("log", "-z", f"--max-count={limit}", "--encoding=UTF-8", "--format=%H%n%P%n%B")
            records = decode(self.git.read(*command, start).stdout).split("\0")
            words = (record.split("\n", 2) for record in records if record)
            known = tuple(Logged(sha, tuple(parents.split()), body) for sha, parents, body in words)
            self._logs = {(start, limit): known}
        return known

    def touching(self, path: str, revision: str = "HEAD") -> list[list[str]]:
        """Commit, author, ISO date and subject of what changed `path`, newest first, across renames."""
        fields = self.git.read(
            "log",
            "--follow",
            "-z",
            "--encoding=UTF-8",
            "--format=%H%x00%aN%x00%aI%x00%s",
            self._known(revision),
            "--",
            literal(path),
        ).stdout
        words = decode(fields).removesuffix("\0").split("\0")
        return [words[start : start + 4] for start in range(0, len(words) - 3, 4)]

    def blame(self, commit: str, path: str) -> str:
        """`git blame --porcelain`, white space ignored, moved lines followed; the rest as the user set it.

        A list of ignored revisions in the user's own settings, which this repository does not have, makes
        git fail, and cannot be emptied on the command line: then those settings are left out.

        Raises:
            GitFailed: the path cannot be blamed.
        """
        command = ("blame", "--porcelain", "-w", "-M", self._known(commit), "--", path)
        try:
            return self.git.read(*command).text
        except GitFailed:
            return self.git.read(*command, environment=_NO_SETTINGS).text

    def outside(self, commits: Iterable[str], tips: Sequence[str]) -> frozenset[str]:
        """Those of `commits` that none of `tips` contains, and what lies between."""
        request = "".join(f"{sha}\n" for sha in [*commits, *(f"^{tip}" for tip in tips)])
        return frozenset(self.git.read("rev-list", "--stdin", stdin=request.encode()).text.split())

    @cached_property
    def shallow(self) -> frozenset[str]:
        """The commits at which a shallow clone ends; their parents, and what those did, are unknown."""
        with suppress(OSError):
            return frozenset((self.common_directory / "shallow").read_text("ascii").split())
        return frozenset()

    def altered(self, commit: str, edits: Iterable[FileEdit]) -> tuple[str, ...]:
        """The paths whose text in `commit` is not the edits': a hook or filter has changed it."""
        texts = self.files(commit)
        return tuple(edit.path for edit in edits if texts.get(edit.path) != edit.after)

    def changed(self, old: str, new: str) -> dict[str, Entry | None]:
        """The paths that differ between two commits, with what `new` has there."""
        fields = self.git.read(
            "diff-tree", "-r", "-z", "--no-renames", "--raw", self._known(old), self._known(new)
        )
        words = fields.fields
        entries: dict[str, Entry | None] = {}
        for description, path in zip(words[::2], words[1::2], strict=True):
            _, mode, _, sha, status = description.split(" ")
            entries[path] = None if status == "D" else Entry(mode, sha)
        return entries

    def changed_paths(self, old: str, new: str) -> tuple[str, ...]:
        """The paths that differ between two commits."""
        return tuple(self.changed(old, new))

    def files_of(self, commits: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The paths that each commit changed against its first parent."""
        unknown = [commit for commit in commits if commit not in self._changes]
        if unknown:
            command = ("diff-tree", "--stdin", "--root", "-r", "-z", "--name-only", "--no-renames")
            words = self.git.read(
                *command, stdin="".join(f"{commit}\n" for commit in unknown).encode()
            ).fields
            starts = [*(words.index(commit) for commit in unknown), len(words)]
            for commit, start, end in zip(unknown, starts, starts[1:], strict=False):
                self._changes[commit] = tuple(words[start + 1 : end])
        return {commit: self._changes[commit] for commit in commits}

    def edits_of(self, commit: str) -> tuple[FileEdit, ...]:
        """What a commit did to the text files, against its first parent."""
        parent = self.resolve(f"{commit}^")
        before, after = self.files(parent), self.files(commit)
        return tuple(
            FileEdit(path, before.get(path), after.get(path)) for path in self.changed_paths(parent, commit)
        )

    def note_add(self, commit: str, line: str) -> None:
        """Adds one line to the commit's note."""
        self.notes.add(self._known(commit), line)

    def note_read(self, commit: str) -> tuple[str, ...]:
        """The lines of the commit's note."""
        return self.notes.read(self._known(commit))


class _Files(Mapping[str, str]):
    """Texts by path, read when asked for; with a Python file those that follow: whoever reads one reads all."""

    def __init__(self, blobs: Mapping[str, str], objects: Objects) -> None:
        self._blobs, self._objects = blobs, objects

    def __getitem__(self, path: str) -> str:
        sha = self._blobs[path]
        if path.endswith(_CODE) and not self._objects.knows(sha):
            start = bisect_left(self._code, (path, ""))
            self._objects.read_ahead(sha for _, sha in self._code[start : start + MOST_AHEAD])
        text = self._objects.text(sha)
        if text is None:
            raise KeyError(path)
        return text

    @cached_property
    def _code(self) -> list[tuple[str, str]]:
        """The Python files with their hashes, sorted by path."""
        return sorted((path, sha) for path, sha in self._blobs.items() if path.endswith(_CODE))

    def __iter__(self) -> Iterator[str]:
        return iter(self._blobs)

    def __len__(self) -> int:
        return len(self._blobs)


def literal(path: str) -> str:
    """The path as a pathspec that means nothing but itself."""
    return f":(top,literal){path}"


def split_entry(line: str) -> list[str]:
    """`mode type sha<TAB>path` as its four words."""
    description, _, path = line.partition("\t")
    return [*description.split(" "), path]
