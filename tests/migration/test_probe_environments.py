"""What a distribution lets one import, and what a file system holds, without an engine."""

from pathlib import Path

import pytest
from elf_files import write_elf

from phasewise.migration.probes.census import take
from phasewise.migration.probes.environments import distributions_in, importable, recorded_files

SITE = "opt/venv/lib/python3.12/site-packages"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["pkg/__init__.py", "pkg/deep/__init__.py", "pkg/mod.py"], ["pkg"]),
        (["six.py", "six-1.0.dist-info/METADATA", "__pycache__/six.cpython-312.pyc"], ["six"]),
        (["_yaml.cpython-312-x86_64-linux-gnu.so", "fast.abi3.so"], ["_yaml", "fast"]),
        (["google/cloud/storage/__init__.py", "google/cloud/storage/a.py"], ["google.cloud.storage"]),
        (["space/name.py"], ["space.name"]),
        (["pkg/__init__.py", "tests/__init__.py", "docs/conf.py", "examples/x.py"], ["pkg"]),
        (["../../../bin/tool", "pkg.libs/libx-1.so", "data/file.txt", "no-name.py"], []),
    ],
)
def test_the_outermost_packages_and_modules_are_imported(files: list[str], names: list[str]) -> None:
    assert importable(files) == names


def install(
    root: Path, name: str, files: dict[str, int], *, requires: tuple[str, ...] = (), record: bool = True
) -> None:
    site = root / SITE
    for path, size in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(b"x" * size)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = [f"Requires-Dist: {line}" for line in requires]
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *lines]) + "\n"
    )
    if record:
        (info / "RECORD").write_text(
            "".join(f"{_quoted(path)},sha256=x,{size}\n" for path, size in files.items())
        )


def _quoted(path: str) -> str:
    return f'"{path}"' if "," in path else path


def test_a_record_is_read_with_commas_in_names(tmp_path: Path) -> None:
    install(tmp_path, "odd", {"odd/__init__.py": 1, "odd/a,b.txt": 2})
    [distribution] = distributions_in(str(tmp_path / SITE))
    assert recorded_files(distribution) == ["odd/__init__.py", "odd/a,b.txt"]


def test_a_file_system_is_taken_apart(tmp_path: Path) -> None:
    install(
        tmp_path,
        "Big_Package",
        {"big/__init__.py": 100, "big/tests/data.bin": 50, "big/tests/t.py": 5},
        requires=("small>=1", "x; extra == 'y'"),
    )
    install(tmp_path, "small", {"small.py": 7}, record=False)
    (tmp_path / "opt/venv/pyvenv.cfg").write_text("")
    cache = tmp_path / SITE / "big" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-312.pyc").write_bytes(b"x" * 30)
    (tmp_path / SITE / "big" / "__init__.pyc").write_bytes(b"x" * 11)
    (tmp_path / SITE / "big" / "only.pyc").write_bytes(b"x" * 13)
    (tmp_path / SITE / "big" / "tests" / "t.pyc").write_bytes(b"x" * 3)
    (tmp_path / SITE / "big" / "tests" / "__pycache__").mkdir()
    (tmp_path / SITE / "big" / "tests" / "__pycache__" / "t.cpython-312.pyc").write_bytes(b"x" * 2)
    (tmp_path / "opt/venv/loose.a").write_bytes(b"x" * 17)
    (tmp_path / SITE / "big" / "big.a").write_bytes(b"x" * 19)
    write_elf(tmp_path / SITE / "big" / "fast.so", debug_bytes=400)
    write_elf(tmp_path / SITE / "big.libs" / "libx.so", debug_bytes=400, misaligned=True)
    (tmp_path / "opt/venv/bin").mkdir()
    (tmp_path / "opt/venv/bin/big").write_text("#!/opt/venv/bin/python\n")
    found = take(str(tmp_path))
    by_name = {entry["name"]: entry for entry in found["distributions"]}
    assert by_name["big-package"]["size_bytes"] == 100 + 50 + 5 + 30 + 2 + 11 + 3
    assert by_name["big-package"]["legacy_bytecode_bytes"] == 11 + 3
    assert by_name["big-package"]["requires"] == ["small>=1", "x; extra == 'y'"]
    assert found["bytecode"] == {f"/{SITE}": 30 + 2}
    assert found["legacy_bytecode"] == {f"/{SITE}": 11 + 3}
    assert found["test"] == {f"/{SITE}": 50 + 5}
    assert found["test_bytecode"] == {f"/{SITE}": 2}
    assert found["test_legacy_bytecode"] == {f"/{SITE}": 3}
    assert found["static_library"] == {"/opt/venv": 17, f"/{SITE}": 19}
    assert found["strippable"] == {f"/{SITE}": 400}
    assert found["misaligned"] == [f"/{SITE}/big.libs/libx.so"]
    assert found["scripts"] == [
        {"path": "/opt/venv/bin/big", "shebang": "/opt/venv/bin/python", "distribution": ""}
    ]


STATUS = """\
Package: git
Status: install ok installed
Installed-Size: 40
Depends: libc6 (>= 2.34), perl:any | nowhere, mail-transport-agent, git-man (<< 1:2),
 and-what-is-folded
Recommends: less
Description: what Depends: nobody

Package: perl
Status: install ok installed
Installed-Size: 3

Package: postfix
Status: install ok installed
Provides: mail-transport-agent (= 1)

Package: git-man
Status: deinstall ok config-files

Package: less
Status: install ok installed
"""
EXTENDED = "Package: perl\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: less\nAuto-Installed: 0\n"


def test_what_debians_packages_need(tmp_path: Path) -> None:
    for path, text in {"dpkg/status": STATUS, "apt/extended_states": EXTENDED}.items():
        (tmp_path / "var/lib" / path).parent.mkdir(parents=True)
        (tmp_path / "var/lib" / path).write_text(text)
    assert take(str(tmp_path))["apt_packages"] == {
        "git": 40 * 1024,
        "perl": 3 * 1024,
        "postfix": 0,
        "less": 0,
    }
    (tmp_path / "var/lib/dpkg/info").mkdir()
    (tmp_path / "var/lib/dpkg/info/perl:amd64.list").write_text(
        "/.\n/usr/bin/perl\n/bin/pl\n/usr/share/man/gone\n"
    )
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/perl").write_bytes(b"x" * 700)
    (tmp_path / "usr/bin/pl").write_bytes(b"x" * 11)
    found = take(str(tmp_path))
    assert found["apt_packages"] == {"git": 0, "perl": 711, "postfix": 0, "less": 0}
    assert found["apt_needs"] == {"git": ["less", "perl", "postfix"]}
    assert found["apt_automatic"] == ["perl"]


def test_hard_links_count_once(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "one").write_bytes(b"x" * 10)
    (root / "two").hardlink_to(root / "one")
    assert take(str(root))["file_bytes"] == 10


def test_files_beside_the_packages_are_found(tmp_path: Path) -> None:
    files = {
        "book/__init__.py": 1,
        "../../../share/book/pages/one.txt": 1,
        "../../../share/man/man1/book.1": 1,
        "../../../etc/book.json": 1,
        "../../../lib/libbook.so": 1,
        "../../../bin/book": 1,
        "../../../include/site/book.h": 1,
    }
    install(tmp_path, "book", files)
    [found] = take(str(tmp_path))["distributions"]
    assert found["data"] == ["/opt/venv/etc/book.json", "/opt/venv/lib/libbook.so", "/opt/venv/share/book"]


@pytest.mark.parametrize(
    ("tags", "files", "built"),
    [
        (("py3-none-any",), ["pkg/__init__.py"], "pure"),
        (("py2-none-any", "py3-none-any"), ["pkg/__init__.py"], "pure"),
        (
            ("cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux2014_x86_64"),
            ["pkg/x.so"],
            "elsewhere",
        ),
        (("py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64",), ["pkg/x.so"], "elsewhere"),
        (("cp312-cp312-linux_x86_64",), ["pkg/x.so"], "here"),
        (("cp312-cp312-linux_aarch64",), ["pkg/x.so"], "here"),
        (("py3-none-any",), ["pkg/libx.so.1"], ""),
        ((), ["pkg/__init__.py"], ""),
    ],
)
def test_tags_tell_where_a_distribution_was_compiled(
    tmp_path: Path, tags: tuple[str, ...], files: list[str], built: str
) -> None:
    install(tmp_path, "pkg", dict.fromkeys(files, 1))
    lines = ["Wheel-Version: 1.0", "Root-Is-Purelib: false", *(f"Tag: {tag}" for tag in tags)]
    (tmp_path / SITE / "pkg-1.0.dist-info/WHEEL").write_text("\n".join(lines) + "\n")
    [found] = take(str(tmp_path))["distributions"]
    assert found["built"] == built


RED_HAT = "GCC: (GNU) 12.2.1 20221121 (Red Hat 12.2.1-7)\0GCC: (GNU) 4.8.5 20150623 (Red Hat 4.8.5-44)\0"
DEBIAN = "GCC: (Debian 12.2.0-14) 12.2.0\0"


@pytest.mark.parametrize(
    ("comments", "system", "built"),
    [
        ({"pkg/a.so": RED_HAT, "pkg/b.so.1": RED_HAT}, "dpkg", "elsewhere"),
        ({"pkg/a.so": RED_HAT, "pkg/b.so.1": DEBIAN}, "dpkg", "here"),
        ({"pkg/a.so": RED_HAT + DEBIAN}, "dpkg", "here"),
        ({"pkg/a.so": "rustc version 1.91.0\0"}, "dpkg", "here"),
        ({"pkg/a.so": RED_HAT, "pkg/b.so": None}, "dpkg", "here"),
        ({"pkg/a.so": RED_HAT}, "rpm", "here"),
        ({}, "dpkg", "here"),
    ],
)
def test_a_wheel_that_was_renamed_is_told_by_its_compilers(
    tmp_path: Path, comments: dict[str, str | None], system: str, built: str
) -> None:
    install(tmp_path, "pkg", dict.fromkeys(["pkg/__init__.py", *comments], 1))
    (tmp_path / SITE / "pkg-1.0.dist-info/WHEEL").write_text("Tag: py3-none-linux_x86_64\n")
    (tmp_path / "var/lib" / system).mkdir(parents=True)
    for path, comment in comments.items():
        if comment is not None:
            write_elf(tmp_path / SITE / path, comment=comment)
    [found] = take(str(tmp_path))["distributions"]
    assert found["built"] == built


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ('{"url": "https://x.org/y", "vcs_info": {"vcs": "git", "commit_id": "0"}}', "vcs"),
        ('{"url": "file:///src", "dir_info": {}}', "folder"),
        ('{"url": "https://x.org/y.tar.gz", "archive_info": {}}', "archive"),
        ("[]", ""),
        ("{", ""),
        (None, ""),
    ],
)
def test_the_direct_address_tells_where_a_distribution_came_from(
    tmp_path: Path, text: str | None, origin: str
) -> None:
    install(tmp_path, "pkg", {"pkg/__init__.py": 1})
    if text is not None:
        (tmp_path / SITE / "pkg-1.0.dist-info/direct_url.json").write_text(text)
    [found] = take(str(tmp_path))["distributions"]
    assert found["origin"] == origin
