"""Debian packages for people who work in a container: editors, and what comes along with them and with git."""

from __future__ import annotations

from collections.abc import Collection, Mapping

EDITORS: Mapping[str, tuple[str, ...]] = {
    "emacs-nox": ("emacs",),
    "ed": ("ed",),
    "htop": ("htop",),
    "joe": ("joe",),
    "mc": ("mc", "mcedit"),
    "nano": ("nano",),
    "neovim": ("nvim",),
    "tree": ("tree",),
    "vim": ("vim", "vi", "view", "ex", "vimdiff"),
    "vim-nox": ("vim", "vi", "view", "ex", "vimdiff"),
    "vim-tiny": ("vi", "view", "ex"),
}
"""Packages that a service does without, with their commands."""

_COMES_WITH: Mapping[str, tuple[str, ...]] = {
    "emacs-nox": ("emacs-common", "emacs-bin-common", "emacs-el"),
    "git": ("git-man", "liberror-perl"),
    "vim": ("vim-common", "vim-runtime"),
    "vim-nox": ("vim-common", "vim-runtime"),
    "vim-tiny": ("vim-common",),
}

LIBRARIES_OF_TOOLS = frozenset(
    {
        "libasan8",
        "libatomic1",
        "libcurl3-gnutls",
        "libcurl4",
        "libexpat1",
        "libgomp1",
        "libgpm2",
        "libjansson4",
        "libldap-2.5-0",
        "libmpc3",
        "libmpfr6",
        "libnghttp2-14",
        "libpcre2-8-0",
        "libpsl5",
        "libquadmath0",
        "librtmp1",
        "libsasl2-2",
        "libsodium23",
        "libssh2-1",
    }
)
"""Libraries of bookworm that compilers, editors, curl, git and wget depend on, and that others may load."""


def companions(packages: Collection[str]) -> frozenset[str]:
    """What only `packages` need, and nobody asks for by name."""
    return frozenset(other for package in packages for other in _COMES_WITH.get(package, ()))
