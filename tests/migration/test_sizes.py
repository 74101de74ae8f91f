"""The bytes of a commit's files, as git counts them."""

from __future__ import annotations

from git_sandbox import Sandbox

from phasewise.migration import scan


def test_everything_in_the_tree_counts(sandbox: Sandbox) -> None:
    (sandbox.root / "weights.bin").write_bytes(b"\0" * 3_000_000)
    (sandbox.root / "a\tb").write_text("\N{GREEK SMALL LETTER ALPHA}")
    (sandbox.root / "link").symlink_to("weights.bin")
    sandbox.git("add", "--all")
    sandbox.commit()
    repository = sandbox.open()
    (target, *_) = scan.scan(repository, "HEAD")
    sizes = scan.view(repository, "HEAD", target).sizes
    assert sizes["weights.bin"] == 3_000_000
    assert sizes["a\tb"] == 2
    assert sizes["link"] == len("weights.bin")
    assert set(sizes) == set(repository.entries("HEAD"))
    assert len(sizes) == len(repository.entries("HEAD"))
    (sandbox.root / "weights.bin").write_bytes(b"")
    assert scan.view(repository, "HEAD", target).sizes["weights.bin"] == 3_000_000


def test_a_submodule_counts_none(sandbox: Sandbox) -> None:
    commit = sandbox.head()
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendored")
    sandbox.git("commit", "--quiet", "--message", "x")
    assert sandbox.open().sizes("HEAD")["vendored"] == 0
