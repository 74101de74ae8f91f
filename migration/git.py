"""The one door to git: reads a repository, commits phases exactly, moves branches, keeps notes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from phasewise.migration import obstacles, worktrees
from phasewise.migration.errors import Refused, Usage
from phasewise.migration.git_process import GitFailed, GitProcess
from phasewise.migration.index import Index
from phasewise.migration.reader import Entry, Logged, Reader, literal
from phasewise.migration.work_tree import (
    Journal,
    Replacement,
    content_of,
    drop_drafts,
    drop_empty_folders,
)
from phasewise.model.phase import FileEdit
from phasewise.model.text import decode, encode

__all__ = ["Entry", "Logged", "Repository"]


class Repository(Reader):
    """A git repository with a work tree and at least one commit."""

    def __init__(self, root: Path, git_directory: Path, common_directory: Path) -> None:
        super().__init__(root, git_directory, common_directory)
        self._index = Index(self.git, git_directory)
        self._journal = Journal(git_directory)
        self.said = ""
        """What git and the user's hooks printed when the last commit was made."""

    @classmethod
    def open(cls, path: Path) -> Repository:
        """The repository that `path`, a folder or file in it, belongs to.

        Raises:
            Usage: there is none, it is bare, or it has no commit yet.
        """
        repository = cls._at(path)
        worktrees.prune(repository.git, repository.common_directory)
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
            words = decode(output.stderr).strip()
            # That much was said already; anything else, an owner whom git does not trust, is git's to say.
            known = words.startswith("fatal: not a git repository")
            hint = "commit to one first (git init), or name another: phasewise REPO" if known else words
            raise Usage(f"{path} is not in a git repository", hint)
        if said[0] == "true":
            raise Usage(f"{path} is a bare repository: there are no files to work on", "clone it first")
        if said[3:4] != ["true"]:
            raise Usage(f"{path} is inside git's own folder, not in the work tree")
        if output.status:
            raise Usage(f"{said[4]} has no commit yet", "Make the first commit, then start again.")
        return cls(Path(said[4]), (folder / said[1]).resolve(), (folder / said[2]).resolve())

    # May anything be changed ------------------------------------------------------------------------

    def blockers(self, paths: Iterable[str] = ()) -> str:
        """Why nothing that touches `paths` may be applied now, as a sentence; '' when it may."""
        if self._journal.pending:
            return "another change is under way, or was interrupted; open phasewise again to put it right"
        general = obstacles.under_way(self)
        if general:
            return general
        return next(iter(obstacles.unclean(self, list(dict.fromkeys(paths))).values()), "")

    def refusals(self, files: Mapping[str, Collection[str]]) -> dict[str, str]:
        """`blockers` for several sets of paths at once, by their names; without those that may be changed."""
        general = self.blockers()
        dirty = (
            {}
            if general
            else obstacles.unclean(
                self, list(dict.fromkeys(path for paths in files.values() for path in paths))
            )
        )
        reasons = {
            name: general or next((dirty[path] for path in paths if path in dirty), "")
            for name, paths in files.items()
        }
        return {name: reason for name, reason in reasons.items() if reason}

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
            self._index.update({path: Entry("100644", blobs[path]) for path in created})
            output = self.git.write(
                "-c",
                "i18n.commitEncoding=UTF-8",
                "commit",
                "--only",
                "--quiet",
                "--cleanup=whitespace",
                "--file=-",
                "--",
                *(literal(edit.path) for edit in edits),
                stdin=encode(message),
                ok=(),
            )
            if output.status and not self._is_made(head, edits):
                raise Refused(f"git did not take the commit; nothing was changed\n{output.said}")
            self.said = output.said
        except BaseException as failure:
            if not self._is_made(head, edits):
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

    def _is_made(self, head: str, edits: Sequence[FileEdit]) -> bool:
        """Whether our commit stands on top of `head`, whatever happened to the command that made it."""
        now = self.head()
        return (
            now != head
            and self.log(now, 1)[0].parents[:1] == (head,)
            and {edit.path for edit in edits} <= set(self.changed_paths(head, now))
        )

    def _undo(self, replacements: Sequence[Replacement], created: Sequence[str]) -> None:
        for replacement in replacements:
            replacement.undo(self.root)
        self._index.update(dict.fromkeys(created))
        self._journal.clear()

    def _follow_hooks(self, old: str, new: str, planned: Mapping[str, str]) -> None:
        """Brings the index to what a hook added to the commit, where the user had nothing of their own there.

        `git commit --only` commits what a hook staged but leaves the user's index without it, which would
        show as a change that nobody made.
        """
        changed = self.changed(old, new)
        before, now = self.entries(old), self._index.entries(changed)
        self._index.update(
            {
                path: entry
                for path, entry in changed.items()
                if now.get(path) != entry
                and (
                    now.get(path) == before.get(path) or (path in now and now[path].sha == planned.get(path))
                )
            }
        )

    def _store(self, text: str) -> str:
        return self.git.write("hash-object", "-w", "--stdin", stdin=encode(text)).text

    def _as_in_work_tree(self, path: str, blob: str | None) -> bytes | None:
        """The blob with the user's line endings, encoding and filters, as a checkout would write it."""
        if blob is None:
            return None
        return self.git.read("cat-file", "--filters", f"--path={path}", blob).stdout

    def create_branch(self, name: str) -> None:
        """Creates a branch at HEAD and switches to it; no file and no index entry changes.

        Raises:
            Refused: the name is taken or not a branch's name, or git cannot switch now.
        """
        self._switch_to_new(name)

    def _switch_to_new(self, name: str) -> str:
        """Where HEAD pointed before: a full ref, or a commit when it was detached."""
        checked = self.git.read("check-ref-format", "--branch", name, ok=()) if "\0" not in name else None
        if checked is None or checked.status or checked.text != name:
            raise Refused(f"{name!r} cannot be the name of a branch")
        before = self.git.read("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text or self.head()
        output = self.git.write("switch", "--quiet", "--no-track", "--create", name, ok=())
        # A failing post-checkout hook ends with an error after the switch was made.
        if output.status and (self.branch() != name or before == f"refs/heads/{name}"):
            raise Refused(f"the branch {name} was not created: {output.said}")
        return before

    def _leave_new(self, name: str, came_from: str) -> None:
        if came_from.startswith("refs/"):
            self.git.write("symbolic-ref", "-m", "phasewise: back", "HEAD", came_from)
        else:
            self.git.write("update-ref", "--no-deref", "-m", "phasewise: back", "HEAD", came_from)
        self.git.write("branch", "--quiet", "--delete", "--force", "--", name)

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
            with self._index.locked(changed, self._journal.folder) as digest:
                self._journal.begin(old, replacements, new=new, index=digest)
                try:
                    for replacement in replacements:
                        replacement.make(self.root)
                    self.git.write("update-ref", "-m", f"phasewise: {reason}", "HEAD", new, old)
                except BaseException as failure:
                    for replacement in replacements:
                        replacement.undo(self.root)
                    self._journal.clear()
                    if isinstance(failure, GitFailed | OSError):
                        raise Refused(f"nothing was changed: {failure}") from failure
                    raise
            self._journal.clear()
            self._set_modes(changed)
            for path, entry in changed.items():
                if entry is None:
                    drop_empty_folders(self.root, path)

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
        head, lock = self.head(), self._index.lock
        if lock.exists():
            if self._index.lock_digest() != facts.get("index"):
                return (
                    "An earlier run was interrupted, and git is still at work or was stopped too: "
                    f"when no git command runs any more, remove {lock} and start again."
                )
            if head == facts["new"]:
                self._index.take_over()
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
        if replacement.before is None and replacement.path in self._index.entries([replacement.path]):
            self._index.update({replacement.path: None})
        return True

    # Linked worktrees -------------------------------------------------------------------------------

    @contextmanager
    def worktree(self, commit: str) -> Iterator[Path]:
        """A linked, detached worktree of `commit` in a temporary folder, gone afterwards.

        Large files kept outside of git stay pointers: nothing is fetched.
        """
        with worktrees.linked(self.git, self.common_directory, self.resolve(commit)) as path:
            yield path

    def head_of(self, worktree: Path) -> str:
        """The commit at which a linked worktree stands."""
        return GitProcess(worktree).read("rev-parse", "--verify", "HEAD^{commit}").text

    def reset_in(self, worktree: Path, commit: str) -> None:
        """Puts a linked worktree back to a commit, whatever was done in it."""
        GitProcess(worktree).write("reset", "--quiet", "--hard", self.resolve(commit))

    def commit_in(self, worktree: Path, edits: Sequence[FileEdit], message: str) -> str:
        """`commit`, in a linked worktree."""
        with closing(self._at(worktree)) as repository:
            return repository.commit(edits, message)

    def revert_in(self, worktree: Path, sha: str, message: str) -> str | None:
        """Reverts a commit in a linked worktree; the hash of the revert, None when it conflicts.

        A commit that is undone already gives an empty revert, so that the record is complete.

        Raises:
            Refused: a hook said no.
        """
        git, head = GitProcess(worktree), self.head_of(worktree)
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
        reached = self.head_of(worktree)
        if reached == head:
            git.write("reset", "--quiet", "--hard", head)
            git.write("revert", "--quit", ok=())
            raise Refused(f"git did not take the revert; nothing was changed\n{output.said}")
        return reached
