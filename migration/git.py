"""The one door to git: reads a repository, commits phases exactly, moves branches, keeps notes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from phasewise.migration import worktrees
from phasewise.migration.errors import Refused, Usage
from phasewise.migration.git_process import GitFailed, GitProcess
from phasewise.migration.notes import Notes
from phasewise.migration.objects import Objects
from phasewise.migration.work_tree import (
    Journal,
    Replacement,
    content_of,
    drop_drafts,
    drop_empty_folders,
    inside,
)
from phasewise.model.phase import FileEdit
from phasewise.model.text import decode, encode

_NO_SETTINGS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_FULL_HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "sequencer": "a cherry-pick or revert",
    "BISECT_LOG": "a bisect",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a tree or of the index."""

    mode: str
    sha: str

    @property
    def is_regular(self) -> bool:
        """A file: no symbolic link, no submodule."""
        return self.mode.startswith("100")


@dataclass(frozen=True, slots=True)
class Logged:
    """One commit of the log."""

    sha: str
    parents: tuple[str, ...]
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


class Repository:
    """A git repository with a work tree and at least one commit."""

    def __init__(self, root: Path, git_directory: Path, common_directory: Path) -> None:
        self.root, self.git_directory, self.common_directory = root, git_directory, common_directory
        self._git = GitProcess(root)
        self._objects = Objects(self._git)
        self.notes = Notes(self._git, common_directory, self._objects)
        self._journal = Journal(git_directory)
        self._logs: dict[tuple[str, int], tuple[Logged, ...]] = {}
        self._trees: dict[str, Mapping[str, Entry]] = {}

    @classmethod
    def open(cls, path: Path) -> Repository:
        """The repository that `path`, a folder or file in it, belongs to.

        Raises:
            Usage: there is none, it is bare, or it has no commit yet.
        """
        repository = cls._at(path)
        worktrees.prune(repository._git, repository.common_directory)
        return repository

    @classmethod
    def _at(cls, path: Path) -> Repository:
        folder = path if path.is_dir() else path.parent
        if not path.exists():
            raise Usage(f"{path} does not exist")
        output = GitProcess(folder.absolute()).read(
            "rev-parse",
            "--is-bare-repository",
            "--git-dir",
            "--git-common-dir",
            "--is-inside-work-tree",
            "--show-toplevel",
            "HEAD^{commit}",
            ok=(),
        )
        said = output.text.split("\n")
        if len(said) < 3:
            raise Usage(f"{path} is not in a git repository", decode(output.stderr).strip())
        if said[0] == "true":
            raise Usage(f"{path} is a bare repository: there are no files to work on")
        if said[3:4] != ["true"]:
            raise Usage(f"{path} is inside git's own folder, not in the work tree")
        if output.status:
            raise Usage(f"{said[4]} has no commit yet", "Make the first commit, then start again.")
        return cls(Path(said[4]), (folder / said[1]).resolve(), (folder / said[2]).resolve())

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.name

    # Reading ---------------------------------------------------------------------------------------

    def head(self) -> str:
        """The full hash of the commit that HEAD names; asked so often that it costs no process."""
        return self._objects.sha("HEAD") or self.resolve("HEAD")

    def branch(self) -> str | None:
        """The current branch; None when HEAD is detached."""
        output = self._git.read("symbolic-ref", "--quiet", "HEAD", ok=(0, 1))
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
        output = self._git.read(
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
        output = self._git.read("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", ok=(0, 1))
        return {} if output.status else {ref: [output.text, ""]}

    def resolve(self, revision: str) -> str:
        """The full hash of the commit that `revision` names.

        Raises:
            Usage: it names none.
        """
        if not revision or revision.startswith("-") or "\0" in revision:
            raise Usage(f"{revision!r} is not a revision")
        try:
            return self._git.read(
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
        return self._git.read(*command, ok=(0, 1)).status == 0

    def entries(self, commit: str) -> Mapping[str, Entry]:
        """All paths of a commit's tree, symbolic links and submodules too."""
        if commit not in self._trees:
            listed = self._git.read("ls-tree", "-r", "-z", "--full-tree", self._known(commit)).fields
            self._trees[commit] = {
                path: Entry(mode, sha) for mode, _, sha, path in (_split(line) for line in listed)
            }
        return self._trees[commit]

    def tree(self, commit: str) -> tuple[str, ...]:
        """The paths of the regular files of a commit: no symbolic links, no submodules."""
        return tuple(path for path, entry in self.entries(commit).items() if entry.is_regular)

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
            records = decode(self._git.read(*command, start).stdout).split("\0")
            words = (record.split("\n", 2) for record in records if record)
            known = tuple(Logged(sha, tuple(parents.split()), body) for sha, parents, body in words)
            self._logs = {(start, limit): known}
        return known

    def touching(self, path: str, revision: str = "HEAD") -> list[list[str]]:
        """Commit, author, ISO date and subject of what changed `path`, newest first, across renames."""
        fields = self._git.read(
            "log",
            "--follow",
            "-z",
            "--encoding=UTF-8",
            "--format=%H%x00%aN%x00%aI%x00%s",
            self._known(revision),
            "--",
            _literal(path),
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
            return self._git.read(*command).text
        except GitFailed:
            return self._git.read(*command, environment=_NO_SETTINGS).text

    def outside(self, commits: Iterable[str], tips: Sequence[str]) -> frozenset[str]:
        """Those of `commits` that none of `tips` contains, and what lies between."""
        request = "".join(f"{sha}\n" for sha in [*commits, *(f"^{tip}" for tip in tips)])
        return frozenset(self._git.read("rev-list", "--stdin", stdin=request.encode()).text.split())

    @cached_property
    def shallow(self) -> frozenset[str]:
        """The commits at which a shallow clone ends; their parents, and what those did, are unknown."""
        with suppress(OSError):
            return frozenset((self.common_directory / "shallow").read_text("ascii").split())
        return frozenset()

    # May anything be changed ------------------------------------------------------------------------

    def blockers(self, paths: Iterable[str] = ()) -> str:
        """Why nothing that touches `paths` may be applied now, as a sentence; '' when it may."""
        for name, job in _UNDER_WAY.items():
            if (self.git_directory / name).exists():
                return f"{job} is under way; finish or abort it first"
        if self._journal.pending:
            return "another change is under way, or was interrupted; open phasewise again to put it right"
        unmerged = self._git.read("ls-files", "--unmerged", "-z").fields
        if unmerged:
            return f"{unmerged[0].partition(chr(9))[2]} has an unresolved conflict"
        return next(iter(self._dirty(list(dict.fromkeys(paths))).values()), "")

    def refusals(self, files: Mapping[str, Collection[str]]) -> dict[str, str]:
        """`blockers` for several sets of paths at once, by their names; without those that may be changed."""
        general = self.blockers()
        dirty = (
            {}
            if general
            else self._dirty(list(dict.fromkeys(path for paths in files.values() for path in paths)))
        )
        reasons = {
            name: general or next((dirty[path] for path in paths if path in dirty), "")
            for name, paths in files.items()
        }
        return {name: reason for name, reason in reasons.items() if reason}

    def _dirty(self, paths: Sequence[str]) -> dict[str, str]:
        """Why some of `paths` may not be changed now, as sentences."""
        reasons: dict[str, str] = {}
        committed = self.entries(self.head())
        reachable: list[str] = []
        for path in paths:
            try:
                place = inside(self.root, path)
            except Refused as refused:
                reasons[path] = refused.message
                continue
            reachable.append(_literal(path))
            if path not in committed and os.path.lexists(place):
                reasons[path] = f"{path} is there already, and no commit has it"
        if not reachable:
            return reasons
        for line in self._git.read("ls-files", "-v", "-z", "--", *reachable).fields:
            flag, path = line[0], line[2:]
            if flag in "Ss":
                reasons[path] = f"{path} is left out by the sparse checkout (skip-worktree)"
            elif flag.islower():
                reasons[path] = f"{path} is marked assume-unchanged"
        command = ("status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no")
        for line in self._git.read(*command, "--", *reachable).fields:
            path, changed = line.split(" ", 8)[8], line[3]
            reasons.setdefault(
                path, f"{path} has uncommitted changes" + (" (staged)" if changed == "." else "")
            )
        return reasons

    # Changing --------------------------------------------------------------------------------------

    def commit(self, edits: Sequence[FileEdit], message: str, *, branch: str | None = None) -> str:
        """Writes exactly these edits and commits exactly them; the hash of the commit.

        The user's hooks, signing and identity apply. Everything else, staged or not, stays as it is. With
        `branch`, the commit is made on a new branch of that name, which is gone again when it fails.

        Raises:
            Refused: a blocker, a changed file, or git or a hook said no; everything is as before.
        """
        edits = [edit for edit in edits if edit.changes]
        if not edits:
            raise Refused("there is nothing to commit")
        with self._journal.hold():
            blocked = self.blockers(edit.path for edit in edits)
            if blocked:
                raise Refused(blocked)
            head = self.head()
            self._check_premise(edits, head)
            came_from = self._switch_to_new(branch) if branch is not None else None
            try:
                self._commit(edits, message, head)
            except BaseException:
                if came_from is not None and branch is not None and self.head() == head:
                    self._leave_new(branch, came_from)
                raise
            return self.head()

    def _check_premise(self, edits: Sequence[FileEdit], head: str) -> None:
        texts = self.files(head)
        for edit in edits:
            if texts.get(edit.path) != edit.before:
                raise Refused(f"{edit.path} is not what the phase was made for any more; plan again")

    def _commit(self, edits: Sequence[FileEdit], message: str, head: str) -> None:
        blobs = {edit.path: self._store(edit.after) for edit in edits if edit.after is not None}
        replacements = [
            Replacement.of(self.root, edit.path, self._as_in_work_tree(edit.path, blobs.get(edit.path)))
            for edit in edits
        ]
        created = [replacement.path for replacement in replacements if replacement.before is None]
        self._journal.begin(head, replacements)
        try:
            for replacement in replacements:
                replacement.make(self.root)
            self._update_index({path: Entry("100644", blobs[path]) for path in created})
            output = self._git.write(
                "-c",
                "i18n.commitEncoding=UTF-8",
                "commit",
                "--only",
                "--quiet",
                "--cleanup=whitespace",
                "--file=-",
                "--",
                *(_literal(edit.path) for edit in edits),
                stdin=encode(message),
                ok=(),
            )
            if self.head() == head:
                raise Refused(f"git did not take the commit; nothing was changed\n{output.said}")
        except BaseException as failure:
            if self.head() == head:
                self._undo(replacements, created)
                if isinstance(failure, GitFailed | OSError):
                    raise Refused(f"nothing was changed: {failure}") from failure
                raise
        self._journal.clear()
        for edit in edits:
            if edit.after is None:
                drop_empty_folders(self.root, edit.path)
        with suppress(GitFailed):
            self._follow_hooks(head, self.head(), blobs)

    def _undo(self, replacements: Sequence[Replacement], created: Sequence[str]) -> None:
        for replacement in replacements:
            replacement.undo(self.root)
        self._update_index(dict.fromkeys(created))
        self._journal.clear()

    def _follow_hooks(self, old: str, new: str, planned: Mapping[str, str]) -> None:
        """Brings the index to what a hook added to the commit, where the user had nothing of their own there.

        `git commit --only` commits what a hook staged but leaves the user's index without it, which would
        show as a change that nobody made.
        """
        changed = self.changed(old, new)
        before, now = self.entries(old), self._index(changed)
        self._update_index(
            {
                path: entry
                for path, entry in changed.items()
                if now.get(path) != entry
                and (
                    now.get(path) == before.get(path) or (path in now and now[path].sha == planned.get(path))
                )
            }
        )

    def altered(self, commit: str, edits: Iterable[FileEdit]) -> tuple[str, ...]:
        """The paths whose text in `commit` is not the edits': a hook or filter has changed it."""
        texts = self.files(commit)
        return tuple(edit.path for edit in edits if texts.get(edit.path) != edit.after)

    def changed(self, old: str, new: str) -> dict[str, Entry | None]:
        """The paths that differ between two commits, with what `new` has there."""
        fields = self._git.read(
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
        if not commits:
            return {}
        words = self._git.read(
            "diff-tree",
            "--stdin",
            "--root",
            "-r",
            "-z",
            "--name-only",
            "--no-renames",
            stdin="".join(f"{commit}\n" for commit in commits).encode(),
        ).fields
        starts = [*(words.index(commit) for commit in commits), len(words)]
        return {
            commit: tuple(words[start + 1 : end])
            for commit, start, end in zip(commits, starts, starts[1:], strict=False)
        }

    def edits_of(self, commit: str) -> tuple[FileEdit, ...]:
        """What a commit did to the text files, against its first parent."""
        parent = self.resolve(f"{commit}^")
        before, after = self.files(parent), self.files(commit)
        return tuple(
            FileEdit(path, before.get(path), after.get(path)) for path in self.changed_paths(parent, commit)
        )

    def _index(self, paths: Iterable[str]) -> dict[str, Entry]:
        pathspecs = [_literal(path) for path in paths]
        lines = self._git.read("ls-files", "--stage", "-z", "--", *pathspecs).fields if pathspecs else []
        return {path: Entry(mode, sha) for mode, sha, _, path in (_split(line) for line in lines)}

    def _update_index(self, entries: Mapping[str, Entry | None], index: Path | None = None) -> None:
        if not entries:
            return
        lines = (
            f"0 {'0' * 40}\t{path}\0" if entry is None else f"{entry.mode} {entry.sha}\t{path}\0"
            for path, entry in entries.items()
        )
        self._git.write(
            "update-index",
            "-z",
            "--index-info",
            stdin=encode("".join(lines)),
            environment={"GIT_INDEX_FILE": str(index)} if index else None,
        )

    def _store(self, text: str) -> str:
        return self._git.write("hash-object", "-w", "--stdin", stdin=encode(text)).text

    def _as_in_work_tree(self, path: str, blob: str | None) -> bytes | None:
        """The blob with the user's line endings, encoding and filters, as a checkout would write it."""
        if blob is None:
            return None
        return self._git.read("cat-file", "--filters", f"--path={path}", blob).stdout

    def create_branch(self, name: str) -> None:
        """Creates a branch at HEAD and switches to it; no file and no index entry changes.

        Raises:
            Refused: the name is taken or not a branch's name, or git cannot switch now.
        """
        self._switch_to_new(name)

    def _switch_to_new(self, name: str) -> str:
        """Where HEAD pointed before: a full ref, or a commit when it was detached."""
        checked = self._git.read("check-ref-format", "--branch", name, ok=()) if "\0" not in name else None
        if checked is None or checked.status or checked.text != name:
            raise Refused(f"{name!r} cannot be the name of a branch")
        before = self._git.read("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text or self.head()
        output = self._git.write("switch", "--quiet", "--no-track", "--create", name, ok=())
        # A failing post-checkout hook ends with an error after the switch was made.
        if output.status and (self.branch() != name or before == f"refs/heads/{name}"):
            raise Refused(f"the branch {name} was not created: {output.said}")
        return before

    def _leave_new(self, name: str, came_from: str) -> None:
        if came_from.startswith("refs/"):
            self._git.write("symbolic-ref", "-m", "phasewise: back", "HEAD", came_from)
        else:
            self._git.write("update-ref", "--no-deref", "-m", "phasewise: back", "HEAD", came_from)
        self._git.write("branch", "--quiet", "--delete", "--force", "--", name)

    def move_branch(
        self, new: str, expected_old: str, paths: Iterable[str], reason: str = "roll back"
    ) -> None:
        """Moves the current branch from `expected_old` to `new`, which was made on it in a linked worktree.

        Index and work tree follow for `paths` and whatever else differs between the two; all the rest stays
        bit for bit.

        Raises:
            Refused: HEAD is not at `expected_old` any more, or a file is dirty; nothing was changed.
        """
        new, old = self.resolve(new), self.resolve(expected_old)
        changed = self.changed(old, new)
        with self._journal.hold():
            blocked = self.blockers([*paths, *changed])
            if blocked:
                raise Refused(blocked)
            if self.head() != old:
                raise Refused(f"{self.branch() or 'HEAD'} has moved since; nothing was changed")
            replacements = [
                Replacement.of(
                    self.root, path, self._as_in_work_tree(path, entry.sha) if entry is not None else None
                )
                for path, entry in changed.items()
            ]
            with self._locked_index(changed) as (lock, digest):
                self._journal.begin(old, replacements, new=new, index=digest)
                try:
                    for replacement in replacements:
                        replacement.make(self.root)
                    self._git.write("update-ref", "-m", f"phasewise: {reason}", "HEAD", new, old)
                except BaseException as failure:
                    for replacement in replacements:
                        replacement.undo(self.root)
                    self._journal.clear()
                    if isinstance(failure, GitFailed | OSError):
                        raise Refused(f"nothing was changed: {failure}") from failure
                    raise
                lock.replace(self.git_directory / "index")
            self._journal.clear()
            self._set_modes(changed)
            for path, entry in changed.items():
                if entry is None:
                    drop_empty_folders(self.root, path)

    @contextmanager
    def _locked_index(self, entries: Mapping[str, Entry | None]) -> Iterator[tuple[Path, str]]:
        """git's own lock on the index, holding the index with `entries` already, and its digest."""
        lock, index = self.git_directory / "index.lock", self.git_directory / "index"
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            raise Refused(f"another git command is at work ({lock} exists); nothing was changed") from None
        draft = self._journal.folder / "index"
        try:
            shutil.copy2(index, draft)
            self._update_index(entries, draft)
            draft.replace(lock)
            yield lock, hashlib.sha256(lock.read_bytes()).hexdigest()
        finally:
            lock.unlink(missing_ok=True)
            draft.unlink(missing_ok=True)

    def _set_modes(self, entries: Mapping[str, Entry | None]) -> None:
        for path, entry in entries.items():
            if entry is not None:
                place = self.root / path
                mode = place.stat().st_mode
                wanted = mode | ((mode & 0o444) >> 2) if entry.mode == "100755" else mode & ~0o111
                if wanted != mode:
                    place.chmod(wanted)

    def recover(self) -> str:
        """Puts right what a killed process left half done, and says what it did; '' when there was nothing.

        Files are put back only while HEAD stands where it stood and they hold exactly what was being written.
        """
        if not self._journal.pending:
            return ""
        try:
            with self._journal.hold():
                return self._recover()
        except Refused:
            return ""

    def _recover(self) -> str:
        record = self._journal.read()
        if record is None:
            self._journal.clear()
            return "An earlier run was interrupted before it had changed anything."
        old, replacements, facts = record
        head, lock = self.head(), self.git_directory / "index.lock"
        if lock.exists():
            if hashlib.sha256(lock.read_bytes()).hexdigest() != facts.get("index"):
                return (
                    "An earlier run was interrupted, and git is still at work or was stopped too: "
                    f"when no git command runs any more, remove {lock} and start again."
                )
            if head == facts["new"]:
                lock.replace(self.git_directory / "index")
            else:
                lock.unlink()
        if head != old:
            self._journal.clear()
            return (
                "An earlier run was interrupted just after its commit was made; nothing had to be put back."
            )
        kept = [replacement.path for replacement in replacements if not self._put_back(replacement)]
        self._journal.clear()
        if kept:
            names = ", ".join(kept)
            return f"An earlier run was interrupted. {names}: changed since, so left as it is; please look."
        return "An earlier run was interrupted before its commit; its files were put back as they were."

    def _put_back(self, replacement: Replacement) -> bool:
        drop_drafts(self.root, replacement.path)
        present = content_of(self.root, replacement.path)
        if present not in (replacement.before, replacement.after):
            return False
        if present != replacement.before:
            replacement.undo(self.root)
        if replacement.before is None and replacement.path in self._index([replacement.path]):
            self._update_index({replacement.path: None})
        return True

    # Linked worktrees -------------------------------------------------------------------------------

    @contextmanager
    def worktree(self, commit: str) -> Iterator[Path]:
        """A linked, detached worktree of `commit` in a temporary folder, gone afterwards.

        Large files kept outside of git stay pointers: nothing is fetched.
        """
        with worktrees.linked(self._git, self.common_directory, self.resolve(commit)) as path:
            yield path

    def head_of(self, worktree: Path) -> str:
        """The commit at which a linked worktree stands."""
        return GitProcess(worktree).read("rev-parse", "--verify", "HEAD^{commit}").text

    def reset_in(self, worktree: Path, commit: str) -> None:
        """Puts a linked worktree back to a commit, whatever was done in it."""
        GitProcess(worktree).write("reset", "--quiet", "--hard", self.resolve(commit))

    def commit_in(self, worktree: Path, edits: Sequence[FileEdit], message: str) -> str:
        """`commit`, in a linked worktree."""
        return self._at(worktree).commit(edits, message)

    def revert_in(self, worktree: Path, sha: str, message: str) -> str | None:
        """Reverts a commit in a linked worktree; the hash of the revert, None when it conflicts.

        A commit that is undone already gives an empty revert, so that the record is complete.

        Raises:
            Refused: a hook said no.
        """
        repository = self._at(worktree)
        git, head = repository._git, repository.head()
        reverted = git.write("revert", "--no-edit", "--no-commit", self.resolve(sha), ok=())
        if reverted.status:
            conflict = bool(git.read("ls-files", "--unmerged", "-z").stdout)
            git.write("reset", "--quiet", "--hard", head)
            git.write("revert", "--quit", ok=())
            if not conflict:
                raise GitFailed("revert", reverted)
            return None
        output = git.write(
            "-c",
            "i18n.commitEncoding=UTF-8",
            "commit",
            "--quiet",
            "--allow-empty",
            "--cleanup=whitespace",
            "--file=-",
            stdin=encode(message),
            ok=(),
        )
        if repository.head() == head:
            git.write("reset", "--quiet", "--hard", head)
            git.write("revert", "--quit", ok=())
            raise Refused(f"git did not take the revert; nothing was changed\n{output.said}")
        return repository.head()

    # Notes -----------------------------------------------------------------------------------------

    def note_add(self, commit: str, line: str) -> None:
        """Adds one line to the commit's note."""
        self.notes.add(self._known(commit), line)

    def note_read(self, commit: str) -> tuple[str, ...]:
        """The lines of the commit's note."""
        return self.notes.read(self._known(commit))


class _Files(Mapping[str, str]):
    """Texts by path, read when asked for."""

    def __init__(self, blobs: Mapping[str, str], objects: Objects) -> None:
        self._blobs, self._objects = blobs, objects

    def __getitem__(self, path: str) -> str:
        text = self._objects.text(self._blobs[path])
        if text is None:
            raise KeyError(path)
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self._blobs)

    def __len__(self) -> int:
        return len(self._blobs)


def _literal(path: str) -> str:
    """The path as a pathspec that means nothing but itself."""
    return f":(top,literal){path}"


def _split(line: str) -> list[str]:
    """`mode type sha<TAB>path` as its four words."""
    description, _, path = line.partition("\t")
    return [*description.split(" "), path]
