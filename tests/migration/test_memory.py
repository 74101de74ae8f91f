"""The memory of build steps, read from control groups of either version."""

from pathlib import Path

from phasewise.migration.memory import PeakMemory, resident_bytes


def group(root: Path, path: str, text: str) -> None:
    (root / path).mkdir(parents=True)
    (root / path / "memory.stat").write_text(text)


def test_version_1_counts_what_is_resident_and_not_the_page_cache(tmp_path: Path) -> None:
    group(tmp_path, "memory/docker/buildkit/one", "cache 9000\nrss 1\ntotal_cache 9000\ntotal_rss 100\n")
    group(tmp_path, "memory/docker/buildkit/two", "total_rss 20\n")
    group(tmp_path, "memory/docker/another", "total_rss 5000\n")
    assert resident_bytes(tmp_path) == 120
    assert resident_bytes(tmp_path, {tmp_path / "memory/docker/buildkit/one"}) == 20


def test_version_2_counts_anonymous_memory(tmp_path: Path) -> None:
    group(tmp_path, "docker/buildkit/one", "anon 300\nfile 9000\n")
    assert resident_bytes(tmp_path) == 300


def test_no_step_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "memory/docker/buildkit").mkdir(parents=True)
    assert resident_bytes(tmp_path) is None
    assert PeakMemory(local=True, root=tmp_path).why_not == ""


def test_it_says_why_there_is_no_figure(tmp_path: Path) -> None:
    assert "another machine" in PeakMemory(local=False, root=tmp_path).why_not
    with PeakMemory(local=True, root=tmp_path) as memory:
        pass
    assert memory.bytes is None
    assert "cannot be read" in memory.why_not
