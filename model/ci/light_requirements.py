"""The first text of a CI requirements file: the settings that its check reads, and what follows from them."""

from __future__ import annotations

import hashlib
import inspect
import posixpath
import re
import textwrap
from collections.abc import Collection, Iterable

from msgspec import Struct

from phasewise.model.ci import check_requirements_ci
from phasewise.model.ci.check_requirements_ci import Read, fingerprint, generate, settings
from phasewise.model.python.requirements import Listed

SCRIPT_NAME = "check_requirements_ci.py"
_SIGNATURE = "dockerfile as made"
_FOLDERS = ("ci", "scripts", "tools")


class Settings(Struct, frozen=True):
    """What the check of one CI requirements file goes by."""

    production: str
    """The requirements file, or `pyproject.toml[extra]`."""
    left_out: tuple[str, ...]
    modules: tuple[str, ...] = ()
    """What the application must not import at its start."""
    starts: tuple[str, ...] = ()
    dockerfile: tuple[str, ...] = ()
    """The Dockerfile for CI, the one it was made from, and that one's fingerprint."""


def script_path(paths: Collection[str]) -> str:
    """Where the check goes: the first of the folders `ci`, `scripts` and `tools` that exists, else `ci`."""
    existing = (folder for folder in _FOLDERS if any(path.startswith(f"{folder}/") for path in paths))
    return f"{next(existing, _FOLDERS[0])}/{SCRIPT_NAME}"


def script_text(path: str) -> str:
    """The check as it is put into a repository at `path`: the very module that generates the list here."""
    return inspect.getsource(check_requirements_ci).replace(f"ci/{SCRIPT_NAME}", path)


def list_path(source: str) -> str:
    """`requirements-ci.txt` beside the `requirements.txt` or the pyproject.toml that it is made from."""
    folder, name = posixpath.split(source.partition("[")[0])
    stem, ending = posixpath.splitext(name)
    return posixpath.join(folder, "requirements-ci.txt" if ending == ".toml" else f"{stem}-ci{ending}")


def list_text(
    path: str, script: str, settings: Settings, pins: Iterable[tuple[Listed, str]], read: Read
) -> str:
    """The generated file. `pins` are exact versions for requirements that production leaves open.

    Raises what `generate` raises.
    """
    header = [
        f"# Generated from {settings.production} for CI. Change that file, not this one; then run",
        f"#     python3 {script} --write {path}",
        "# Without --write it checks, by these settings:",
        *_setting("production", [settings.production]),
        *_setting("left out", settings.left_out),
        *_setting("modules left out", settings.modules),
        *_setting("starts at", settings.starts),
        *([f"#   dockerfile: {' '.join(settings.dockerfile)}"] if settings.dockerfile else []),
    ]
    open_ones = [f"{pin}  # production: {requirement.text}" for requirement, pin in pins]
    return generate(path, "".join(f"{line}\n" for line in (*header, *open_ones)), read)


def signed(text: str, dockerfile: str) -> str:
    """The list with what tells the text of the Dockerfile for CI from one that somebody changed since."""
    line = f"#   {_SIGNATURE}: {_digest(dockerfile)}\n"
    return re.sub(r"(?m)^#   dockerfile: .*\n", lambda match: f"{match[0]}{line}", unsigned(text), count=1)


def unsigned(text: str) -> str:
    """The list without that."""
    return re.sub(rf"(?m)^#   {_SIGNATURE}: .*\n", "", text)


def is_as_made(text: str, dockerfile: str) -> bool:
    """Whether the Dockerfile for CI is still what was written beside the list."""
    return settings(text).get(_SIGNATURE) == [_digest(dockerfile)]


def with_fingerprint(text: str, production: str) -> str:
    """The list, taking note of production's Dockerfile, as the check's --write does."""
    return re.sub(r"(?m)^(#   dockerfile: \S+ \S+) .*", rf"\1 {fingerprint(production)}", text, count=1)


def _digest(text: str) -> str:
    """Comments count, line ends do not: git may write those otherwise."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _setting(name: str, words: Iterable[str]) -> list[str]:
    lines = textwrap.wrap(" ".join(words), 90, break_long_words=False, break_on_hyphens=False)
    return [f"#   {name}: {line}" for line in lines]
