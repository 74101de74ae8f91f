"""What to write in place of a piped installer, so that the tool stands where the installer would put it."""

from __future__ import annotations

import re
from posixpath import dirname, normpath

from packaging.version import InvalidVersion, Version

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.python.piped_installers import Piped
from phasewise.model.shell import Script
from phasewise.model.stages.common_ground import python_image
from phasewise.model.text import Edit, Span

_HOME = re.compile(r"^(?:\$HOME|\$\{HOME\}|~)(?=/|$)")
_LEFT_THE_CARGO_FOLDER = Version("0.5.0")
"""The first uv whose installer puts it in ~/.local/bin; before, it was ~/.cargo/bin."""
_MIRRORS = ("UV_INSTALLER_", "UV_DOWNLOAD", "INSTALLER_DOWNLOAD")
_PIP_SETTINGS = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_REQUIRE_VIRTUALENV",
    "PYTHONUSERBASE",
)
_QUIET_OPTIONS = frozenset({"-q", "--quiet", "-v", "--verbose", "--no-modify-path", "-y", "--yes"})
_EXACT_TOOLCHAIN = re.compile(r"\d+\.\d+.*|(nightly|beta)-\d{4}-\d\d-\d\d.*|none|.*\$.*")


def home(dockerfile: Dockerfile, instruction: Instruction) -> str | None:
    """The home of the user that a RUN runs as; None where only the image knows it."""
    known = dockerfile.variables(instruction).get("HOME")
    return known or ("/root" if dockerfile.runs_as_root(instruction) else None)


def uv_folder(dockerfile: Dockerfile, piped: Piped, version: str) -> str | None:
    """The folder that the installer puts `uv` and `uvx` in, absolute or in `~`; None where that is not known.

    Source: the installer's documentation, and where its older versions put it.
    """
    instruction = piped.instruction
    own = home(dockerfile, instruction)
    settings = {**dockerfile.variables(instruction), **piped.environment}
    if any(name.startswith(_MIRRORS) for name in settings) or set(piped.options) - _QUIET_OPTIONS:
        return None
    folder = next(
        (settings[n] for n in ("UV_UNMANAGED_INSTALL", "UV_INSTALL_DIR", "XDG_BIN_HOME") if settings.get(n)),
        "",
    )
    if not folder and settings.get("XDG_DATA_HOME"):
        folder = f"{settings['XDG_DATA_HOME']}/../bin"
    if not folder:
        folder = "~/.cargo/bin" if _is_in_cargo(dockerfile.text, piped, version) else "~/.local/bin"
    if own:
        folder = _HOME.sub(own, folder)
    folder = dockerfile.expand(folder, instruction) or folder
    return normpath(folder) if folder[0] in "/~" and "$" not in folder else None


def _is_in_cargo(text: str, piped: Piped, version: str) -> bool:
    """Whether uv is expected in ~/.cargo/bin: an old version says so, or the Dockerfile knows no other place."""
    if piped.version:
        try:
            return Version(version) < _LEFT_THE_CARGO_FOLDER
        except InvalidVersion:
            return False
    return ".cargo/bin" in text and ".local/bin" not in text and "rustup" not in text


def uv_by_pip(dockerfile: Dockerfile, piped: Piped, version: str) -> str | None:
    """`pip install ... uv==X` that puts uv in the installer's folder; None where pip cannot."""
    instruction = piped.instruction
    folder = uv_folder(dockerfile, piped, version)
    variables = dockerfile.variables(instruction)
    stage = dockerfile.stages[instruction.stage or 0]
    if python_image(dockerfile, stage) is None or folder is None or set(_PIP_SETTINGS) & set(variables):
        return None
    if folder == f"{home(dockerfile, instruction) or '~'}/.local/bin" and "PYTHONNOUSERSITE" not in variables:
        where = " --user"
    elif folder == "/usr/local/bin":
        where = ""
    elif folder.startswith("/") and folder.endswith("/bin") and folder not in ("/bin", "/usr/bin"):
        where = f" --prefix={dirname(folder)}"
    else:
        return None
    pip = "/usr/local/bin/pip" if _has_environment(dockerfile, piped.script, folder) else "pip"
    return f"{pip} install --no-cache-dir{where} {requirement('uv', version)}"


def uv_from_image(dockerfile: Dockerfile, piped: Piped, version: str) -> str | None:
    """`COPY --from=` uv's own image into the installer's folder; None where the version or the folder is not known."""
    exact = dockerfile.expand(version, piped.instruction)
    folder = uv_folder(dockerfile, piped, version)
    if folder is None or not folder.startswith("/") or not exact or "$" in exact:
        return None
    return f"COPY --from=ghcr.io/astral-sh/uv:{exact} /uv /uvx {folder}/"


def poetry_by_pip(dockerfile: Dockerfile, piped: Piped, version: str) -> str | None:
    """The commands that make poetry's own environment as the installer does; None where it is told something else.

    `bin` holds poetry alone: were it the environment's, its `python` and `pip` would come first on PATH.
    """
    instruction = piped.instruction
    settings = {**dockerfile.variables(instruction), **piped.environment}
    stage = dockerfile.stages[instruction.stage or 0]
    if python_image(dockerfile, stage) is None or poetry_version(dockerfile, piped) is None:
        return None
    if settings.get("XDG_DATA_HOME"):
        return None
    own = home(dockerfile, instruction) or "~"
    place = settings.get("POETRY_HOME")
    place = _HOME.sub(own, place).rstrip("/") if place else None
    environment = f"{place}/venv" if place else f"{own}/.local/share/pypoetry/venv"
    folder = f"{place}/bin" if place else f"{own}/.local/bin"
    if "$" in environment or environment[0] not in "/~":
        return None
    gap = f" && {_continuation(dockerfile, piped.script)}    "
    return gap.join(
        [
            f"{piped.interpreter} -m venv {environment}",
            f"{environment}/bin/pip install --no-cache-dir {requirement('poetry', version)}",
            f"mkdir -p {folder} && ln -s {environment}/bin/poetry {folder}/poetry",
        ]
    )


def poetry_version(dockerfile: Dockerfile, piped: Piped) -> str | None:
    """The version that the installer is told, empty for none; None where it is told something else, too."""
    options = list(piped.options)
    version = piped.environment.get("POETRY_VERSION", "")
    if not version and dockerfile.variables(piped.instruction).get("POETRY_VERSION"):
        version = "$POETRY_VERSION"
    while options:
        name, _, value = options.pop(0).partition("=")
        if name == "--version":
            version = value or (options.pop(0) if options else "")
        elif name not in _QUIET_OPTIONS:
            return None
    return version


def rust_toolchain(piped: Piped) -> str | None:
    """The exact toolchain that rustup is told; empty for a moving one or none, None for what is not understood."""
    options = list(piped.options)
    for index, word in enumerate(options):
        name, _, value = word.partition("=")
        if name == "--default-toolchain":
            value = value or (options[index + 1] if index + 1 < len(options) else "")
            return value if _EXACT_TOOLCHAIN.fullmatch(value) else ""
    return (
        ""
        if {"-y", "--yes"} & set(options) or any(re.fullmatch("-[a-z]*y[a-z]*", o) for o in options)
        else None
    )


def rust_edit(dockerfile: Dockerfile, piped: Piped, version: str) -> Edit:
    """Gives rustup the toolchain, in place of the moving one or behind its other options."""
    end = piped.options_end
    text = piped.span.of(dockerfile.text)
    moving = re.search(r"--default-toolchain[= ]+\S+", text)
    if moving:
        start = piped.span.start + moving.start()
        return Edit(Span(start, start + len(moving[0])), f"--default-toolchain {version}")
    return Edit(Span(end, end), f" --default-toolchain {version}")


def requirement(tool: str, version: str) -> str:
    """`uv==0.9.9`; quoted where the version is a variable."""
    text = f"{tool}=={version}"
    return f'"{text}"' if "$" in text else text


def _has_environment(dockerfile: Dockerfile, script: Script, folder: str) -> bool:
    """Whether another folder may come before /usr/local/bin on PATH, so that `pip` is another one."""
    path = dockerfile.variables(script.instruction).get("PATH", "").partition("/usr/local/bin")[0]
    entries = {entry for entry in path.split(":") if entry and "PATH" not in entry}
    activated = any(
        word.endswith("/activate") for c in script.commands for word in c.argv if c.name in (".", "source")
    )
    return activated or any(
        entry != folder and not entry.endswith((".local/bin", ".cargo/bin")) for entry in entries
    )


def _continuation(dockerfile: Dockerfile, script: Script) -> str:
    newline = "\r\n" if "\r\n" in dockerfile.text else "\n"
    heredoc = "\n" in script.source.value
    return f"{chr(92) if heredoc else dockerfile.escape}{newline}"
