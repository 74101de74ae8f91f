"""Reading ELF files, and finding libraries as the loader does."""

import os
import struct
import sys
from pathlib import Path

import pytest
from elf_files import write_elf

from phasewise.migration.probes.elf import Elf, NotElf, may_be_elf, read_elf
from phasewise.migration.probes.libraries import Loader, resolve


@pytest.mark.parametrize("wide", [True, False])
def test_what_a_library_says_of_itself_is_read(tmp_path: Path, wide: bool) -> None:
    path = write_elf(
        tmp_path / "liba.so",
        needed=("libb.so.1", "libc.so.6"),
        soname="liba.so.2",
        runpath="$ORIGIN/../libs:/opt/lib",
        debug_bytes=1234,
        comment="GCC: (GNU) 12.2.1\0clang version 14\0GCC: (Debian 12.2.0-14) 12.2.0\0",
        wide=wide,
    )
    elf = Elf(str(path))
    assert elf.needed == ["libb.so.1", "libc.so.6"]
    assert (elf.soname, elf.rpath, elf.runpath) == ("liba.so.2", [], ["$ORIGIN/../libs", "/opt/lib"])
    assert elf.strippable_bytes == 1234
    assert elf.compilers == ["GCC: (GNU) 12.2.1", "GCC: (Debian 12.2.0-14) 12.2.0"]
    assert not elf.misaligned
    assert not elf.truncated


def test_this_pythons_own_files_are_fine() -> None:
    elf = Elf(os.path.realpath(sys.executable))
    assert "libc.so.6" in elf.needed
    assert "ld-" in elf.interpreter
    assert not elf.misaligned


def test_a_badly_rewritten_library_is_misaligned(tmp_path: Path) -> None:
    assert Elf(str(write_elf(tmp_path / "liba.so", misaligned=True))).misaligned


def test_a_cut_off_library_is_truncated_or_none(tmp_path: Path) -> None:
    path = write_elf(tmp_path / "liba.so", needed=("libb.so",))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        elf = read_elf(str(path))
        assert elf is None or elf.truncated


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 500])
def test_other_files_are_no_elf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert read_elf(str(path)) is None
    with pytest.raises(NotElf):
        Elf(str(path))


def test_only_likely_files_are_opened() -> None:
    assert may_be_elf("libx.so.1", 0o644)
    assert may_be_elf("python3", 0o755)
    assert not may_be_elf("data.bin", 0o644)


def found(root: Path, name: str, at: str, library_path: str = "") -> str | None:
    return Loader(str(root), library_path).find(name, Elf(str(root) + at), at)


def test_libraries_are_found_beside_their_user_and_in_the_default_directories(tmp_path: Path) -> None:
    write_elf(tmp_path / "app" / "a.so", needed=("libb.so",), runpath="$ORIGIN/../libs")
    assert found(tmp_path, "libb.so", "/app/a.so") is None
    write_elf(tmp_path / "usr" / "lib" / "libb.so")
    assert found(tmp_path, "libb.so", "/app/a.so") == "/usr/lib/libb.so"
    write_elf(tmp_path / "libs" / "libb.so")
    assert found(tmp_path, "libb.so", "/app/a.so") == "/libs/libb.so"
    write_elf(tmp_path / "extra" / "libb.so")
    assert found(tmp_path, "libb.so", "/app/a.so", "/extra") == "/extra/libb.so"


def test_rpath_counts_only_without_runpath(tmp_path: Path) -> None:
    write_elf(tmp_path / "one" / "libb.so")
    write_elf(tmp_path / "a.so", needed=("libb.so",), rpath="/one")
    write_elf(tmp_path / "b.so", needed=("libb.so",), rpath="/one", runpath="/two")
    assert found(tmp_path, "libb.so", "/a.so") == "/one/libb.so"
    assert found(tmp_path, "libb.so", "/b.so") is None


def test_the_cache_is_asked_as_well(tmp_path: Path) -> None:
    write_elf(tmp_path / "a.so", needed=("libb.so",))
    write_elf(tmp_path / "strange" / "libb.so")
    cache(tmp_path, "libb.so", "/strange/libb.so")
    assert found(tmp_path, "libb.so", "/a.so") == "/strange/libb.so"
    (tmp_path / "strange" / "libb.so").unlink()
    assert Loader(str(tmp_path)).missing(Elf(str(tmp_path / "a.so")), "/a.so") == ["libb.so"]


def cache(root: Path, name: str, path: str) -> None:
    strings = f"{name}\0{path}\0".encode()
    start = 48 + 24
    header = b"glibc-ld.so.cache1.1" + struct.pack("<II", 1, len(strings)) + b"\0" * 20
    entry = struct.pack("<iIIIQ", 1, start, start + len(name) + 1, 0, 0)
    (root / "etc").mkdir()
    (root / "etc" / "ld.so.cache").write_bytes(header + entry + strings)


def test_links_are_followed_inside_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "usr" / "lib").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "real.so").write_text("")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr" / "lib" / "absolute.so").symlink_to("/lib/real.so")
    (tmp_path / "usr" / "lib" / "loop").symlink_to("loop")
    assert resolve(str(tmp_path), "/lib/absolute.so") == f"{tmp_path}/usr/lib/real.so"
    assert resolve(str(tmp_path), "/lib/.././lib/real.so") == f"{tmp_path}/usr/lib/real.so"
    assert not os.path.exists(resolve(str(tmp_path), "/lib/loop"))
