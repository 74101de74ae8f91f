"""Installs uv, poetry and Rust at a version that the repository names, not whatever a script on the network brings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from phasewise.model.dockerfile import Dockerfile, Word
from phasewise.model.edits import drop_instruction
from phasewise.model.phase import Choice, Declined, Evidence, FileEdit, Option, Phase, Prediction, Risk
from phasewise.model.python.installer_forms import (
    poetry_by_pip,
    poetry_version,
    requirement,
    rust_edit,
    rust_toolchain,
    uv_by_pip,
    uv_from_image,
)
from phasewise.model.python.piped_installers import Piped, piped_installers
from phasewise.model.python.tool_versions import Written, written_versions
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span, apply_edits
from phasewise.rules.base import Example, Picks, Rule

_PACKAGE, _IMAGE = "package", "image"
_ENV_FILE = re.compile(r"(?:\$HOME|\$\{HOME\}|~|/root|/home/\w+)/\.(?:local/bin|cargo)/env")
_LABELS = {"uv": "uv", "poetry": "poetry", "rust": "Rust"}
_WRITE_IT = {
    "uv": 'required-version = "==X" under [tool.uv] in pyproject.toml',
    "poetry": "ENV POETRY_VERSION=X in the Dockerfile",
    "rust": 'channel = "X" in rust-toolchain.toml; or take Debian\'s packages rustc and cargo',
}


class PinnedInstaller(Rule):
    """`curl ... | sh` runs what a server hands out today: the build of last month cannot be repeated, a failed download
    can pass unseen through the pipe, and nobody has read the script.

    uv becomes the package `uv==X`, put where the installer put it, so that PATH and `/root/.local/bin/uv` go on
    working; on request, or where there is no pip, it is copied from uv's own image. poetry gets the environment of
    its own that its installer makes: in the application's, the dependencies of both would mix, and with that
    environment's `bin` on PATH `python` would be poetry's. rustup is told the toolchain. `pip install uv` and
    `pip install poetry` get the version, too.

    The version is one that the repository names: in the Dockerfile, pyproject.toml, the header of poetry.lock, a
    workflow, a version manager; else the one in the baseline's image. None is made up. Installers behind `||` are
    left alone.

    hadolint: DL3013 (a version for pip), DL4006 (the failure of a pipe's first half); it has no rule on scripts that
    are piped into a shell. BuildKit's checks have none.
    """

    title = "Install uv, poetry and Rust at a version"
    risk = Risk.CHECK
    order = 12

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        finder = _Finder(view, picks)
        changes = [*finder.changes()]
        if not changes:
            return self.declined(
                "; ".join(dict.fromkeys(finder.reasons)) or "no installer is piped into a shell"
            )
        dockerfile = view.dockerfile
        edits = [edit for change in changes for edit in change.edits] + [*_without_env_files(view, changes)]
        lines = dict.fromkeys((dockerfile.path, change.line) for change in changes)
        named = dict.fromkeys(
            (w.path, w.line)
            for change in changes
            if (w := change.written) and w.path and w.path in view.files
        )
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(changes, finder.reasons),
            edits=(FileEdit(dockerfile.path, dockerfile.text, apply_edits(dockerfile.text, edits)),),
            evidence=tuple(_evidence(view, [*lines, *named])),
            risk=self.risk,
            predicted=Prediction(
                None, "the tool stays in the image that it was in; only its version is settled"
            ),
            choices=tuple(finder.choices.values()),
            costs="The build reads uv's image from ghcr.io." if any(c.from_image for c in changes) else "",
        )

    FIRES = (
        Example(
            title="uv stays where its installer put it",
            before="FROM python:3.12-slim\nRUN apt-get update && apt-get install -y curl && \\\n"
            "    curl -LsSf https://astral.sh/uv/install.sh | sh\n"
            'ENV PATH="/root/.local/bin:${PATH}"\nRUN uv sync --locked\n',
            after="FROM python:3.12-slim\nRUN apt-get update && apt-get install -y curl && \\\n"
            "    pip install --no-cache-dir --user uv==0.9.9\n"
            'ENV PATH="/root/.local/bin:${PATH}"\nRUN uv sync --locked\n',
            files={"pyproject.toml": '[tool.uv]\nrequired-version = "==0.9.9"\n'},
        ),
        Example(
            title="the folder that the installer is told, and the version of its address",
            before="FROM python:3.12-slim\nADD https://astral.sh/uv/0.9.9/install.sh /uv.sh\n"
            "RUN UV_INSTALL_DIR=/usr/local/bin sh /uv.sh && rm /uv.sh\nRUN uv sync\n",
            after="FROM python:3.12-slim\nRUN pip install --no-cache-dir uv==0.9.9\nRUN uv sync\n",
        ),
        Example(
            title="an image without pip, and the file that the installer leaves",
            before="FROM debian:bookworm-slim\nENV UV_VERSION=0.9.9\n"
            "RUN curl -LsSf https://astral.sh/uv/$UV_VERSION/install.sh | sh\n"
            "RUN . $HOME/.local/bin/env && uv sync\n",
            after="FROM debian:bookworm-slim\nENV UV_VERSION=0.9.9\n"
            "COPY --from=ghcr.io/astral-sh/uv:0.9.9 /uv /uvx /root/.local/bin/\n"
            'RUN export PATH="$HOME/.local/bin:$PATH" && uv sync\n',
        ),
        Example(
            title="from uv's image on request",
            before="FROM python:3.12-slim\nRUN wget -qO- https://astral.sh/uv/0.9.9/install.sh | sh\n",
            after="FROM python:3.12-slim\nCOPY --from=ghcr.io/astral-sh/uv:0.9.9 /uv /uvx /root/.local/bin/\n",
            picks={"source": frozenset({_IMAGE})},
        ),
        Example(
            title="poetry in its own environment",
            before="FROM python:3.12-slim\nENV POETRY_HOME=/opt/poetry PATH=/opt/poetry/bin:$PATH\n"
            "RUN curl -sSL https://install.python-poetry.org | python3 -\nRUN poetry install\n",
            after="FROM python:3.12-slim\nENV POETRY_HOME=/opt/poetry PATH=/opt/poetry/bin:$PATH\n"
            "RUN python3 -m venv /opt/poetry/venv && \\\n"
            "    /opt/poetry/venv/bin/pip install --no-cache-dir poetry==2.1.3 && \\\n"
            "    mkdir -p /opt/poetry/bin && ln -s /opt/poetry/venv/bin/poetry /opt/poetry/bin/poetry\n"
            "RUN poetry install\n",
            files={
                "poetry.lock": "# This file is automatically @generated by Poetry 2.1.3 and should not be changed by "
                "hand.\n"
            },
        ),
        Example(
            title="the toolchain of rust-toolchain.toml",
            before="FROM python:3.12\nRUN curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y\n",
            after="FROM python:3.12\nRUN curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y "
            "--default-toolchain 1.83.0\n",
            files={"rust-toolchain.toml": '[toolchain]\nchannel = "1.83.0"\n'},
        ),
        Example(
            title="a package without a version",
            before="FROM python:3.12-slim\nRUN pip install --no-cache-dir uv 'poetry'\n",
            after="FROM python:3.12-slim\nRUN pip install --no-cache-dir uv==0.9.9 poetry==2.1.3\n",
            files={
                ".github/workflows/ci.yml": "jobs:\n  test:\n    steps:\n      - uses: astral-sh/setup-uv@v6\n"
                '        with:\n          version: "0.9.9"\n      - run: pipx install poetry==2.1.3\n'
            },
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN curl -LsSf https://astral.sh/uv/install.sh | sh\nRUN pip install poetry\n",
            files={"pyproject.toml": '[tool.uv]\nrequired-version = ">=0.5"\n', "uv.lock": "version = 1\n"},
            title="no version is named anywhere",
        ),
        Example(
            "FROM python:3.12-slim\nRUN command -v uv || curl -LsSf https://astral.sh/uv/0.9.9/install.sh | sh\n",
            title="behind an alternative",
        ),
        Example(
            "FROM python:3.12-slim\nRUN pip install uv==0.9.9 'poetry>=2'\n"
            "RUN curl -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain 1.83.0\n",
            title="versions are given",
        ),
        Example(
            "FROM python:3.12-slim\nENV UV_VERSION=0.9.9\n"
            "RUN curl -LsSf https://example.com/install.sh | sh\nRUN curl -o /x https://astral.sh/uv/install.sh\n",
            title="other scripts, and one that is not run",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """One installer and what takes its place."""

    tool: str
    line: int
    version: str
    written: Written | None
    """Where the version is named; None where the installer was told it."""
    edits: tuple[Edit, ...]
    piped: bool = True
    from_image: bool = False


class _Finder:
    """Finds what can be pinned, and collects why the rest cannot, and what the user may choose."""

    def __init__(self, view: RepoView, picks: Picks) -> None:
        self.view, self.picks = view, picks
        self.reasons: list[str] = []
        self.choices: dict[str, Choice] = {}

    def changes(self) -> Iterator[_Change]:
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

    def _piped(self, piped: Piped) -> _Change | None:
        dockerfile = self.view.dockerfile
        label, where = _LABELS[piped.tool], f"line {piped.line}"
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
            return _Change(piped.tool, piped.line, version, written, (rust_edit(dockerfile, piped, version),))
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
        edits = _in_place(piped, text) if text else _copied(dockerfile, piped, copied or "")
        return _Change(piped.tool, piped.line, version, written, edits, from_image=not text)

    def _uv(self, piped: Piped, version: str) -> tuple[str | None, str | None]:
        """The command, or the instruction that copies from the image."""
        dockerfile = self.view.dockerfile
        package, image = uv_by_pip(dockerfile, piped, version), uv_from_image(dockerfile, piped, version)
        if not package or not image:
            return package, image
        picked = self.picks.get("source", frozenset({_PACKAGE}))
        self.choices["source"] = Choice(
            "source",
            "Where uv comes from",
            (
                Option(_PACKAGE, "The package index that pip uses"),
                Option(_IMAGE, "uv's own image, ghcr.io/astral-sh/uv"),
            ),
            picked,
        )
        return (None, image) if _IMAGE in picked else (package, None)

    def _version(self, tool: str, where: str) -> Written | None:
        found = written_versions(self.view, tool)
        if not found:
            self.reasons.append(
                f"{where}: nothing in the repository says which {_LABELS[tool]}, and no version is made up. Write it "
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
            f"Which {_LABELS[tool]}",
            tuple(
                Option(written.version, f"{written.version}, as {written.where} says") for written in found
            ),
            frozenset({picked}),
        )
        return known[picked]

    def _package(self, word: Word) -> Iterator[_Change]:
        dockerfile = self.view.dockerfile
        line = dockerfile.line_of(word.span.start)
        written = self._version(word.value, f"line {line}")
        if written:
            edit = Edit(word.span, requirement(word.value, written.version))
            yield _Change(word.value, line, written.version, written, (edit,), piped=False)


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


def _in_place(piped: Piped, text: str) -> tuple[Edit, ...]:
    return (Edit(piped.span, text), *_without_download(piped))


def _copied(dockerfile: Dockerfile, piped: Piped, copy: str) -> tuple[Edit, ...]:
    """The COPY in front of the RUN, or in its place when it did nothing else."""
    gone = [c for c in piped.script.commands if piped.span.covers(c.span)]
    left = piped.script.without([*gone, *piped.removals])
    added = (drop_instruction(dockerfile, piped.added),) if piped.added else ()
    if left is None:
        return (Edit(piped.instruction.span, copy), *added)
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    start = piped.instruction.span.start
    return (Edit(Span(start, start), f"{copy}{newline}"), *left, *added)


def _without_download(piped: Piped) -> Iterator[Edit]:
    if piped.added:
        yield drop_instruction(Dockerfile.parse(piped.script.text), piped.added)
    yield from piped.script.without(piped.removals) or ()


def _without_env_files(view: RepoView, changes: list[_Change]) -> Iterator[Edit]:
    """Sets PATH where a RUN reads the file that uv's installer leaves and the package does not."""
    dockerfile = view.dockerfile
    if not any(change.tool == "uv" and change.piped for change in changes):
        return
    for instruction in dockerfile.instructions:
        script = Script.of(dockerfile, instruction)
        for command in script.commands if script else ():
            file = command.argv[1] if len(command.argv) == 2 and command.name in (".", "source") else ""
            if _ENV_FILE.fullmatch(file) and not (".cargo" in file and "rustup" in dockerfile.text):
                folder = file.removesuffix("/env").replace("~", "$HOME", 1)
                folder += "/bin" if folder.endswith(".cargo") else ""
                yield Edit(command.span, f'export PATH="{folder}:$PATH"')


def _reads_profiles(dockerfile: Dockerfile) -> bool:
    """Whether a login shell runs anywhere: it reads what the installers write into ~/.profile."""
    texts = [instruction.value for instruction in dockerfile.instructions]
    return any(re.search(r"""\b(?:ba|z)?sh\b["',\s]+-[a-z]*[li][a-z]*\b|--login""", text) for text in texts)


def _evidence(view: RepoView, places: list[tuple[str, int]]) -> Iterator[Evidence]:
    return (view.evidence(path, line) for path, line in dict.fromkeys(places))


def _why(changes: list[_Change], reasons: list[str]) -> str:
    parts = []
    if any(change.piped for change in changes):
        parts.append(
            "A script from the network is piped into an interpreter: it installs whatever is newest on the day of the "
            "build or is changed on the server, and a download that fails can pass for an empty script."
        )
    for change in changes:
        source = (
            f"as {change.written.where} says" if change.written else "the version that the installer was told"
        )
        parts.append(f"Line {change.line}: {_LABELS[change.tool]} {change.version}, {source}.")
    if any(change.tool == "poetry" and change.piped for change in changes):
        parts.append(
            "poetry keeps an environment of its own, with nothing but `poetry` in the folder on PATH, as its "
            "installer makes it."
        )
    parts += [f"Left alone, {reason}." for reason in dict.fromkeys(reasons)]
    return "\n\n".join(parts)
