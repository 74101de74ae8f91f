"""What comes with a Debian package only as a recommendation and is missed when it does not.

Source: the Recommends fields of bookworm's package lists, through all that a package depends on; Debian Policy 7.2 has
apt install them by default. What nobody misses in a container (manual pages, fonts of a desktop, sound) is not here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

CERTIFICATES = "ca-certificates"
SSH = "openssh-client"
SASL = "libsasl2-modules"
FONTS = "fonts-dejavu-core"

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "build-essential": ("gnupg", "fakeroot"),
    "cmake": ("make", "gcc", "libc6-dev"),
    "curl": (CERTIFICATES, SASL),
    "gcc": ("libc6-dev",),
    "gfortran": ("libc6-dev",),
    "git": (CERTIFICATES, SSH, "patch"),
    "git-lfs": (CERTIFICATES, SSH, "patch"),
    "libcups2-dev": ("gcc",),
    "libcurl3-gnutls": (CERTIFICATES,),
    "libcurl4": (CERTIFICATES,),
    "libcurl4-gnutls-dev": (CERTIFICATES,),
    "libcurl4-openssl-dev": (CERTIFICATES,),
    "libnetcdf-dev": ("pkg-config",),
    "libpq-dev": (SASL,),
    "libpq5": (SASL,),
    "libsasl2-2": (SASL,),
    "libsasl2-dev": (SASL,),
    "libsndfile1-dev": ("pkg-config",),
    "libspatialindex-dev": ("pkg-config",),
    "libspatialite-dev": ("pkg-config",),
    "libtiff5-dev": ("pkg-config",),
    "libvirt-dev": ("pkg-config",),
    "procps": ("psmisc",),
    "tk-dev": ("gcc",),
    "vim": ("xxd",),
    "wget": (CERTIFICATES,),
    "xvfb": ("xauth",),
    "zip": ("unzip",),
}
"""Recommendations that may be used, by the package that brings them, directly or through what it depends on."""

CALLED: Mapping[str, tuple[str, ...]] = {
    SSH: ("ssh", "scp", "sftp", "ssh-keyscan", "ssh-keygen", "ssh-add", "ssh-agent"),
    "fakeroot": ("fakeroot",),
    "gnupg": ("gpg", "gpg2", "gpg-agent", "apt-key"),
    "patch": ("patch",),
    "psmisc": ("killall", "fuser", "pstree"),
    "unzip": ("unzip",),
    "xxd": ("xxd",),
}
"""The commands of recommended packages: nobody misses the package who calls none of them."""

_BRINGS: Mapping[str, frozenset[str]] = {
    "build-essential": frozenset({"gcc", "g++", "libc6-dev", "make", "patch"}),
    "g++": frozenset({"gcc", "libc6-dev"}),
}
# fmt: off
_COMPLETE = frozenset({
    "apt-transport-https", "binutils", "bzip2", "ca-certificates", "default-mysql-client", "dumb-init", "file", "g++",
    "gnupg", "gosu", "iproute2", "iputils-ping", "jq", "less", "locales", "lsb-release", "make", "nano", "netbase",
    "netcat-openbsd", "netcat-traditional", "ninja-build", "openssh-client", "patch", "pkg-config",
    "postgresql-client", "redis-tools", "rsync", "sqlite3", "sudo", "supervisor", "tini", "tzdata", "unzip", "xz-utils",
})
# fmt: on
_LIBRARY = re.compile(r"(lib[\w.+-]+|zlib1g(-dev)?|default-libmysqlclient-dev)$")
_NOT_KNOWN = re.compile(
    r"lib(reoffice|magick|vips|zbar|ldap|poppler|gdal|aspell|enchant|hunspell|gtk|graphviz|gvc|snmp|avdevice|avfilter"
    r"|gdk|rsvg|gail|dbus|qt|apache|reswitch|girepository|ltdl|wmf|spectre|gs\d)|lib.*-(perl|java|ruby)$"
)
"""Libraries that work less without data, plug-ins or programs that they only recommend."""

_C_LIBRARY = re.compile(r"(gcc|g\+\+|gfortran|build-essential|cmake|libc6-dev|lib.+-dev|zlib1g-dev)$")
CAME_WITH_COMPILERS = frozenset(
    {
        "fontconfig-config",
        "libbrotli1",
        "libexpat1",
        "libfontconfig1",
        "libfreetype6",
        "libjpeg62-turbo",
        "libpng16-16",
        "libtiff6",
        "libwebp7",
        "libx11-6",
        "libxau6",
        "libxcb1",
        "libxext6",
        "libxpm4",
    }
)
"""Libraries that libc6-dev recommends through libc-devtools, and git through xauth; compiled code may load them."""


def is_known(package: str) -> bool:
    """Whether it is known what the package lacks without its recommendations."""
    if package in _NEEDED or package in _COMPLETE:
        return True
    return _LIBRARY.match(package) is not None and not _NOT_KNOWN.match(package)


def missed(packages: Collection[str]) -> tuple[tuple[str, str], ...]:
    """(recommended, by which package) for what `packages` neither name nor depend on; without repetition."""
    there = {*packages, *(brought for package in packages for brought in _BRINGS.get(package, ()))}
    found: dict[str, str] = {}
    for package in packages:
        for wanted in _NEEDED.get(package, ()):
            if wanted not in there:
                found.setdefault(wanted, package)
    return tuple(found.items())


def brings_graphics(packages: Collection[str]) -> str:
    """The first of `packages` that recommends graphics libraries and a font in the end; empty: none does."""
    return next((package for package in packages if _C_LIBRARY.match(package) or package in ("git", SSH)), "")
