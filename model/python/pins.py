"""Which installers of a target can be given a version, how, and why the rest cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile, Word
from phasewise.model.phase import Choice, Option
from phasewise.model.python.installer_forms import (
    poetry_by_pip,
    poetry_version,
    requirement,
    rust_edit,
    rust_toolchain,
    uv_by_pip,
    uv_from_image,
)
from phasewise.model.python.pin_edits import copied_instead, in_place
from phasewise.model.python.piped_installers import Piped, piped_installers
from phasewise.model.python.tool_versions import Written, written_versions
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit

PACKAGE, IMAGE = "package", "image"
"""Where uv comes from, as the user picks it."""
LABELS = {"uv": "uv", "poetry": "poetry", "rust": "Rust"}
_WRITE_IT = {
    "uv": 'required-version = "==X" under [tool.uv] in pyproject.toml',
    "poetry": "ENV POETRY_VERSION=X in the Dockerfile",
    "rust": 'channel = "X" in rust-toolchain.toml; or take Debian\'s packages rustc and cargo',
}


class Change(Struct, frozen=True):
    """One installer and what takes its place."""

    tool: str
    line: int
    version: str
    written: Written | None
    """Where the version is named; None where the installer was told it."""
    edits: tuple[Edit, ...]
    piped: bool = True
    from_image: bool = False


class PinFinder:
    """Finds what can be pinned, and collects why the rest cannot, and what the user may choose."""

    def __init__(self, view: RepoView, picks: Mapping[str, frozenset[str]]) -> None:
        self.view, self.picks = view, picks
        self.reasons: list[str] = []
        self.choices: dict[str, Choice] = {}

    def changes(self) -> Iterator[Change]:
        """Everything that the target's stages install unpinned."""
        dockerfile = self.view.dockerfile
        needed = dockerfile.needed_by(self.view.stage)
        for instruction in dockerfile.instructions:
            if instruction.stage not in needed or instruction.keyword != "RUN":
                continue
            for piped in piped_installers(dockerfile, instruction):
                if change := self._piped(piped):
                    yield change
            script = Script.of(dockerfile, instruction)
            for command in script.commands if script else ():
                for word in _unpinned(dockerfile, command, script):
                    yield from self._package(word)

    def _piped(self, piped: Piped) -> Change | None:
        dockerfile = self.view.dockerfile
        label, where = LABELS[piped.tool], f"line {piped.line}"
        told = {
            "uv": piped.version,
            "poetry": poetry_version(dockerfile, piped),
            "rust": rust_toolchain(piped),
        }
        own = told[piped.tool]
        if own is None or (piped.tool == "rust" and own):
            settled = (
                f"{where}: Rust is installed at {own} already"
                if own
                else f"{where}: the installer of {label} is"
            )
            self.reasons.append(settled if own else f"{settled} told more than is understood")
            return None
        written = None if own else self._version(piped.tool, where)
        if not own and written is None:
            return None
        version = own or (written.version if written else "")
        if piped.tool == "rust":
            return Change(piped.tool, piped.line, version, written, (rust_edit(dockerfile, piped, version),))
        if _reads_profiles(dockerfile):
            self.reasons.append(
                f"{where}: a login shell finds {label} through files that its installer changes"
            )
            return None
        if piped.tool == "poetry":
            text = poetry_by_pip(dockerfile, piped, version)
            copied = None
        else:
            text, copied = self._uv(piped, version)
        if not text and not copied:
            self.reasons.append(
                f"{where}: {label} is installed where neither pip nor a copy puts it for certain"
            )
            return None
        edits = in_place(piped, text) if text else copied_instead(dockerfile, piped, copied or "")
        return Change(piped.tool, piped.line, version, written, edits, from_image=not text)

    def _uv(self, piped: Piped, version: str) -> tuple[str | None, str | None]:
        """The command, or the instruction that copies from the image."""
        dockerfile = self.view.dockerfile
        package, image = uv_by_pip(dockerfile, piped, version), uv_from_image(dockerfile, piped, version)
        if not package or not image:
            return package, image
        picked = self.picks.get("source", frozenset({PACKAGE}))
        self.choices["source"] = Choice(
            "source",
            "Where uv comes from",
            (
                Option(PACKAGE, "The package index that pip uses"),
                Option(IMAGE, "uv's own image, ghcr.io/astral-sh/uv"),
            ),
            picked,
        )
        return (None, image) if IMAGE in picked else (package, None)

    def _version(self, tool: str, where: str) -> Written | None:
        found = written_versions(self.view, tool)
        if not found:
            self.reasons.append(
                f"{where}: nothing in the repository says which {LABELS[tool]}, and no version is made up. Write it "
                f"down ({_WRITE_IT[tool]}), and this phase uses it"
            )
            return None
        if len(found) == 1:
            return found[0]
        id = f"{tool}_version"
        known = {written.version: written for written in found}
        picked = next(iter(self.picks.get(id, ())), found[0].version)
        picked = picked if picked in known else found[0].version
        self.choices[id] = Choice(
            id,
            f"Which {LABELS[tool]}",
            tuple(
                Option(written.version, f"{written.version}, as {written.where} says") for written in found
            ),
            frozenset({picked}),
        )
        return known[picked]

    def _package(self, word: Word) -> Iterator[Change]:
        dockerfile = self.view.dockerfile
        line = dockerfile.line_of(word.span.start)
        written = self._version(word.value, f"line {line}")
        if written:
            edit = Edit(word.span, requirement(word.value, written.version))
            yield Change(word.value, line, written.version, written, (edit,), piped=False)


def _unpinned(dockerfile: Dockerfile, command: Command, script: Script | None) -> Iterator[Word]:
    """The words `uv` and `poetry` of an install, where nothing else gives them a version."""
    values = [word.value for word in command.words]
    tools = {value.rpartition("/")[2] for value in values[:4]}
    if "install" not in values or not any(re.fullmatch(r"pipx?[\d.]*|uv", tool) for tool in tools):
        return
    start = values.index("install")
    if "uv" in tools and not {"pip", "tool"} & set(values[:start]):
        return
    constrained = {"-c", "--constraint", "--constraints"} & {value.partition("=")[0] for value in values}
    if script is None or constrained or "PIP_CONSTRAINT" in dockerfile.variables(script.instruction):
        return
    yield from (word for word in command.words[start + 1 :] if word.value in ("uv", "poetry"))


def _reads_profiles(dockerfile: Dockerfile) -> bool:
    """Whether a login shell runs anywhere: it reads what the installers write into ~/.profile."""
    texts = [instruction.value for instruction in dockerfile.instructions]
    return any(re.search(r"""\b(?:ba|z)?sh\b["',\s]+-[a-z]*[li][a-z]*\b|--login""", text) for text in texts)
