"""Installs dependencies before the code is copied, so that a change of code does not install them again."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from phasewise.model.builds.dockerignore import is_ignored
from phasewise.model.ci.check_requirements_ci import logical_lines
from phasewise.model.debian.apt import is_upkeep
from phasewise.model.dockerfile import Instruction, Stage
from phasewise.model.edits import drop_instruction, insert_after
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python import environments
from phasewise.model.python.installs import Install, installs, origin_of
from phasewise.model.repo import RepoView, normalise
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span, apply_edits
from phasewise.rules.base import Example, Picks, Rule

_METADATA = frozenset(
    {"ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "USER"}
)
_HARMLESS = frozenset(
    {"apk", "apt", "apt-get", "echo", "groupadd", "useradd", "addgroup", "adduser", "mkdir"}
)
_LOCAL = re.compile(
    r"^(\.{1,2}/|\.$|\.\[|/|file:)|^-e\b|^--editable\b|^(-f|--find-links)[ =]*(?!https?:)|@ *(\.|file:)"
)
_NESTED = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]*(\S+)")
_FILES_FROM_VARIABLES = (
    "PIP_CONSTRAINT",
    "PIP_REQUIREMENT",
    "PIP_CONFIG_FILE",
    "PIP_FIND_LINKS",
    "UV_CONSTRAINT",
)
_PROJECTS = {
    "uv": ("sync", "--no-install-project", "uv.lock", (".python-version", "uv.toml")),
    "poetry": ("install", "--no-root", "poetry.lock", ("poetry.toml",)),
}
"""By tool: the verb, the option that leaves the project out, its lock, other files that it reads."""


class _Refusal(Exception):
    """Why a stage is left alone; the message is for the user."""


class DependenciesFirst(Rule):
    """A layer is built again when anything before it changed. Where `COPY . .` stands in front of
    `pip install -r requirements.txt`, every change of code downloads and installs all dependencies again.

    This copies the files that the install reads (included ones too, `-r` and `-c`), installs, and then copies
    the code. An instruction is moved only when nothing that it now follows reads what it brings or writes
    where it writes; anything else is a reason to leave the stage alone. `uv sync` and `poetry install` become two
    steps, the dependencies (`--no-install-project`, `--no-root`) and then the project. `pip install .` and
    `-e .` are left alone: pip cannot install the dependencies of a project without the project.

    Docker's documentation calls it ordering layers ("Optimize cache usage in builds"), uv's "intermediate
    layers". hadolint and BuildKit's own checks have no such rule.
    """

    title = "Install dependencies before copying the code"
    risk = Risk.SAFE
    order = 30

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        moves: list[_Move] = []
        reasons: list[str] = []
        for index in sorted(dockerfile.needed_by(view.stage)):
            try:
                move = _move(view, dockerfile.stages[index])
            except _Refusal as refusal:
                reasons.append(f"stage {dockerfile.stages[index].label}: {refusal}")
            else:
                moves += [move] if move else []
        if not moves:
            return self.declined("; ".join(reasons) or "no code is copied before dependencies are installed")
        after = apply_edits(dockerfile.text, [edit for move in moves for edit in _edits(view, move)])
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(moves),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(
                view.evidence(dockerfile.path, instruction.line)
                for move in moves
                for instruction in (*move.copies, move.last)
            ),
            risk=self.risk,
            predicted=Prediction(
                None, "the image stays as large; a rebuild after a change of code gets shorter"
            ),
        )

    FIRES = (
        Example(
            title="requirements with an included file",
            before="FROM python:3.12-slim\nWORKDIR /app\n# The code\nCOPY . .\n"
            "RUN pip install -r requirements/prod.txt\nCMD python app.py\n",
            after="FROM python:3.12-slim\nWORKDIR /app\n"
            "COPY constraints.txt ./\nCOPY requirements/base.txt requirements/prod.txt requirements/\n"
            "RUN pip install -r requirements/prod.txt\n# The code\nCOPY . .\nCMD python app.py\n",
            files={
                "app.py": "",
                "constraints.txt": "numpy==2.3.5\n",
                "requirements/prod.txt": "-r base.txt\n-c ../constraints.txt\n",
                "requirements/base.txt": "numpy\n",
            },
        ),
        Example(
            title="what stands between and needs no code stays before the install",
            before="FROM python:3.12-slim\nCOPY --chown=app app /srv/app\nCOPY requirements.txt /srv/\n"
            "ENV PIP_NO_CACHE_DIR=1\nRUN apt-get update && apt-get install -y gcc\n"
            "RUN pip install --upgrade pip && pip install -r /srv/requirements.txt\n",
            after="FROM python:3.12-slim\nCOPY requirements.txt /srv/\n"
            "ENV PIP_NO_CACHE_DIR=1\nRUN apt-get update && apt-get install -y gcc\n"
            "RUN pip install --upgrade pip && pip install -r /srv/requirements.txt\n"
            "COPY --chown=app app /srv/app\n",
            files={"app/main.py": "", "requirements.txt": "numpy\n"},
        ),
        Example(
            title="uv in two steps",
            before="FROM python:3.12-slim\nRUN pip install uv==0.9.9\nWORKDIR /app\nCOPY . .\n"
            "RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev\n",
            after="FROM python:3.12-slim\nRUN pip install uv==0.9.9\nWORKDIR /app\n"
            "COPY pyproject.toml uv.lock ./\n"
            "RUN --mount=type=cache,target=/root/.cache/uv uv sync --no-install-project --frozen --no-dev\n"
            "COPY . .\n"
            "RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev\n",
            files={
                ".dockerignore": ".venv\n",
                "pyproject.toml": '[project]\nname = "x"\n[build-system]\nrequires = ["hatchling"]\n',
                "uv.lock": "",
                "x/__init__.py": "",
            },
        ),
        Example(
            title="poetry that leaves the project out already",
            before="FROM python:3.12-slim\nWORKDIR /app\nCOPY . /app\n"
            "RUN pip install poetry && poetry install --no-root\n",
            after="FROM python:3.12-slim\nWORKDIR /app\nCOPY poetry.lock pyproject.toml /app/\n"
            "RUN pip install poetry && poetry install --no-root\nCOPY . /app\n",
            files={"pyproject.toml": '[tool.poetry]\nname = "x"\n', "poetry.lock": "", "x.py": ""},
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\n",
            files={"requirements.txt": "numpy\n", "app.py": ""},
            title="in that order already",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN pip install -e .\n",
            files={"pyproject.toml": '[project]\nname = "x"\n', "src/x.py": ""},
            title="editable: the install reads the code",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN pip install -r requirements.txt\n",
            files={"requirements.txt": "-e ./lib\nnumpy\n", "lib/setup.py": ""},
            title="a requirement that is code",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\nRUN make generate\nRUN pip install -r requirements.txt\n",
            files={"requirements.txt": "numpy\n", "Makefile": ""},
            title="a step between that may read the code",
        ),
        Example(
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN uv sync --frozen\n",
            files={"pyproject.toml": '[project]\nname = "x"\n', "uv.lock": "", "x.py": ""},
            title="a local .venv would be copied over the new one",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Move:
    """What changes in one stage."""

    copies: tuple[Instruction, ...]
    """They bring code, and move behind `last`."""
    last: Instruction
    """The last RUN that installs dependencies."""
    manifests: tuple[tuple[str, str], ...]
    """(path in the build context, folder in the image) of what the installs read and nothing else brings."""
    projects: tuple[tuple[Instruction, Command, str], ...]
    """The commands that get an option to leave the project out, and run again without it behind the code."""


def _move(view: RepoView, stage: Stage) -> _Move | None:
    """What to move in a stage; None when nothing is to be.

    Raises:
        _Refusal: code is copied before an install, and it cannot be told whether that has to be so.
    """
    copies: list[Instruction] = []
    reached: list[Instruction] = []
    manifests: dict[str, str] = {}
    projects: list[tuple[Instruction, Command, str]] = []
    last: Instruction | None = None
    counted = 0
    pip = [install for install in installs(view) if install.instruction.stage == stage.index]
    obstacle = ""
    for instruction in stage.instructions:
        if _brings_code(view, instruction) and not _is_manifest(view, instruction, pip):
            copies.append(instruction)
            continue
        if not copies or instruction.keyword in _METADATA:
            reached.append(instruction)
            continue
        obstacle = obstacle or _obstacle(view, instruction, copies)
        if not _installs_something(view, instruction, pip):
            reached.append(instruction)
            continue
        if obstacle:
            if last is None:
                raise _Refusal(obstacle)
            break
        needed, project = _needs(view, instruction, [i for i in pip if i.instruction is instruction])
        manifests |= needed
        projects += project
        last, counted = instruction, len(copies)
    if last is None:
        return None
    copies = copies[:counted]
    _check_writes(view, copies, last, stage)
    missing = {path: folder for path, folder in manifests.items() if _stays(view, path, folder, last, copies)}
    return _Move(tuple(copies), last, tuple(missing.items()), tuple(projects))


def _brings_code(view: RepoView, instruction: Instruction) -> bool:
    """Whether it copies a folder, or Python files, from the build context."""
    if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from") or instruction.heredocs:
        return False
    for word in view.dockerfile.words(instruction)[:-1]:
        path = view.context_path(view.dockerfile.expand(word.value, instruction) or word.value)
        if (path not in view.paths and "://" not in word.value) or path.endswith(".py"):
            return True
    return False


def _is_manifest(view: RepoView, copy: Instruction, pip: Sequence[Install]) -> bool:
    """Whether a folder holds nothing but lists of requirements: `COPY requirements/ requirements/`."""
    folders = [view.context_path(word.value) for word in view.dockerfile.words(copy)[:-1]]
    below = [path for path in view.paths if any(path.startswith(f"{folder}/") for folder in folders)]
    return bool(below) and all(path.endswith((".txt", ".in", ".lock")) for path in below) and bool(pip)


def _obstacle(view: RepoView, instruction: Instruction, copies: Sequence[Instruction]) -> str:
    """Why the copies must stay in front of `instruction`; empty when they need not."""
    where = f"line {instruction.line}"
    if instruction.keyword == "RUN":
        script = Script.of(view.dockerfile, instruction)
        if script is None or any(flag.name != "mount" for flag in instruction.flags):
            return f"{where} may read the code"
        for command in script.commands:
            if not _is_harmless(command):
                return f"{where} may read the code: {' '.join(command.argv[:4])}"
        return ""
    if instruction.keyword in ("COPY", "ADD"):
        if any(_conflict(view, instruction, copy) for copy in copies):
            return f"{where} copies to where the code goes"
        return ""
    if instruction.keyword == "WORKDIR" and all(_is_absolute(view, copy) for copy in copies):
        return ""
    return f"{where}: {instruction.keyword} stands between the code and the install"


def _is_harmless(command: Command) -> bool:
    """Whether the command reads no file of the application: it installs, or prepares an install."""
    argv = command.argv
    return (
        command.name in _HARMLESS
        or is_upkeep(command)
        or argv[1:3] in (("-m", "venv"), ("-m", "pip"))
        or command.name == "virtualenv"
        or argv[:2] == ("uv", "venv")
        or argv[:2] == ("poetry", "config")
        or _is_install(command)
    )


def _is_install(command: Command) -> bool:
    argv = (command.name, *command.argv[1:])
    return (
        (re.fullmatch(r"pip[\d.]*", argv[0]) is not None and argv[1:2] == ("install",))
        or argv[:3] == ("uv", "pip", "install")
        or _project_tool(command) is not None
    )


def _project_tool(command: Command) -> str | None:
    tool = _PROJECTS.get(command.name)
    return command.name if tool and command.argv[1:2] == (tool[0],) else None


def _installs_something(view: RepoView, instruction: Instruction, pip: Sequence[Install]) -> bool:
    """Whether a RUN installs what files of the repository list."""
    if any(i.instruction is instruction and (i.sources or i.unknown) for i in pip):
        return True
    return any(tool not in _done(view, instruction) for _, tool in _project_commands(view, instruction))


def _project_commands(view: RepoView, instruction: Instruction) -> list[tuple[Command, str]]:
    script = Script.of(view.dockerfile, instruction)
    commands = script.commands if script else ()
    return [(command, tool) for command in commands if (tool := _project_tool(command))]


def _done(view: RepoView, instruction: Instruction) -> frozenset[str]:
    """The tools that installed the dependencies earlier in the stage, without the project."""
    stage = view.dockerfile.stages[instruction.stage or 0]
    earlier = [each for each in stage.instructions if each.span < instruction.span]
    return frozenset(
        tool
        for each in earlier
        for command, tool in _project_commands(view, each)
        if _PROJECTS[tool][1] in command.argv
    )


def _needs(
    view: RepoView, instruction: Instruction, pip: Sequence[Install]
) -> tuple[dict[str, str], list[tuple[Instruction, Command, str]]]:
    """The files that the installs of a RUN read, with their folders in the image; commands to be run twice."""
    variables = view.dockerfile.variables(instruction)
    if name := next((name for name in _FILES_FROM_VARIABLES if name in variables), ""):
        raise _Refusal(f"{name} may name a file of the application")
    workdir = view.dockerfile.workdir(instruction)
    found: dict[str, str] = {}
    for install in pip:
        for source in install.sources:
            if source.is_project:
                raise _Refusal(f"line {instruction.line} installs the project itself, which reads the code")
        values = [
            (s.word.value.partition("=")[2] or s.word.value).removeprefix("-r") for s in install.sources
        ]
        for value in [*values, *install.unknown, *_constraints(install.command)]:
            expanded = view.dockerfile.expand(value, instruction)
            place = posixpath.join(workdir, expanded) if expanded else ""
            for path, folder in _with_nested(view, place, instruction) if place else ():
                found[path] = folder
            if not place:
                raise _Refusal(f"line {instruction.line} installs from {value}, which is not known")
    again = []
    for command, tool in _project_commands(view, instruction):
        files, twice = _project(view, tool, command, workdir, instruction)
        found |= files
        again += [(instruction, command, _PROJECTS[tool][1])] if twice else []
    return found, again


def _constraints(command: Command) -> Iterator[str]:
    """The values of `-c` and `--constraint` of pip and uv pip."""
    for word, following in zip(command.argv, (*command.argv[1:], ""), strict=True):
        if word in ("-c", "--constraint", "--constraints", "--override", "--overrides"):
            yield following
        elif word.startswith(("--constraint=", "--override=")):
            yield word.partition("=")[2]


def _with_nested(view: RepoView, place: str, instruction: Instruction) -> Iterator[tuple[str, str]]:
    """(path in the repository, folder in the image) of a list of requirements and of all that it includes."""
    waiting, seen = [posixpath.normpath(place)], set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        origin = origin_of(view, place, instruction)
        if origin is None or origin.renamed or origin.path not in view.files:
            raise _Refusal(
                f"line {instruction.line} installs from {place}, which is not a file of the repository"
            )
        yield origin.path, posixpath.dirname(place)
        text = view.files[origin.path]
        if origin.path.endswith(".toml"):
            if "dynamic" in _toml(text).get("project", {"dynamic": ""}):
                raise _Refusal(f"{origin.path} computes its dependencies from the code")
            continue
        for _, line in logical_lines(text):
            nested = _NESTED.match(line)
            if nested and "://" not in nested[1]:
                waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(place), nested[1])))
            elif _LOCAL.search(line):
                raise _Refusal(f"{origin.path} lists something that is code: {line}")


def _project(
    view: RepoView, tool: str, command: Command, workdir: str, instruction: Instruction
) -> tuple[dict[str, str], bool]:
    """What `uv sync` or `poetry install` reads besides the code, and whether it installs the project too."""
    _, option, lock, others = _PROJECTS[tool]
    if {"--project", "--directory", "-C", "-P"} & {word.partition("=")[0] for word in command.argv}:
        raise _Refusal(f"line {instruction.line} installs a project that is elsewhere")
    found: dict[str, str] = {}
    for name in ("pyproject.toml", lock, *others):
        origin = origin_of(view, posixpath.join(workdir, name), instruction)
        if origin:
            found[origin.path] = workdir
        elif name not in others:
            raise _Refusal(f"{tool} has no {name} in the build context")
    text = next(view.files[path] for path in found if path.endswith("pyproject.toml"))
    settings = _toml(text)
    if re.search(r"\b(path|workspace)\s*=|\[tool\.uv\.workspace\]", text):
        raise _Refusal(f"{tool} installs other projects of the repository, too")
    options = {option, "--no-install-workspace", "--no-install-local"}
    packaged = "build-system" in settings if tool == "uv" else _poetry_mode(settings)
    return found, packaged and not options & set(command.argv)


def _poetry_mode(settings: dict[str, Any]) -> bool:
    return settings.get("tool", {}).get("poetry", {}).get("package-mode", True) is not False


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _Refusal("pyproject.toml cannot be read") from error


def _check_writes(view: RepoView, copies: Sequence[Instruction], last: Instruction, stage: Stage) -> None:
    """Refuses where an install writes below a folder that the code is copied to, and the copy may hold that too."""
    ignored = view.files.get(f"{view.target.dockerfile}.dockerignore") or view.files.get(
        view.context_path(".dockerignore"), ""
    )
    for install in environments.installs(view.dockerfile, stage):
        for copy in copies:
            target = _target(view, copy)
            inside = posixpath.relpath(install.environment, target)
            if install.instruction.span > last.span or inside.startswith("..") or target == "/":
                continue
            if not is_ignored(ignored, inside):
                raise _Refusal(
                    f"{install.environment} lies where the code goes, and .dockerignore does not keep {inside} out"
                )
    for copy in copies:
        between = [
            i for i in stage.instructions if copy.span < i.span < last.span and i.keyword in ("ENV", "ARG")
        ]
        if between and "$" in copy.value:
            raise _Refusal(f"line {copy.line} copies to a place that a later {between[0].keyword} may change")


def _stays(view: RepoView, path: str, folder: str, last: Instruction, copies: Sequence[Instruction]) -> bool:
    """Whether a file has to be copied of its own: only the moved copies bring it."""
    origin = origin_of(view, posixpath.join(folder, posixpath.basename(path)), last)
    if origin and origin.named and not any(copy.span.covers(origin.named) for copy in copies):
        return False
    stage = view.dockerfile.stages[last.stage or 0]
    for each in stage.instructions:
        if each.keyword == "COPY" and each not in copies and each.span < last.span and not each.flag("from"):
            for word in view.dockerfile.words(each)[:-1]:
                source = view.context_path(word.value)
                brought = path == source or path.startswith(f"{source}/")
                if brought and _overlap(_target(view, each), folder):
                    return False
    return True


def _target(view: RepoView, copy: Instruction) -> str:
    """The absolute path that a COPY writes to or below."""
    words = view.dockerfile.words(copy)
    last = view.dockerfile.expand(words[-1].value, copy) or words[-1].value
    return posixpath.normpath(posixpath.join(view.dockerfile.workdir(copy), last))


def _overlap(one: str, other: str) -> bool:
    below = one == other or one.startswith(f"{other.rstrip('/')}/")
    return below or other.startswith(f"{one.rstrip('/')}/")


def _conflict(view: RepoView, one: Instruction, other: Instruction) -> bool:
    """Whether two copies may write the same file, so that their order matters."""
    files, others = _brought(view, one), _brought(view, other)
    if files is None or others is None:
        return _overlap(_target(view, one), _target(view, other))
    return bool(files & others)


def _brought(view: RepoView, copy: Instruction) -> frozenset[str] | None:
    """The paths in the image that a COPY writes, as far as tracked files go; None where that is not known."""
    if copy.flag("from") or copy.heredocs or copy.keyword == "ADD":
        return None
    target = _target(view, copy)
    words = view.dockerfile.words(copy)
    found: set[str] = set()
    for word in words[:-1]:
        source = view.context_path(view.dockerfile.expand(word.value, copy) or word.value)
        if source in view.paths:
            into = words[-1].value.endswith(("/", ".")) or len(words) > 2
            found.add(posixpath.join(target, posixpath.basename(source)) if into else target)
            continue
        inside = [path for path in view.paths if source == "." or path.startswith(f"{source}/")]
        if not inside:
            return None
        found |= {
            posixpath.normpath(posixpath.join(target, posixpath.relpath(path, source))) for path in inside
        }
    return frozenset(found)


def _is_absolute(view: RepoView, copy: Instruction) -> bool:
    return view.dockerfile.words(copy)[-1].value.startswith("/")


def _edits(view: RepoView, move: _Move) -> Iterator[Edit]:
    """The copies of the lists in place of the first copy of code, that copy and the others behind the installs."""
    dockerfile = view.dockerfile
    text = dockerfile.text
    first = move.copies[0]
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = "".join(f"{line}{newline}" for line in _manifest_lines(view, move))
    moved = ""
    for copy in move.copies:
        span = dockerfile.lines(copy)
        moved += span.of(text)
        dropped = drop_instruction(dockerfile, copy)
        yield Edit(span if copy is first and lines else dropped.span, lines if copy is first else "")
    for instruction, command, option in move.projects:
        verb = command.words[1].span
        yield Edit(Span(verb.end, verb.end), f" {option}")
        flags = "".join(f"{flag.span.of(text)} " for flag in instruction.flags)
        moved += f"RUN {flags}{command.span.of(text)}{newline}"
    yield insert_after(dockerfile, move.last, moved.replace("\r\n", "\n"))


def _manifest_lines(view: RepoView, move: _Move) -> Iterator[str]:
    """A COPY for each folder of lists, with the flags of the first copy of code."""
    first = move.copies[0]
    workdir = view.dockerfile.workdir(first)
    context = view.context_path(".")
    flags = "".join(
        f"{flag.span.of(view.dockerfile.text)} "
        for flag in first.flags
        if flag.name in ("chown", "chmod", "link")
    )
    by_folder: dict[str, list[str]] = {}
    for path, folder in sorted(move.manifests):
        relative = path if context == "." else posixpath.relpath(path, context)
        by_folder.setdefault(folder, []).append(relative)
    for folder, paths in by_folder.items():
        inside = posixpath.relpath(folder, workdir)
        outside = inside.startswith("..") or _is_absolute(view, first)
        target = f"{folder.rstrip('/')}/" if outside else f"{normalise(inside)}/"
        yield f"COPY {flags}{' '.join(paths)} {target}"


def _why(moves: Sequence[_Move]) -> str:
    parts = [
        "Code is copied before the dependencies are installed. A layer is built again when one before it changed, "
        "so every change of code downloads and installs all dependencies again.",
        "What the install reads is copied first, then the dependencies are installed, then the code is copied. "
        "Nothing between them reads the code or writes where it goes.",
    ]
    if any(move.projects for move in moves):
        parts.append("The project itself is installed in a second, short step behind the code.")
    return "\n\n".join(parts)
