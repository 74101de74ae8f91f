"""The sample repository: the same everywhere, its story in its history, never over existing files."""

from pathlib import Path

import pytest
from git import Repo
from git_sandbox import Sandbox

from phasewise.cli.demo.commit_file import parse_commit
from phasewise.cli.demo.create import HEAD_BRANCH, create

HOSTILE_CONFIG = """\
[commit]
    gpgsign = true
[gpg]
    program = /nonexistent/gpg
[core]
    hooksPath = {hooks}
    autocrlf = true
    fsmonitor = {hooks}/post-checkout
[init]
    templateDir = {template}
    defaultBranch = trunk
[user]
    useConfigOnly = true
"""


def test_two_creations_have_the_same_hashes(tmp_path: Path) -> None:
    first, second = Repo(create(tmp_path / "first")), Repo(create(tmp_path / "second"))
    assert first.head.commit.hexsha == second.head.commit.hexsha
    assert first.heads["main"].commit.hexsha == second.heads["main"].commit.hexsha


def test_the_hardening_branch_is_checked_out_and_clean(tmp_path: Path) -> None:
    repo = Repo(create(tmp_path / "demo"))
    assert repo.active_branch.name == HEAD_BRANCH
    assert {head.name for head in repo.heads} == {"main", HEAD_BRANCH}
    assert not repo.is_dirty(untracked_files=True)
    assert 10 <= len(list(repo.iter_commits(HEAD_BRANCH))) <= 16


def test_only_the_hardening_branch_compiles_bytecode(tmp_path: Path) -> None:
    repo = Repo(create(tmp_path / "demo"))
    assert "compileall" not in repo.git.show("main:Dockerfile")
    assert "compileall" in repo.git.show("HEAD:Dockerfile")
    brought_in_by = repo.git.log("-S", "compileall", "--format=%s", "HEAD", "--", "Dockerfile")
    assert brought_in_by.splitlines() == [
        "security: harden image, non-root user, bytecode fixed at build time",
    ]


def test_authors_and_dates_are_those_of_the_story(tmp_path: Path) -> None:
    first = list(Repo(create(tmp_path / "demo")).iter_commits("main"))[-1]
    assert first.author == first.committer
    assert first.author.email == "ines@tidewatch.example"
    assert first.authored_datetime.isoformat() == "2025-03-03T09:14:00+01:00"


def test_takes_an_empty_folder(tmp_path: Path) -> None:
    assert create(tmp_path) == tmp_path.resolve()


def test_refuses_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("a file")
    with pytest.raises(FileExistsError):
        create(tmp_path / "demo")


def test_no_git_configuration_gets_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Repo(create(tmp_path / "plain")).head.commit.hexsha
    hooks = tmp_path / "hooks"
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    hooks.mkdir()
    traces = tmp_path / "a-hook-ran"
    for folder in (hooks, template / "hooks"):
        for name in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {traces}\nexit 1\n")
            (folder / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(HOSTILE_CONFIG.format(hooks=hooks, template=template))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other-index"))

    hostile = create(tmp_path / "hostile")

    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    repo = Repo(hostile)
    assert repo.head.commit.hexsha == expected
    assert repo.active_branch.name == HEAD_BRANCH
    assert not traces.exists()
    assert not (hostile / ".git" / "hooks").exists()
    assert b"\r" not in (hostile / "Dockerfile").read_bytes()


def test_a_commit_file_can_remove_a_file() -> None:
    commit = parse_commit(
        "author: A <a@x.example>\ndate: 2025-01-02T03:04:05+00:00\nbranch: main\n\nTidy up\n\nWhy.\n\n"
        "-- kept.txt --\none\n\n-- not a mark\n-- gone.txt (removed) --\n"
    )
    assert commit.message == "Tidy up\n\nWhy.\n"
    assert commit.files == {"kept.txt": "one\n\n-- not a mark\n", "gone.txt": None}


def test_a_commit_file_without_files_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one file"):
        parse_commit("author: A <a@x.example>\ndate: 2025-01-02\nbranch: main\n\nNothing\n")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("[user]\n\tuseConfigOnly = true\n", "demo@tidewatch.example"),
        ("[user]\n\tname = Ada\n\temail = ada@example.org\n", "ada@example.org"),
    ],
)
def test_commits_can_be_made_on_a_machine_without_an_identity(
    config: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NAME", "EMAIL"):
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.delenv(f"GIT_{who}_{name}", raising=False)
    (tmp_path / "gitconfig").write_text(config)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    sandbox = Sandbox(create(tmp_path / "demo"))
    sandbox.commit("the first of the user's own")
    assert sandbox.git("log", "-1", "--format=%ae").strip() == expected
