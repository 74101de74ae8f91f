"""What Debian's packages are for: tools of a build, headers with the library behind them, commands.

Checked against the package lists of bullseye, bookworm and trixie by tests/model/test_debian.py.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from phasewise.model.debian.libraries import GONE, LIBRARIES, RENAMED, STILL_PROVIDED

RELEASES = ("bullseye", "bookworm", "trixie")

_TOOLCHAIN = ("strip", "ld", "as", "ar", "nm", "objcopy", "objdump", "ranlib", "readelf")
_C = ("gcc", "cc", "cpp", *_TOOLCHAIN)
_MAKE = ("make",)

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "autoconf": ("autoconf", "autoreconf"),
    "automake": ("automake", "aclocal"),
    "binutils": _TOOLCHAIN,
    "bison": ("bison", "yacc"),
    "build-essential": (*_C, "g++", "c++", *_MAKE),
    "cargo": ("cargo", "rustc"),
    "ccache": ("ccache",),
    "clang": ("clang", "clang++", "cc", "c++"),
    "cmake": ("cmake", "ctest"),
    "cython3": ("cython3",),
    "dpkg-dev": ("dpkg-buildpackage", "dpkg-architecture"),
    "flex": ("flex", "lex"),
    "g++": (*_C, "g++", "c++"),
    "gcc": _C,
    "gdb": ("gdb",),
    "gfortran": (*_C, "gfortran"),
    "golang": ("go",),
    "golang-go": ("go",),
    "libtool": ("libtoolize",),
    "libtool-bin": ("libtool",),
    "lld": ("ld.lld",),
    "llvm": ("llc", "opt"),
    "m4": ("m4",),
    "make": _MAKE,
    "meson": ("meson",),
    "musl-dev": (),
    "musl-tools": ("musl-gcc",),
    "nasm": ("nasm",),
    "ninja-build": ("ninja",),
    "patch": ("patch",),
    "patchelf": ("patchelf",),
    "pkg-config": ("pkg-config",),
    "pkgconf": ("pkgconf", "pkg-config"),
    "protobuf-compiler": ("protoc",),
    "python3-dev": ("python3-config",),
    "rustc": ("rustc",),
    "rustup": ("rustup", "cargo", "rustc"),
    "scons": ("scons",),
    "swig": ("swig",),
    "yasm": ("yasm",),
}
"""Packages that only a build needs, with the commands that they or what they depend on bring."""

DOWNLOADERS: Mapping[str, tuple[str, ...]] = {
    "curl": ("curl",),
    "git": ("git",),
    "git-lfs": ("git-lfs",),
    "wget": ("wget",),
}
"""Packages that serve builds and running services alike: which it is must be looked for."""

_TOOLS = COMMANDS.keys() | DOWNLOADERS.keys()
_VERSIONED = re.compile(r"(gcc|g\+\+|gfortran|clang|llvm|lld|golang|cpp)-\d[\d.]*(-dev)?$")
_HEADERS = re.compile(r".+-dev$|linux-headers-.+$")

_COMES_WITH = re.compile(
    r"(gcc|g\+\+|cpp|gfortran|clang|llvm)(-\d+)?(-x86-64-linux-gnu|-aarch64-linux-gnu)?(-base)?$"
    r"|(gcc|g\+\+|cpp|gfortran)-\d+-(x86-64|aarch64)-linux-gnu$"
    r"|binutils(-.+)?$|libbinutils$|libctf(-nobfd)?0$|libgprofng0$|libsframe\d+$|libcc1-0$|libisl\d+$|libmpc3$|libmpfr6$"
    r"|lib(asan|hwasan|lsan|tsan|ubsan|itm|atomic|gomp|quadmath|gfortran)\d+$|libjansson4$"
    r"|libc-dev-bin$|linux-libc-dev$|rpcsvc-proto$|libcrypt-dev$|libtirpc-dev$|libnsl-dev$"
    r"|dpkg-dev$|libdpkg-perl$|make$|patch$|bzip2$|lto-disabled-list$"
    r"|libclang-.+$|libllvm\d+$|libstd-rust-.+$"
    r"|cmake-data$|libjsoncpp\d+$|librhash0$|libuv1(t64)?$"
    r"|git-man$|liberror-perl$"
)


def base_name(word: str) -> str:
    """The package that an argument of `apt-get install` names: `gcc` for `gcc:amd64=4:12.2.0-3`."""
    return re.split(r"[=/:]", word, maxsplit=1)[0]


def commands_of(package: str) -> tuple[str, ...]:
    """The commands that would go with a build tool or downloader; empty for headers and libraries."""
    versioned = _VERSIONED.match(package)
    tool = versioned[1] if versioned and not versioned[2] else package
    suffix = package.removeprefix(tool)
    plain = COMMANDS.get(tool) or DOWNLOADERS.get(tool) or (() if is_headers(package) else (tool,))
    return (*plain, *(f"{command}{suffix}" for command in plain)) if suffix else plain


def is_build_tool(package: str) -> bool:
    """Whether nothing but a build needs it, headers aside."""
    return package in COMMANDS or bool(_VERSIONED.match(package))


def is_downloader(package: str) -> bool:
    """Whether it fetches things, during a build or at run time."""
    return package in DOWNLOADERS


def is_headers(package: str) -> bool:
    """Whether it holds headers and the unversioned link to a library."""
    return package not in _TOOLS and bool(_HEADERS.match(package))


def runtime_libraries(package: str, release: str | None) -> tuple[str, ...] | None:
    """The library packages that programs built with the headers need at run time; empty where there are none.

    `release` is Debian's code name; None where it is not known, which leaves the names that bookworm and
    trixie both resolve. The answer is None where the table has nothing that is sure.

    Source: what the -dev package depends on and that is built from the same source package.
    """
    written = LIBRARIES.get(package)
    if written is None or (release is not None and release not in RELEASES):
        return None
    libraries = tuple(written.split())
    if release is None:
        settled = package not in GONE["trixie"] and not RENAMED["trixie"].keys() & set(libraries)
        return libraries if settled else None
    if package in GONE.get(release, ()):
        return None
    renamed = {**RENAMED.get(release, {}), **(STILL_PROVIDED if release == "trixie" else {})}
    return tuple(renamed.get(library, library) for library in libraries)


def release_of(image: str, installed: Collection[str] = ()) -> str | None:
    """Debian's code name, from the image's tag, else from packages known to be in it; None: unknown."""
    for release in RELEASES:
        if release in image.partition(":")[2]:
            return release
    telling = {"libssl1.1": "bullseye", "libssl3": "bookworm", "libssl3t64": "trixie"}
    return next((release for package, release in telling.items() if package in installed), None)


def leaves_with(moved: Collection[str], installed: Collection[str], stays: Collection[str]) -> frozenset[str]:
    """The installed packages that nothing needs any more once `moved` are gone, as far as names tell.

    The closure of Debian's toolchain, and every -dev package, since headers only serve headers.
    `stays` are the packages asked for explicitly.
    """
    gone = {package for package in installed if package in moved}
    toolchain = any(is_build_tool(package) or is_headers(package) for package in moved)
    gone |= {
        package
        for package in installed
        if toolchain and package not in stays and (is_headers(package) or _COMES_WITH.match(package))
    }
    return frozenset(gone)
