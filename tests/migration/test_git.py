import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from git_sandbox import DOCKERFILE, Sandbox, dropped, edit, object_readers

from phasewise.migration.errors import Refused, Usage
from phasewise.migration.git import Repository
from phasewise.migration.git_process import GitProcess

MESSAGE = "Drop compileall\n\n# kept, although it looks like a comment\n\nPhasewise-Phase: drop_compileall\n"


def three_hundred_dirty_files(sandbox: Sandbox) -> None:
    """Every way to be dirty, forty of each, on top of a commit that holds the clean ones."""
    for number in range(40):
        for kind in ("staged", "unstaged", "both", "renamed", "deleted", "removed", "mode", "intent"):
            if kind != "intent":
                sandbox.write(f"dirty/{kind} {number}.txt", f"{kind} {number}\n")
    (sandbox.root / "dirty/link").symlink_to("staged 0.txt")
    sandbox.write(".gitignore", "*.ignored\n")
    sandbox.commit("clean")
    for number in range(40):
        name = "dirty/{} " + f"{number}.txt"
        sandbox.write(name.format("staged"), f"new {number}\n")
        sandbox.write(name.format("both"), "first\n")
        sandbox.git("add", "--", name.format("staged"), name.format("both"))
        sandbox.write(name.format("both"), "second\r\n")
        sandbox.write(name.format("unstaged"), b"\x00\xff binary")
        sandbox.git("mv", name.format("renamed"), name.format("moved"))
        sandbox.git("rm", "--quiet", "--", name.format("deleted"))
        (sandbox.root / name.format("removed")).unlink()
        (sandbox.root / name.format("mode")).chmod(0o755)
        sandbox.write(name.format("untracked"), "mine\n")
        sandbox.write(name.format("intent"), "later\n")
        sandbox.git("add", "--intent-to-add", "--", name.format("intent"))
        sandbox.write(f"dirty/{number}.ignored", "ignored\n")
    (sandbox.root / "dirty/link").unlink()
    (sandbox.root / "dirty/link").symlink_to("elsewhere")


class TestOpen:
    def test_finds_the_repository_from_a_folder_or_file_in_it(self, sandbox: Sandbox) -> None:
        place = sandbox.write("a/b/c.txt", "x")
        assert Repository.open(place).root == sandbox.root
        assert Repository.open(place.parent).name == "service"

    def test_no_repository(self, tmp_path: Path) -> None:
        with pytest.raises(Usage, match="not in a git repository"):
            Repository.open(tmp_path)

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(Usage, match="does not exist"):
            Repository.open(tmp_path / "nothing")

    def test_no_commit_yet(self, tmp_path: Path) -> None:
        with pytest.raises(Usage, match="no commit yet"):
            Sandbox.create(tmp_path / "empty").open()

    def test_bare(self, tmp_path: Path, sandbox: Sandbox) -> None:
        sandbox.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
        with pytest.raises(Usage, match="bare"):
            Repository.open(tmp_path / "bare.git")

    def test_inside_of_gits_own_folder(self, sandbox: Sandbox) -> None:
        with pytest.raises(Usage, match="git's own folder"):
            Repository.open(sandbox.root / ".git")

    @pytest.mark.parametrize("name", ["with space", "-n", "--bare", "größe", "a'b\"c", "new\tline"])
    def test_odd_folder_names(self, tmp_path: Path, name: str) -> None:
        sandbox = Sandbox.create(tmp_path / name)
        sandbox.commit(Dockerfile=DOCKERFILE)
        repository = sandbox.open()
        assert repository.name == name
        repository.commit([dropped()], MESSAGE)
        assert sandbox.text("Dockerfile") == dropped().after

    def test_variables_of_a_surrounding_hook_do_not_lead_astray(
        self, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = Sandbox.create(tmp_path / "other")
        other.commit("theirs", Dockerfile="FROM scratch\n")
        before = other.head(), other.state()
        monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))
        monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
        repository = sandbox.open()
        commit = repository.commit([dropped()], MESSAGE)
        assert repository.root == sandbox.root
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_LITERAL_PATHSPECS"):
            monkeypatch.delenv(name)
        assert sandbox.head() == commit
        assert (other.head(), other.state()) == before


class TestReading:
    def test_branches(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        assert repository.branch() == "main"
        sandbox.git("switch", "--quiet", "--create", "docker/diet")
        assert repository.branch() == "docker/diet"
        sandbox.git("switch", "--quiet", "--detach")
        assert repository.branch() is None
        assert repository.head() == sandbox.head()

    def test_default_branch_is_what_origin_says(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.git("branch", "trunk")
        sandbox.git("symbolic-ref", "HEAD", "refs/heads/trunk")
        clone = Sandbox(tmp_path / "clone")
        sandbox.git("clone", "--quiet", str(sandbox.root), str(clone.root))
        assert clone.open().default_branch() == "trunk"
        clone.git("switch", "--quiet", "--create", "main")
        assert clone.open().default_branch() == "trunk"

    def test_default_branch_without_origin(self, sandbox: Sandbox) -> None:
        assert sandbox.open().default_branch() == "main"
        sandbox.git("branch", "--move", "master")
        assert sandbox.open().default_branch() == "master"
        sandbox.git("branch", "--move", "other")
        assert sandbox.open().default_branch() is None

    @pytest.mark.parametrize(
        "revision", ["", "-n", "--all", "nothing", "HEAD~9", "HEAD:Dockerfile", "a\0b", "--output=x"]
    )
    def test_what_names_no_commit(self, sandbox: Sandbox, revision: str) -> None:
        with pytest.raises(Usage):
            sandbox.open().resolve(revision)

    def test_resolves(self, sandbox: Sandbox) -> None:
        sandbox.git("tag", "-a", "v1", "-m", "one")
        assert sandbox.open().resolve("v1") == sandbox.head()
        assert sandbox.open().resolve(sandbox.head()[:8]) == sandbox.head()

    def test_ancestors(self, sandbox: Sandbox) -> None:
        first, second = sandbox.head(), sandbox.commit("second")
        repository = sandbox.open()
        assert repository.is_ancestor(first, second)
        assert repository.is_ancestor(first, first)
        assert not repository.is_ancestor(second, first)

    def test_tree_has_regular_files_only(self, sandbox: Sandbox, tmp_path: Path) -> None:
        inner = Sandbox.create(tmp_path / "inner")
        inner.commit(Dockerfile="FROM inner\n")
        sandbox.git("submodule", "--quiet", "add", str(inner.root), "sub")
        (sandbox.root / "Dockerfile.link").symlink_to("Dockerfile")
        sandbox.write("-n.Dockerfile", "FROM x\n")
        head = sandbox.commit()
        tree = sandbox.open().tree(head)
        assert tree == ("-n.Dockerfile", ".gitmodules", "Dockerfile")

    def test_files_are_texts(self, sandbox: Sandbox) -> None:
        sandbox.write("latin.txt", b"caf\xe9\r\n")
        sandbox.write("binary", b"\x7fELF\0")
        sandbox.write("huge.txt", b"x" * 2_000_001)
        sandbox.write("ü/ name", "x\n")
        files = sandbox.open().files(sandbox.commit())
        assert files["latin.txt"].encode("utf-8", "surrogateescape") == b"caf\xe9\r\n"
        assert files["Dockerfile"] == DOCKERFILE
        assert files["ü/ name"] == "x\n"
        assert {"binary", "huge.txt", "nothing"}.isdisjoint(
            path for path in [*files, "nothing"] if path in files
        )
        with pytest.raises(KeyError):
            files["huge.txt"]
        assert files["latin.txt"], "the reader still answers after a file that it skipped"

    def test_only_the_files_that_are_asked_for(self, sandbox: Sandbox) -> None:
        head = sandbox.commit(a="1", b="2")
        assert dict(sandbox.open().files(head, ["a", "missing"])) == {"a": "1"}

    def test_the_reader_is_started_again_when_it_was_killed(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        files = repository.files(sandbox.commit(a="1", b="2"))
        assert files["a"] == "1"
        for reader in object_readers():
            os.kill(reader, 9)
        assert files["b"] == "2"
        assert repository.head() == sandbox.head()

    def test_a_branch_called_head(self, sandbox: Sandbox) -> None:
        other = sandbox.commit("other")
        sandbox.git("update-ref", "refs/heads/HEAD", "HEAD~1")
        repository = sandbox.open()
        assert {repository.head() for _ in range(3000)} == {other}, "warnings must not fill the pipe"

    def test_log(self, sandbox: Sandbox) -> None:
        second = sandbox.commit("second\n\nbody\n\nPhasewise-Phase: x")
        log = sandbox.open().log()
        assert [entry.subject for entry in log] == ["second", "start"]
        assert log[0].sha == second
        assert log[0].parents == (log[1].sha,)
        assert log[0].message == "second\n\nbody\n\nPhasewise-Phase: x\n"

    def test_edits_and_files_of_commits(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        commit = repository.commit([dropped(), edit("new", None, "n\n")], MESSAGE)
        later = repository.commit([edit("new", "n\n", None)], MESSAGE)
        assert set(repository.edits_of(commit)) == {dropped(), edit("new", None, "n\n")}
        assert repository.files_of([later, commit]) == {later: ("new",), commit: ("Dockerfile", "new")}


class TestCommit:
    def test_commits_exactly_the_edits(self, sandbox: Sandbox) -> None:
        three_hundred_dirty_files(sandbox)
        paths = ("Dockerfile", "ci/requirements-ci.txt")
        before = sandbox.state(*paths)
        commit = sandbox.open().commit([dropped(), edit(paths[1], None, "pytest\n")], MESSAGE)
        assert sandbox.head() == commit
        assert sandbox.files_of("HEAD") == list(paths)
        assert sandbox.git("log", "-1", "--format=%B").strip() == MESSAGE.strip()
        assert sandbox.state(*paths) == before
        assert sandbox.git("status", "--porcelain", "--", *paths) == ""
        assert len(before["work tree"]) > 300

    def test_removes_a_file_and_its_empty_folder(self, sandbox: Sandbox) -> None:
        sandbox.commit(old__requirements="x\n")
        sandbox.open().commit([edit("old/requirements", "x\n", None)], MESSAGE)
        assert not (sandbox.root / "old").exists()
        assert sandbox.git("status", "--porcelain") == ""

    def test_on_a_detached_head(self, sandbox: Sandbox) -> None:
        sandbox.git("switch", "--quiet", "--detach")
        commit = sandbox.open().commit([dropped()], MESSAGE)
        assert sandbox.head() == commit
        assert sandbox.git("rev-parse", "main").strip() != commit

    def test_in_a_linked_worktree(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
        side = Sandbox(tmp_path / "side")
        commit = side.open().commit([dropped()], MESSAGE)
        assert side.head() == commit != sandbox.head()
        assert side.git("status", "--porcelain") == ""
        assert sandbox.git("status", "--porcelain") == ""

    def test_in_a_shallow_clone(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.commit("second")
        clone = Sandbox(tmp_path / "clone")
        sandbox.git("clone", "--quiet", "--depth=1", f"file://{sandbox.root}", str(clone.root))
        repository = clone.open()
        repository.commit([dropped()], MESSAGE)
        assert len(repository.log()) == 2
        assert clone.git("status", "--porcelain") == ""

    def test_names_that_look_like_options_and_patterns(self, sandbox: Sandbox) -> None:
        names = [
            "-n.Dockerfile",
            "--all",
            "*.Dockerfile",
            ":(top)x",
            "[a].Dockerfile",
            "ü ß.Dockerfile",
            "a\tb\nc",
        ]
        for name in names:
            sandbox.write(name, DOCKERFILE)
        sandbox.write("other.Dockerfile", "FROM x\n")
        sandbox.commit()
        sandbox.write("other.Dockerfile", "FROM dirty\n")
        sandbox.open().commit([dropped(name) for name in names], MESSAGE)
        assert sorted(sandbox.files_of("HEAD")) == sorted(names)
        assert sandbox.git("status", "--porcelain") == " M other.Dockerfile\n"

    def test_keeps_the_executable_bit(self, sandbox: Sandbox) -> None:
        sandbox.write("run.sh", "old\n").chmod(0o755)
        sandbox.commit()
        sandbox.open().commit([edit("run.sh", "old\n", "new\n")], MESSAGE)
        assert sandbox.git("ls-tree", "HEAD", "run.sh").startswith("100755")
        assert os.access(sandbox.root / "run.sh", os.X_OK)

    @pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
    def test_line_ends_of_the_work_tree(self, tmp_path: Path, autocrlf: str) -> None:
        sandbox = Sandbox.create(tmp_path / "crlf")
        sandbox.git("config", "core.autocrlf", "false")
        sandbox.write("Dockerfile", DOCKERFILE)
        sandbox.write("windows.txt", b"a\r\nb\r\n")
        sandbox.commit()
        sandbox.git("config", "core.autocrlf", autocrlf)
        sandbox.git("rm", "--quiet", "--cached", "-r", ".")
        sandbox.git("reset", "--quiet", "--hard")
        sandbox.open().commit([dropped(), edit("windows.txt", "a\r\nb\r\n", "a\r\n")], MESSAGE)
        assert sandbox.text("Dockerfile") == dropped().after
        assert sandbox.text("windows.txt") == "a\r\n"
        ends = b"\r\n" if autocrlf == "true" else b"\n"
        assert (sandbox.root / "Dockerfile").read_bytes() == dropped().after.encode().replace(b"\n", ends)
        assert sandbox.git("status", "--porcelain") == ""

    def test_filters_and_encodings(self, sandbox: Sandbox) -> None:
        sandbox.git("config", "filter.loud.clean", "tr A-Z a-z")
        sandbox.git("config", "filter.loud.smudge", "tr a-z A-Z")
        sandbox.write(".gitattributes", "*.loud filter=loud\n*.wide working-tree-encoding=UTF-16LE\n")
        sandbox.write("a.loud", "HELLO\n")
        sandbox.write("b.wide", "grüße\n".encode("utf-16-le"))
        sandbox.commit()
        edits = [edit("a.loud", "hello\n", "bye\n"), edit("b.wide", "grüße\n", "größe\n")]
        commit = sandbox.open().commit(edits, MESSAGE)
        assert (sandbox.root / "a.loud").read_text() == "BYE\n"
        assert (sandbox.root / "b.wide").read_bytes() == "größe\n".encode("utf-16-le")
        assert sandbox.open().altered(commit, edits) == ()
        assert sandbox.git("status", "--porcelain") == ""

    def test_odd_bytes_survive(self, sandbox: Sandbox) -> None:
        sandbox.write("Dockerfile", b"# caf\xe9\r\nFROM a\n\x0cRUN x")
        sandbox.commit()
        before = sandbox.open().files(sandbox.head())["Dockerfile"]
        sandbox.open().commit([edit("Dockerfile", before, before.replace("RUN x", "RUN y"))], MESSAGE)
        assert (sandbox.root / "Dockerfile").read_bytes() == b"# caf\xe9\r\nFROM a\n\x0cRUN y"

    def test_a_sparse_checkout(self, sandbox: Sandbox) -> None:
        sandbox.commit(kept__Dockerfile=DOCKERFILE, left__Dockerfile=DOCKERFILE)
        sandbox.git("sparse-checkout", "set", "kept")
        repository = sandbox.open()
        before = sandbox.state("kept/Dockerfile")
        assert "sparse checkout" in repository.blockers(["left/Dockerfile"])
        repository.commit([dropped("kept/Dockerfile")], MESSAGE)
        assert sandbox.state("kept/Dockerfile") == before
        assert sandbox.text("left/Dockerfile") == DOCKERFILE

    def test_ignored_new_file(self, sandbox: Sandbox) -> None:
        sandbox.commit(**{".gitignore": "requirements-*.txt\n"})
        sandbox.open().commit([edit("requirements-ci.txt", None, "x\n")], MESSAGE)
        assert sandbox.files_of("HEAD") == ["requirements-ci.txt"]

    def test_the_premise_must_hold(self, sandbox: Sandbox) -> None:
        repository, head = sandbox.open(), sandbox.commit("theirs", Dockerfile="FROM theirs\n")
        with pytest.raises(Refused, match="plan again"):
            repository.commit([dropped()], MESSAGE)
        assert sandbox.head() == head
        assert sandbox.git("status", "--porcelain") == ""

    @pytest.mark.parametrize(
        "path",
        ["../out", "/etc/passwd", "a/../../out", ".git/config", "a/.GIT/x", "", ".", "a//b", "a/", "x\0y"],
    )
    def test_paths_that_leave_the_repository(self, sandbox: Sandbox, path: str) -> None:
        with pytest.raises(Refused):
            sandbox.open().commit([edit(path, None, "x")], MESSAGE)
        assert sandbox.git("status", "--porcelain") == ""

    def test_symbolic_links(self, sandbox: Sandbox, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "Dockerfile").write_text(DOCKERFILE)
        (sandbox.root / "link").symlink_to(outside)
        (sandbox.root / "Dockerfile.link").symlink_to("Dockerfile")
        sandbox.commit()
        for path in ("link/Dockerfile", "Dockerfile.link"):
            with pytest.raises(Refused, match="symbolic link"):
                sandbox.open().commit([edit(path, None, "x")], MESSAGE)
        assert (outside / "Dockerfile").read_text() == DOCKERFILE

    def test_inside_of_a_submodule(self, sandbox: Sandbox, tmp_path: Path) -> None:
        inner = Sandbox.create(tmp_path / "inner")
        inner.commit(Dockerfile=DOCKERFILE)
        sandbox.git("submodule", "--quiet", "add", str(inner.root), "sub")
        sandbox.commit()
        with pytest.raises(Refused, match="submodule"):
            sandbox.open().commit([edit("sub/new", None, "x")], MESSAGE)
        before = sandbox.state("Dockerfile")
        sandbox.open().commit([dropped()], MESSAGE)
        assert sandbox.state("Dockerfile") == before


class TestHooks:
    @pytest.mark.parametrize("hook", ["pre-commit", "commit-msg", "prepare-commit-msg"])
    def test_a_refusal_leaves_everything_as_it_was(self, sandbox: Sandbox, hook: str) -> None:
        three_hundred_dirty_files(sandbox)
        sandbox.hook(hook, "echo 'the linter says no' >&2; echo junk >> Dockerfile; exit 1")
        before, head = sandbox.state(), sandbox.head()
        modified = (sandbox.root / "Dockerfile").stat().st_mtime_ns
        with pytest.raises(Refused, match="the linter says no"):
            sandbox.open().commit([dropped(), edit("deep/new", None, "x\n")], MESSAGE)
        assert sandbox.state() == before
        assert sandbox.head() == head
        assert (sandbox.root / "Dockerfile").stat().st_mtime_ns == modified
        assert not (sandbox.root / "deep").exists()
        assert sandbox.open().blockers(["Dockerfile"]) == ""

    def test_a_signature_that_cannot_be_made(self, sandbox: Sandbox) -> None:
        sandbox.git("config", "commit.gpgsign", "true")
        sandbox.git("config", "gpg.program", "/bin/false")
        before = sandbox.state()
        with pytest.raises(Refused, match="sign"):
            sandbox.open().commit([dropped()], MESSAGE)
        assert sandbox.state() == before

    def test_no_identity(self, sandbox: Sandbox, own_git_settings: Path) -> None:
        own_git_settings.write_text("[user]\n useConfigOnly = true\n")
        before = sandbox.state()
        with pytest.raises(Refused, match="user"):
            sandbox.open().commit([dropped()], MESSAGE)
        assert sandbox.state() == before

    def test_a_hook_that_formats_and_stages(self, sandbox: Sandbox) -> None:
        sandbox.commit(CHANGES="old\n", other="clean\n")
        sandbox.write("other", "staged by the user\n")
        sandbox.git("add", "other")
        sandbox.hook(
            "pre-commit", "echo '# formatted' >> Dockerfile; echo new >> CHANGES; git add Dockerfile CHANGES"
        )
        commit = sandbox.open().commit([dropped()], MESSAGE)
        assert sandbox.text("Dockerfile") == dropped().after + "# formatted\n"
        assert sandbox.open().altered(commit, [dropped()]) == ("Dockerfile",)
        assert sandbox.git("status", "--porcelain") == "M  other\n"

    def test_a_hook_sees_the_files_and_the_branch(self, sandbox: Sandbox, tmp_path: Path) -> None:
        seen = tmp_path / "seen"
        sandbox.hook("pre-commit", f"(git symbolic-ref HEAD; git diff --cached --name-only) > '{seen}'")
        sandbox.open().commit([dropped(), edit("new", None, "x\n")], MESSAGE, branch="docker/diet")
        assert seen.read_text() == "refs/heads/docker/diet\nDockerfile\nnew\n"

    def test_a_refusal_takes_the_new_branch_back(self, sandbox: Sandbox) -> None:
        sandbox.hook("pre-commit", "exit 1")
        for start in (("switch", "--quiet", "main"), ("switch", "--quiet", "--detach")):
            sandbox.git(*start)
            before = sandbox.git("symbolic-ref", "-q", "HEAD", ok=(0, 1)), sandbox.head(), sandbox.state()
            with pytest.raises(Refused):
                sandbox.open().commit([dropped()], MESSAGE, branch="diet")
            assert sandbox.git("branch", "--list", "diet") == ""
            assert (
                sandbox.git("symbolic-ref", "-q", "HEAD", ok=(0, 1)),
                sandbox.head(),
                sandbox.state(),
            ) == before

    def test_a_failing_post_commit_hook_does_not_undo(self, sandbox: Sandbox) -> None:
        sandbox.hook("post-commit", "exit 1")
        assert sandbox.open().commit([dropped()], MESSAGE) == sandbox.head()
        assert sandbox.git("status", "--porcelain") == ""

    def test_the_user_and_their_settings_apply(self, sandbox: Sandbox) -> None:
        sandbox.git("config", "i18n.commitEncoding", "ISO-8859-1")
        sandbox.git("config", "commit.cleanup", "strip")
        sandbox.open().commit([dropped()], "Größe\n\n# kept\n")
        assert (
            sandbox.git("log", "-1", "--encoding=UTF-8", "--format=%an%n%B").strip() == "Ada\nGröße\n\n# kept"
        )

    def test_somebody_else_was_faster(self, sandbox: Sandbox) -> None:
        sandbox.commit(other="x\n")
        sandbox.hook(
            "pre-commit",
            "unset GIT_INDEX_FILE; tree=$(git rev-parse HEAD^{tree})\n"
            "git update-ref HEAD $(git commit-tree -p HEAD -m theirs $tree)",
        )
        before = sandbox.state()
        with pytest.raises(Refused):
            sandbox.open().commit([dropped(), edit("new", None, "x\n")], MESSAGE)
        assert sandbox.git("log", "-1", "--format=%s") == "theirs\n"
        assert sandbox.state() == before


class TestBlockers:
    def test_clean(self, sandbox: Sandbox) -> None:
        assert sandbox.open().blockers(["Dockerfile", "new/file"]) == ""

    @pytest.mark.parametrize(
        ("dirty", "reason"),
        [
            (lambda s: s.write("Dockerfile", "FROM x\n"), "Dockerfile has uncommitted changes"),
            (lambda s: (s.write("Dockerfile", "FROM x\n"), s.git("add", "Dockerfile")), r"\(staged\)"),
            (lambda s: (s.root / "Dockerfile").unlink(), "Dockerfile has uncommitted changes"),
            (lambda s: s.git("rm", "-q", "--cached", "Dockerfile"), "Dockerfile"),
            (lambda s: (s.root / "Dockerfile").chmod(0o755), "Dockerfile has uncommitted changes"),
            (lambda s: s.git("update-index", "--assume-unchanged", "Dockerfile"), "assume-unchanged"),
            (lambda s: s.git("update-index", "--skip-worktree", "Dockerfile"), "skip-worktree"),
            (lambda s: s.write("new/file", "mine\n"), "new/file is there already"),
            (lambda s: s.write("new", "a file where a folder must be\n"), "new is a file"),
            (lambda s: (s.write(".git/info/exclude", "new\n"), s.write("new/file", "x")), "there already"),
            (lambda s: (s.write("new/file", "x"), s.git("add", "new/file")), "new/file"),
            (lambda s: (s.root / "new/file").mkdir(parents=True), "not a regular file"),
        ],
    )
    def test_dirty(self, sandbox: Sandbox, dirty, reason: str) -> None:  # type: ignore[no-untyped-def]
        dirty(sandbox)
        repository, before = sandbox.open(), sandbox.state()
        with pytest.raises(Refused, match=reason):
            repository.commit([dropped(), edit("new/file", None, "x\n")], MESSAGE)
        assert sandbox.state() == before
        assert sandbox.git("log", "--format=%s") == "start\n"

    def test_touched_but_unchanged_is_clean(self, sandbox: Sandbox) -> None:
        os.utime(sandbox.root / "Dockerfile", (1, 1))
        assert sandbox.open().blockers(["Dockerfile"]) == ""

    def test_which_set_of_files_is_blocked(self, sandbox: Sandbox) -> None:
        sandbox.commit(other="x\n")
        sandbox.write("other", "dirty\n")
        refusals = sandbox.open().refusals({"a": ("Dockerfile",), "b": ("Dockerfile", "other"), "c": ()})
        assert refusals == {"b": "other has uncommitted changes"}

    @pytest.mark.parametrize("command", ["merge", "rebase", "cherry-pick", "revert"])
    def test_something_is_under_way(self, sandbox: Sandbox, command: str) -> None:
        sandbox.git("switch", "--quiet", "--create", "side")
        theirs = sandbox.commit("theirs", other="theirs\n")
        sandbox.git("switch", "--quiet", "main")
        sandbox.commit("ours", other="ours\n")
        reverted = sandbox.git("rev-parse", "HEAD").strip()
        if command == "revert":
            sandbox.commit("again", other="again\n")
        sandbox.git(
            command,
            {"merge": theirs, "rebase": "side", "cherry-pick": theirs, "revert": reverted}[command],
            ok=(1,),
        )
        before = sandbox.git("status", "--porcelain=v2")
        assert f"a {command} is under way" in sandbox.open().blockers()
        with pytest.raises(Refused, match="under way"):
            sandbox.open().commit([dropped()], MESSAGE)
        assert sandbox.git("status", "--porcelain=v2") == before

    def test_a_bisect_is_under_way(self, sandbox: Sandbox) -> None:
        sandbox.git("bisect", "start")
        assert "bisect" in sandbox.open().blockers()

    def test_a_conflict_that_a_stash_left(self, sandbox: Sandbox) -> None:
        sandbox.commit(other="one\n")
        sandbox.write("other", "stashed\n")
        sandbox.git("stash")
        sandbox.commit(other="two\n")
        sandbox.git("stash", "pop", ok=(1,))
        assert sandbox.open().blockers() == "other has an unresolved conflict"

    def test_another_git_command_is_at_work(self, sandbox: Sandbox) -> None:
        sandbox.write(".git/index.lock", "")
        with pytest.raises(Refused, match=r"index\.lock"):
            sandbox.open().commit([dropped()], MESSAGE)
        assert (sandbox.root / "Dockerfile").read_text() == DOCKERFILE


class TestBranches:
    def test_a_new_branch_changes_no_file(self, sandbox: Sandbox) -> None:
        three_hundred_dirty_files(sandbox)
        before, head = sandbox.state(), sandbox.head()
        sandbox.open().create_branch("docker/diet")
        assert sandbox.git("symbolic-ref", "--short", "HEAD").strip() == "docker/diet"
        assert (sandbox.state(), sandbox.head()) == (before, head)

    @pytest.mark.parametrize(
        "name", ["main", "", "-d", "--orphan", "a b", "a..b", "@{-1}", "HEAD", "x.lock", "a\0b"]
    )
    def test_names_that_cannot_be(self, sandbox: Sandbox, name: str) -> None:
        with pytest.raises(Refused):
            sandbox.open().create_branch(name)
        assert sandbox.git("branch", "--format=%(refname:short)") == "main\n"

    def test_a_failing_post_checkout_hook(self, sandbox: Sandbox) -> None:
        sandbox.hook("post-checkout", "exit 1")
        sandbox.open().create_branch("diet")
        assert sandbox.open().branch() == "diet"


class TestRollingBack:
    def test_a_branch_moves_and_nothing_else(self, sandbox: Sandbox) -> None:
        three_hundred_dirty_files(sandbox)
        repository = sandbox.open()
        paths = ("Dockerfile", "ci/new")
        commit = repository.commit([dropped(), edit("ci/new", None, "x\n")], MESSAGE)
        before = sandbox.state(*paths)
        with repository.worktree(commit) as worktree:
            reverted = repository.revert_in(worktree, commit, "Roll back\n\nPhasewise-Rollback: x\n")
            assert reverted
            assert repository.head_of(worktree) == reverted
            repository.move_branch(reverted, commit, paths)
        assert not worktree.exists()
        assert sandbox.head() == reverted
        assert sandbox.state(*paths) == before
        assert (sandbox.root / "Dockerfile").read_text() == DOCKERFILE
        assert not (sandbox.root / "ci").exists()
        assert sandbox.git("status", "--porcelain", "--", *paths) == ""
        assert "phasewise: roll back" in sandbox.git("reflog", "-1")
        assert sandbox.git("worktree", "list", "--porcelain").count("worktree ") == 1

    def test_line_ends_of_the_work_tree(self, sandbox: Sandbox) -> None:
        sandbox.git("config", "core.autocrlf", "true")
        sandbox.git("rm", "--quiet", "--cached", "-r", ".")
        sandbox.git("reset", "--quiet", "--hard")
        repository = sandbox.open()
        commit = repository.commit([dropped()], MESSAGE)
        with repository.worktree(commit) as worktree:
            reverted = repository.revert_in(worktree, commit, "Roll back\n")
            assert reverted
            repository.move_branch(reverted, commit, [])
        assert sandbox.text("Dockerfile") == DOCKERFILE
        assert (sandbox.root / "Dockerfile").read_bytes() == DOCKERFILE.replace("\n", "\r\n").encode()
        assert sandbox.git("status", "--porcelain") == ""

    def test_executable_bits_follow(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        with repository.worktree(sandbox.head()) as worktree:
            (worktree / "Dockerfile").chmod(0o755)
            subprocess.run(["git", "-C", str(worktree), "commit", "-qam", "mode"], check=True)
            repository.move_branch(repository.head_of(worktree), sandbox.head(), [])
        assert os.access(sandbox.root / "Dockerfile", os.X_OK)
        assert sandbox.git("status", "--porcelain") == ""

    def test_a_conflict(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        commit = repository.commit([dropped()], MESSAGE)
        sandbox.commit("theirs", Dockerfile="FROM rewritten\n")
        before = sandbox.state()
        with repository.worktree("HEAD") as worktree:
            assert repository.revert_in(worktree, commit, "Roll back\n") is None
            assert Sandbox(worktree).git("status", "--porcelain") == ""
            assert Repository.open(worktree).blockers() == ""
            again = repository.commit_in(
                worktree, [edit("Dockerfile", "FROM rewritten\n", "FROM again\n")], "Again\n"
            )
            assert repository.head_of(worktree) == again
            repository.reset_in(worktree, sandbox.head())
            assert repository.head_of(worktree) == sandbox.head()
        assert sandbox.state() == before

    def test_what_is_undone_already(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        commit = repository.commit([dropped()], MESSAGE)
        sandbox.commit("by hand", Dockerfile=DOCKERFILE)
        with repository.worktree("HEAD") as worktree:
            reverted = repository.revert_in(worktree, commit, "Roll back\n\nPhasewise-Rollback: x\n")
        assert reverted
        assert sandbox.git("show", "--format=%s", "--name-only", reverted) == "Roll back\n"

    def test_a_refusing_hook(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        commit = repository.commit([dropped()], MESSAGE)
        sandbox.hook("pre-commit", "echo no >&2; exit 1")
        before = sandbox.state()
        with repository.worktree(commit) as worktree, pytest.raises(Refused, match="no"):
            repository.revert_in(worktree, commit, "Roll back\n")
        assert (sandbox.head(), sandbox.state()) == (commit, before)

    @pytest.mark.parametrize("happens", ["moved", "dirty", "locked", "reference-transaction"])
    def test_what_stands_in_the_way(self, sandbox: Sandbox, happens: str) -> None:
        repository = sandbox.open()
        commit = repository.commit([dropped()], MESSAGE)
        with repository.worktree(commit) as worktree:
            reverted = repository.revert_in(worktree, commit, "Roll back\n")
            assert reverted
            if happens == "moved":
                sandbox.commit("theirs", other="x\n")
            elif happens == "dirty":
                sandbox.write("Dockerfile", "FROM mine\n")
            elif happens == "locked":
                sandbox.write(".git/index.lock", "theirs")
            else:
                sandbox.hook("reference-transaction", "exit 1")
            before = sandbox.state() if happens != "locked" else None
            head = sandbox.head()
            with pytest.raises(Refused):
                repository.move_branch(reverted, commit, ["Dockerfile"])
            assert sandbox.head() == head
            if happens == "locked":
                assert (sandbox.root / ".git/index.lock").read_text() == "theirs"
                (sandbox.root / ".git/index.lock").unlink()
                assert sandbox.git("status", "--porcelain") == ""
            else:
                assert sandbox.state() == before
            if happens == "reference-transaction":
                (sandbox.root / ".git/hooks/reference-transaction").unlink()
        assert repository.recover() == ""

    def test_with_a_split_index(self, sandbox: Sandbox) -> None:
        sandbox.git("config", "core.splitIndex", "true")
        sandbox.commit("more", other="x\n")
        sandbox.git("update-index", "--split-index")
        repository = sandbox.open()
        commit = repository.commit([dropped()], MESSAGE)
        with repository.worktree(commit) as worktree:
            reverted = repository.revert_in(worktree, commit, "Roll back\n")
            assert reverted
            repository.move_branch(reverted, commit, [])
        assert sandbox.git("status", "--porcelain") == ""

    def test_with_longer_hashes(self, tmp_path: Path) -> None:
        sandbox = Sandbox(tmp_path / "sha256")
        sandbox.root.mkdir()
        sandbox.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main")
        sandbox.commit(Dockerfile=DOCKERFILE)
        repository = sandbox.open()
        commit = repository.commit([dropped(), edit("new", None, "x\n")], MESSAGE)
        with repository.worktree(commit) as worktree:
            reverted = repository.revert_in(worktree, commit, "Roll back\n")
            assert reverted
            repository.move_branch(reverted, commit, [])
        assert not (sandbox.root / "new").exists()
        assert sandbox.git("status", "--porcelain") == ""


class TestWorktrees:
    def test_runs_no_hook_and_is_complete(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.commit(left__file="x\n")
        sandbox.git("sparse-checkout", "set", "nothing")
        sandbox.hook("post-checkout", f"touch '{tmp_path}/ran'")
        with sandbox.open().worktree("HEAD") as worktree:
            assert (worktree / "left/file").read_text() == "x\n"
        assert not (tmp_path / "ran").exists()

    def test_is_removed_after_an_error(self, sandbox: Sandbox) -> None:
        with pytest.raises(ZeroDivisionError), sandbox.open().worktree("HEAD") as worktree:
            raise ZeroDivisionError
        assert not worktree.exists()

    def test_one_that_a_killed_process_left_is_removed(self, sandbox: Sandbox) -> None:
        code = (
            "import os, sys; from pathlib import Path; from phasewise.migration.git import Repository\n"
            f"with Repository.open(Path({str(sandbox.root)!r})).worktree('HEAD') as w:\n"
            "    print(w, flush=True); os.kill(os.getpid(), 9)"
        )
        left = Path(
            subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        )
        assert (left / "Dockerfile").exists()
        with sandbox.open().worktree("HEAD") as in_use:
            sandbox.open()
            assert (in_use / "Dockerfile").exists()
        assert not left.exists()
        assert sandbox.git("worktree", "list", "--porcelain").count("worktree ") == 1
        assert list((sandbox.root / ".git/phasewise/worktrees").iterdir()) == []


def killed_while_committing(sandbox: Sandbox, hook: str, code: str = "") -> None:
    """Runs a commit in a process that `hook` (which knows it as $PHASEWISE) kills."""
    script = f"""
import os
from pathlib import Path
from phasewise.migration.git import Repository
from phasewise.model.phase import FileEdit
os.environ["PHASEWISE"] = str(os.getpid())
repository = Repository.open(Path({str(sandbox.root)!r}))
{code or COMMIT}
"""
    sandbox.hook("pre-commit", hook)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    (sandbox.root / ".git/hooks/pre-commit").unlink(missing_ok=True)


COMMIT = f"""
edits = [FileEdit('Dockerfile', {DOCKERFILE!r}, 'FROM phase\\n'), FileEdit('ci/new', None, 'x\\n')]
repository.commit(edits, 'Phase')
"""
KILL_ALL = 'kill -9 "$PHASEWISE" "$PPID"'


class TestRecovery:
    def test_nothing_to_do(self, sandbox: Sandbox) -> None:
        assert sandbox.open().recover() == ""

    def test_killed_before_the_commit(self, sandbox: Sandbox) -> None:
        three_hundred_dirty_files(sandbox)
        before = sandbox.state()
        killed_while_committing(sandbox, KILL_ALL)
        lock = sandbox.root / ".git/index.lock"
        assert (sandbox.root / "Dockerfile").read_text() == "FROM phase\n"
        repository = sandbox.open()
        assert "interrupted" in repository.blockers()
        assert str(lock) in repository.recover(), "git's own lock is not ours to remove"
        assert (sandbox.root / "Dockerfile").read_text() == "FROM phase\n"
        lock.unlink()
        assert "put back" in repository.recover()
        assert sandbox.state() == before
        assert repository.recover() == repository.blockers(["Dockerfile"]) == ""

    def test_what_the_user_changed_since_is_kept(self, sandbox: Sandbox) -> None:
        killed_while_committing(sandbox, KILL_ALL)
        (sandbox.root / ".git/index.lock").unlink()
        sandbox.write("Dockerfile", "FROM mine\n")
        said = sandbox.open().recover()
        assert "Dockerfile: changed since" in said
        assert (sandbox.root / "Dockerfile").read_text() == "FROM mine\n"
        assert not (sandbox.root / "ci/new").exists()

    def test_killed_after_the_commit(self, sandbox: Sandbox) -> None:
        sandbox.hook("post-commit", 'kill -9 "$PHASEWISE"')
        killed_while_committing(sandbox, "exit 0")
        (sandbox.root / ".git/hooks/post-commit").unlink()
        assert sandbox.git("log", "-1", "--format=%s") == "Phase\n"
        assert "its commit was made" in sandbox.open().recover()
        assert sandbox.git("status", "--porcelain") == ""

    def test_while_the_other_process_still_works(self, sandbox: Sandbox) -> None:
        seen: list[str] = []
        repository = sandbox.open()
        watch = sandbox.root.parent / "watch.py"
        watch.write_text(
            "from pathlib import Path; from phasewise.migration.git import Repository; import sys\n"
            f"r = Repository.open(Path({str(sandbox.root)!r}))\n"
            "print(repr(r.recover()), repr(r.blockers()), file=sys.stderr)\n"
        )
        sandbox.hook("pre-commit", f"'{sys.executable}' '{watch}'; exit 1")
        with pytest.raises(Refused) as refused:
            repository.commit([dropped()], MESSAGE)
        seen.append(refused.value.message)
        assert "'' 'another change is under way" in seen[0]
        assert (sandbox.root / "Dockerfile").read_text() == DOCKERFILE

    def test_a_damaged_journal(self, sandbox: Sandbox) -> None:
        sandbox.write(".git/phasewise/journal.json", '{"head":')
        assert sandbox.open().recover()
        assert sandbox.open().blockers(["Dockerfile"]) == ""

    @pytest.mark.parametrize("when", ["prepared", "committed"])
    def test_killed_while_the_branch_moved(self, sandbox: Sandbox, when: str) -> None:
        three_hundred_dirty_files(sandbox)
        commit = sandbox.open().commit([dropped()], MESSAGE)
        before = sandbox.state("Dockerfile")
        code = f"""
with repository.worktree("HEAD") as worktree:
    new = repository.revert_in(worktree, "HEAD", "Roll back")
    hook = Path({str(sandbox.root / ".git/hooks/reference-transaction")!r})
    hook.write_text('#!/bin/sh\\ntest "$1" = {when} && kill -9 "$PHASEWISE" "$PPID"; exit 0\\n')
    hook.chmod(0o755)
    repository.move_branch(new, {commit!r}, ["Dockerfile"])
"""
        killed_while_committing(sandbox, "exit 0", code)
        (sandbox.root / ".git/hooks/reference-transaction").unlink()
        for lock in (sandbox.root / ".git").rglob("*.lock"):
            if lock.name not in ("index.lock", "notes.lock"):
                lock.unlink()
        said = sandbox.open().recover()
        assert said
        assert not (sandbox.root / ".git/index.lock").exists()
        rolled_back = sandbox.head() != commit
        assert rolled_back == (when == "committed")
        assert (sandbox.root / "Dockerfile").read_text() == (DOCKERFILE if rolled_back else dropped().after)
        assert sandbox.git("status", "--porcelain", "--", "Dockerfile") == ""
        assert sandbox.state("Dockerfile") == before


class TestNotes:
    def test_lines_are_added(self, sandbox: Sandbox) -> None:
        repository = sandbox.open()
        assert repository.note_read("HEAD") == ()
        repository.note_add("HEAD", '{"a": 1}')
        repository.note_add("HEAD", '{"b": "\\u0007"}')
        assert [json.loads(line) for line in repository.note_read("HEAD")] == [{"a": 1}, {"b": "\x07"}]
        assert sandbox.open().notes.all() == {sandbox.head(): repository.note_read("HEAD")}

    def test_several_lines_are_refused(self, sandbox: Sandbox) -> None:
        with pytest.raises(ValueError, match="one line"):
            sandbox.open().note_add("HEAD", "a\nb")

    def test_without_an_identity(self, sandbox: Sandbox, own_git_settings: Path) -> None:
        own_git_settings.write_text("[user]\n useConfigOnly = true\n")
        sandbox.open().note_add("HEAD", "{}")
        assert sandbox.open().note_read("HEAD") == ("{}",)

    def test_another_clone_sees_them(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.open().note_add("HEAD", "{}")
        clone = Sandbox(tmp_path / "clone")
        sandbox.git("clone", "--quiet", str(sandbox.root), str(clone.root))
        repository = clone.open()
        assert repository.note_read("HEAD") == ()
        clone.git("fetch", "--quiet", "origin", "refs/notes/phasewise:refs/notes/phasewise")
        assert repository.note_read("HEAD") == ("{}",)

    def test_two_writers_lose_nothing(self, sandbox: Sandbox) -> None:
        code = (
            "import sys; from pathlib import Path; from phasewise.migration.git import Repository\n"
            f"r = Repository.open(Path({str(sandbox.root)!r}))\n"
            "for n in range(8): r.note_add('HEAD', f'{sys.argv[1]} {n}')"
        )
        writers = [subprocess.Popen([sys.executable, "-c", code, str(who)]) for who in range(3)]
        assert [writer.wait() for writer in writers] == [0, 0, 0]
        assert len(set(sandbox.open().note_read("HEAD"))) == 24


def test_git_that_is_not_installed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("git.Git.GIT_PYTHON_GIT_EXECUTABLE", str(sandbox.root / "no-git"))
    with pytest.raises(Usage, match="not installed"):
        GitProcess(sandbox.root).read("status")
