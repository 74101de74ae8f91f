"""Keeps what pip, uv, poetry, npm and apt download from build to build, in cache mounts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from phasewise.model.dockerfile import Instruction, Word
from phasewise.model.edits import drop_word
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.text import Edit, Span, apply_edits
from phasewise.rules.base import Example, Picks, Rule

_DOCKER_CLEAN = "/etc/apt/apt.conf.d/docker-clean"
_APT_CACHES = ("/var/cache/apt", "/var/lib/apt/lists")
_NO_CACHE = frozenset({"--no-cache-dir", "--no-cache"})
_LINTS = re.compile(r"\bhadolint\b")
_LINTING_FILES = re.compile(
    r"(^|/)(\.hadolint\.ya?ml|\.pre-commit-config\.ya?ml|Makefile|\.github/workflows/[^/]+)$"
)
_PRAGMA = re.compile(r"#\s*hadolint\s+ignore=(?P<codes>[\w, ]+)")


@dataclass(frozen=True, slots=True)
class _Tool:
    """Where a tool keeps its downloads."""

    variable: str
    """The variable that moves the folder."""
    folder: str
    """Relative to the user's home."""
    parts: tuple[str, ...] = ("",)
    """What is mounted of it. Poetry keeps environments in the same folder, which must not vanish."""
    off: str = ""
    """The variable that switches the cache off."""
    cleaning: tuple[tuple[str, ...], ...] = ()


_TOOLS = {
    "pip": _Tool("PIP_CACHE_DIR", ".cache/pip", off="PIP_NO_CACHE_DIR", cleaning=(("pip", "cache"),)),
    "uv": _Tool("UV_CACHE_DIR", ".cache/uv", off="UV_NO_CACHE", cleaning=(("uv", "cache"),)),
    "poetry": _Tool(
        "POETRY_CACHE_DIR", ".cache/pypoetry", ("cache", "artifacts"), cleaning=(("poetry", "cache"),)
    ),
    "npm": _Tool("npm_config_cache", ".npm", cleaning=(("npm", "cache"),)),
}


class CacheMounts(Rule):
    """`--no-cache-dir` keeps downloads out of the image, and throws them away: whenever a requirement changes,
    all packages are downloaded again. A cache mount keeps them out of the image and beside it.

    It saves downloading, not bytes of the image. What switches the cache off goes (`--no-cache-dir`; a
    PIP_NO_CACHE_DIR of the image stays and is emptied for the command alone), and so does what would empty
    it: `rm -rf /var/lib/apt/lists/*` inside a mounted directory cleans the cache. For apt, the official
    images' docker-clean removes every downloaded package, so it has to go; two builds must not write to the
    cache at once (`sharing=locked`); and only the lists are mounted of /var/lib/apt, since the rest says which
    packages were installed automatically. A mount belongs to root by default, and so do
    the folders on the way to it: other users get their id, and a folder outside of their home. Poetry
    keeps environments in its cache folder; only its downloads are mounted.

    Source: Dockerfile reference, `RUN --mount=type=cache`. hadolint's DL3042 (`--no-cache-dir`) and DL3009 (apt
    lists) ask for the opposite; where the repository lints with hadolint, they are ignored on the line. BuildKit's
    own checks have no such rule.
    """

    title = "Keep downloads in cache mounts"
    risk = Risk.CHECK
    order = 60

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        needed = dockerfile.needed_by(view.stage)
        apt = _lists_are_fetched_where_used(view)
        plans = [
            plan
            for instruction in dockerfile.instructions
            if instruction.keyword == "RUN" and instruction.stage in needed
            if (plan := _plan(view, instruction, apt))
        ]
        changing = [plan for plan in plans if plan.edits]
        if not changing:
            reasons = dict.fromkeys(reason for plan in plans for reason in plan.reasons)
            return self.declined("; ".join(reasons) or "nothing is downloaded without a cache mount")
        edits = [edit for plan in changing for edit in plan.edits]
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(changing),
            edits=(FileEdit(dockerfile.path, dockerfile.text, apply_edits(dockerfile.text, edits)),),
            evidence=tuple(view.evidence(dockerfile.path, plan.instruction.line) for plan in changing),
            risk=self.risk,
            predicted=Prediction(None, "a cache mount saves downloads, not bytes of the image"),
            costs=_costs(changing),
        )

    FIRES = (
        Example(
            title="pip",
            before="FROM python:3.12-slim\nCOPY requirements.txt .\n"
            "RUN pip install --no-cache-dir -r requirements.txt\n",
            after="FROM python:3.12-slim\nCOPY requirements.txt .\n"
            "RUN --mount=type=cache,target=/root/.cache/pip \\\n    pip install -r requirements.txt\n",
        ),
        Example(
            title="apt: docker-clean and the cleaning go",
            before="FROM python:3.12-slim\nRUN apt-get update \\\n    && apt-get install -y curl \\\n"
            "    && rm -rf /var/lib/apt/lists/*\n",
            after="FROM python:3.12-slim\nRUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
            "    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \\\n"
            "    rm -f /etc/apt/apt.conf.d/docker-clean \\\n    && apt-get update \\\n"
            "    && apt-get install -y curl\n",
        ),
        Example(
            title="a cache that empties itself, in a heredoc",
            before="FROM python:3.12-slim\n"
            "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
            "    --mount=type=cache,target=/var/lib/apt,sharing=locked <<EOF\nset -e\napt-get update\n"
            "apt-get install -y git\nrm -rf /var/lib/apt/lists/*\nEOF\n",
            after="FROM python:3.12-slim\n"
            "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
            "    --mount=type=cache,target=/var/lib/apt,sharing=locked <<EOF\nset -e\n"
            "rm -f /etc/apt/apt.conf.d/docker-clean\napt-get update\napt-get install -y git\nEOF\n",
        ),
        Example(
            title="another user, whose id is known",
            before="FROM python:3.12-slim\nRUN useradd --uid 1001 --create-home app\nUSER app\n"
            "RUN pip install idna\n",
            after="FROM python:3.12-slim\nRUN useradd --uid 1001 --create-home app\nUSER app\n"
            "RUN --mount=type=cache,target=/var/cache/pip,uid=1001,gid=1001 \\\n"
            "    PIP_CACHE_DIR=/var/cache/pip pip install idna\n",
        ),
        Example(
            title="a variable of the image stays, and is empty for the command; hadolint is told",
            before="FROM python:3.12-slim\nENV PIP_NO_CACHE_DIR=1\n# hadolint ignore=DL3013\nRUN pip install idna\n",
            after="FROM python:3.12-slim\nENV PIP_NO_CACHE_DIR=1\n# hadolint ignore=DL3013,DL3042\n"
            "RUN --mount=type=cache,target=/root/.cache/pip \\\n    PIP_NO_CACHE_DIR= pip install idna\n",
            files={".hadolint.yaml": "failure-threshold: info\n"},
        ),
        Example(
            title="poetry's environments stay in the image; npm",
            before="FROM node:22-slim AS web\nRUN npm ci\nFROM python:3.12-slim\n"
            "COPY --from=web /dist /dist\nRUN poetry install --no-root --no-cache\n",
            after="FROM node:22-slim AS web\nRUN --mount=type=cache,target=/root/.npm \\\n    npm ci\n"
            "FROM python:3.12-slim\nCOPY --from=web /dist /dist\n"
            "RUN --mount=type=cache,target=/root/.cache/pypoetry/cache \\\n"
            "    --mount=type=cache,target=/root/.cache/pypoetry/artifacts \\\n"
            "    poetry install --no-root\n",
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN --mount=type=cache,target=/root/.cache/pip pip install idna\n",
            title="mounted already",
        ),
        Example(
            "FROM python:3.12-slim\nRUN apt-get update\nRUN apt-get install -y git\n",
            title="lists of another RUN",
        ),
        Example(
            "FROM python:3.12-slim\nUSER app\nRUN pip install --no-cache-dir idna\n",
            title="a user whose id is not known",
        ),
        Example('FROM python:3.12-slim\nRUN ["pip", "install", "idna"]\n', title="exec form"),
        Example("FROM alpine\nCOPY . .\n", title="nothing is downloaded"),
    )


@dataclass(frozen=True, slots=True)
class _Folders:
    """Where a tool keeps its downloads."""

    targets: tuple[str, ...]
    options: str
    """Of the mount: the owner."""
    assignment: str
    """What tells the tool, in front of its command."""


@dataclass(slots=True)
class _Plan:
    """What changes in one RUN."""

    instruction: Instruction
    tools: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def _plan(view: RepoView, instruction: Instruction, apt: bool) -> _Plan | None:
    """The edits of one RUN; None where it downloads nothing that could be kept."""
    script = Script.of(view.dockerfile, instruction)
    if script is None or script.tree is None or instruction.flag("network") == "none":
        return None
    plan = _Plan(instruction)
    targets: list[str] = []
    calls: dict[str, list[Command]] = {}
    for command in script.commands:
        if tool := _tool(command):
            calls.setdefault(tool, []).append(command)
    for tool, commands in calls.items():
        folders = _folders(view, instruction, tool, commands)
        if folders is None:
            plan.reasons.append(f"line {instruction.line}: the id of its user is not known")
            continue
        plan.tools.append(tool)
        targets += folders.targets
        plan.mounts += [
            f"--mount=type=cache,target={target}{folders.options}"
            for target in folders.targets
            if not _mounted(view, instruction, target)
        ]
        plan.edits += _switched_on(view, instruction, tool, commands, folders.assignment)
    if apt and _installs_packages(script):
        plan.tools.append("apt")
        targets += _APT_CACHES
        plan.mounts += [
            f"--mount=type=cache,target={target},sharing=locked"
            for target in _APT_CACHES
            if not _mounted(view, instruction, target)
        ]
        plan.edits += _without_docker_clean(view, instruction, script)
    if not plan.tools:
        return plan if plan.reasons else None
    plan.edits += _without_cleaning(view, instruction, script, targets, plan.tools)
    if _conflicting(plan.edits):
        return _Plan(instruction, reasons=[f"line {instruction.line}: its cleaning cannot be taken apart"])
    if plan.mounts:
        place = instruction.arguments.start
        newline = "\r\n" if "\r\n" in view.dockerfile.text else "\n"
        lines = "".join(f"{mount} {view.dockerfile.escape}{newline}    " for mount in plan.mounts)
        plan.edits.insert(0, Edit(Span(place, place), lines))
    if plan.edits:
        plan.edits += _pragma(view, instruction, plan.tools)
    return plan


def _conflicting(edits: Sequence[Edit]) -> bool:
    spans = sorted(edit.span for edit in edits)
    return any(one.end > other.start for one, other in pairwise(spans))


def _tool(command: Command) -> str | None:
    """The tool that downloads packages in this command."""
    argv = (command.name, *command.argv[1:])
    if re.fullmatch(r"python[\d.]*", argv[0]) and argv[1:3] == ("-m", "pip"):
        argv = argv[2:]
    match argv:
        case [pip, "install" | "wheel" | "download", *_] if re.fullmatch(r"pip[\d.]*", pip):
            return "pip"
        case ["uv", "sync", *_] | ["uv", "pip", "install" | "sync", *_]:
            return "uv"
        case ["poetry", "install" | "sync", *_]:
            return "poetry"
        case ["npm", "ci" | "install" | "i", *_]:
            return "npm"
    return None


def _folders(
    view: RepoView, instruction: Instruction, name: str, commands: Sequence[Command]
) -> _Folders | None:
    """Where the tool keeps its downloads in this RUN; None where the user's id is not known.

    Another user than root gets a folder outside of its home: what a mount creates on the way to its target belongs
    to root, and a home with a `.cache` that its user cannot write to would stay in the image.
    """
    tool = _TOOLS[name]
    variables = view.dockerfile.variables(instruction) | dict(commands[0].assignments)
    user = view.dockerfile.user(instruction).partition(":")[0]
    base = variables.get(tool.variable, "")
    options = assignment = ""
    if user in ("", "root", "0"):
        base = base or posixpath.join(variables.get("HOME", "/root"), tool.folder)
    else:
        uid = user if user.isdigit() else _uid(view, instruction, user)
        if uid is None or (tool.parts != ("",) and not base):
            return None
        options = f",uid={uid},gid={uid}"
        if not base:
            base = posixpath.join("/var/cache", posixpath.basename(tool.folder).removeprefix("."))
            assignment = f"{tool.variable}={base} "
    if not base.startswith("/") or "$" in base:
        return None
    targets = tuple(posixpath.normpath(posixpath.join(base, part)) for part in tool.parts)
    return _Folders(targets, options, assignment)


def _uid(view: RepoView, instruction: Instruction, user: str) -> str | None:
    """The numeric id that `useradd --uid` gave the user in this Dockerfile."""
    for stage in view.dockerfile.lineage(view.dockerfile.stages[instruction.stage or 0]):
        for each in stage.instructions:
            script = Script.of(view.dockerfile, each) if each.keyword == "RUN" else None
            for command in script.commands if script else ():
                if command.name not in ("useradd", "adduser") or user not in command.argv:
                    continue
                for word, following in zip(command.argv, (*command.argv[1:], ""), strict=True):
                    if word in ("-u", "--uid") and following.isdigit():
                        return following
                    if word.startswith("--uid=") and word[6:].isdigit():
                        return word[6:]
    return None


def _mounted(view: RepoView, instruction: Instruction, target: str) -> bool:
    """Whether the RUN mounts a cache at `target` or above it already."""
    for mount in instruction.flags_named("mount"):
        options = dict(part.partition("=")[::2] for part in mount.split(","))
        place = options.get("target") or options.get("dst") or options.get("destination") or ""
        place = (view.dockerfile.expand(place, instruction) or place).rstrip("/")
        if place and f"{target}/".startswith(f"{place}/"):
            return True
    return False


def _switched_on(
    view: RepoView, instruction: Instruction, name: str, commands: Sequence[Command], assignment: str
) -> Iterator[Edit]:
    """Takes out what switches the tool's cache off, and tells it where the cache is."""
    off = _TOOLS[name].off
    variables = view.dockerfile.variables(instruction)
    for command in commands:
        for word in command.words:
            if word.value in _NO_CACHE:
                yield drop_word(view.dockerfile.text, word.span)
        assigned = dict(command.assignments)
        emptied = f"{off}= " if off and variables.get(off) and off not in assigned else ""
        if emptied or assignment:
            start = command.span.start
            yield Edit(Span(start, start), f"{emptied}{assignment}")


def _installs_packages(script: Script) -> bool:
    """Whether apt-get fetches the lists and installs in this RUN; `apt` is left alone, it deletes what it fetched."""
    verbs = [set(command.argv) for command in script.commands if command.name == "apt-get"]
    return any("update" in words for words in verbs) and any("install" in words for words in verbs)


def _lists_are_fetched_where_used(view: RepoView) -> bool:
    """Whether each RUN that installs packages fetches the lists itself: a mount hides those of other RUNs."""
    for instruction in view.dockerfile.instructions:
        script = Script.of(view.dockerfile, instruction) if instruction.keyword == "RUN" else None
        apt = [c for c in (script.commands if script else ()) if c.name in ("apt-get", "apt", "aptitude")]
        words = {word for command in apt for word in command.argv}
        if words & {"install", "build-dep", "upgrade", "dist-upgrade"} and "update" not in words:
            return False
    return True


def _without_docker_clean(view: RepoView, instruction: Instruction, script: Script) -> Iterator[Edit]:
    """Removes docker-clean in front of the first apt-get, unless that is done."""
    stage = view.dockerfile.stages[instruction.stage or 0]
    for ancestor in view.dockerfile.lineage(stage):
        for each in ancestor.instructions:
            if each.keyword != "RUN" or each.span > instruction.span:
                continue
            bodies = "".join(heredoc.body.of(view.dockerfile.text) for heredoc in each.heredocs)
            earlier = Script.of(view.dockerfile, each) if each.span < instruction.span else None
            if "docker-clean" in each.value + bodies or (earlier and _installs_packages(earlier)):
                return
    text = view.dockerfile.text
    first = next(command for command in script.commands if command.name == "apt-get")
    start = first.span.start
    if first.condition or text[:start].rstrip().endswith("!"):
        start = instruction.heredocs[0].body.start if instruction.heredocs else instruction.arguments.start
    newline = "\r\n" if "\r\n" in text else "\n"
    in_heredoc = any(heredoc.body.start <= start < heredoc.body.end for heredoc in instruction.heredocs)
    line_start = text.rfind("\n", 0, start) + 1
    if in_heredoc and not text[line_start:start].strip():
        between = f"{newline}{text[line_start:start]}"
    else:
        between = " && " if in_heredoc else f" {view.dockerfile.escape}{newline}    && "
    yield Edit(Span(start, start), f"rm -f {_DOCKER_CLEAN}{between}")


def _without_cleaning(
    view: RepoView, instruction: Instruction, script: Script, targets: Sequence[str], tools: Sequence[str]
) -> Iterator[Edit]:
    """Takes out what would empty the caches: words of `rm`, whole commands where nothing else is left."""
    gone: list[Command] = []
    for command in script.commands:
        argv = (command.name, *command.argv[1:])
        cleaning = [words for tool in tools if tool in _TOOLS for words in _TOOLS[tool].cleaning]
        if any(argv[: len(words)] == words for words in cleaning) or (
            "apt" in tools and argv[0] == "apt-get" and {"clean", "autoclean"} & set(argv[1:])
        ):
            gone.append(command)
        elif argv[0] == "rm":
            paths = [word for word in command.words[1:] if not word.value.startswith("-")]
            inside = [word for word in paths if _empties(view, instruction, word, targets)]
            if inside and len(inside) == len(paths):
                gone.append(command)
            else:
                yield from (drop_word(view.dockerfile.text, word.span) for word in inside)
    yield from script.without(gone) or ()


def _empties(view: RepoView, instruction: Instruction, word: Word, targets: Sequence[str]) -> bool:
    """Whether removing a path empties one of the mounted folders, or fails because it is mounted."""
    home = view.dockerfile.variables(instruction).get("HOME", "/root")
    value = re.sub(r"^(~|\$HOME|\$\{HOME\})(?=/)", home, word.value)
    path = re.sub(r"/\*+$", "", view.dockerfile.expand(value, instruction) or value).rstrip("/")
    if path == "/root" or path.count("/") < 2:
        return False
    return any(
        f"{path}/".startswith(f"{target}/") or f"{target}/".startswith(f"{path}/") for target in targets
    )


def _pragma(view: RepoView, instruction: Instruction, tools: Sequence[str]) -> Iterator[Edit]:
    """Tells hadolint, where the repository lints with it, that the cache is meant."""
    settings = [path for path in view.paths if _LINTING_FILES.search(path)]
    texts = {path: view.files.get(path, "") for path in settings}
    if not any(".hadolint" in path or _LINTS.search(text) for path, text in texts.items()):
        return
    ignored = "".join(text for path, text in texts.items() if ".hadolint" in path)
    wanted = [code for tool, code in (("pip", "DL3042"), ("apt", "DL3009")) if tool in tools]
    codes = [code for code in wanted if code not in ignored]
    text = view.dockerfile.text
    for comment in instruction.comments:
        if match := _PRAGMA.match(comment.span.of(text)):
            missing = [code for code in codes if code not in match["codes"]]
            end = comment.span.start + match.end()
            if missing:
                yield Edit(Span(end, end), "," + ",".join(missing))
            return
    if codes:
        newline = "\r\n" if "\r\n" in text else "\n"
        start = instruction.span.start
        yield Edit(Span(start, start), f"# hadolint ignore={','.join(codes)}{newline}")


def _why(plans: Sequence[_Plan]) -> str:
    tools = ", ".join(dict.fromkeys(tool for plan in plans for tool in plan.tools))
    parts = [
        f"What {tools} downloads is thrown away after each build, and downloaded again whenever the step runs. In a "
        "cache mount it stays on the machine that builds, and out of the image.",
    ]
    if any(not plan.mounts for plan in plans):
        parts.append("A mount that is there already is emptied, or not used, by the very step that has it.")
    parts.append(
        "This speeds up machines that keep their caches: a runner that starts empty each time gains nothing, and loses "
        "nothing."
    )
    return "\n\n".join(parts)


def _costs(plans: Sequence[_Plan]) -> str:
    if any("apt" in plan.tools for plan in plans):
        return "apt-get in the stages it is used in keeps what it downloads, also when a later RUN has no cache mount."
    return ""
