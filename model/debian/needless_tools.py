"""Takes compilers, headers and git out of the stages that only a build needs, where nothing is compiled."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator

from msgspec import Struct

from phasewise.model.debian.apt import apt_commands, installed, installed_and_gone, rewritten
from phasewise.model.debian.compiling import BINUTILS, calls
from phasewise.model.debian.packages import commands_of, is_build_tool, is_downloader, is_headers
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import drop_instruction
from phasewise.model.paths import overlap, within
from phasewise.model.python.built_packages import MayCompile, Packages
from phasewise.model.python.installs import installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.common_ground import python_image
from phasewise.model.stages.running import running_stages
from phasewise.model.syntax.scopes import stage_mounts
from phasewise.model.text import Edit, Span, apply_edits

_FETCHES_CODE = frozenset({"git", "git-lfs"})
_MACHINES = re.compile(
    r"\b(arch(es|itectures?|s)?|arm(32|64|hf|v\d)?|aarch64|platforms?|raspberry|silicon|riscv\w*|ppc64\w*|s390x)\b",
    re.I,
)
_OF_COMPILING = re.compile(r"compil|wheel|header|gcc|g\+\+|build[ -]?(tool|essential|dep)", re.I)
_SYSTEM = ("/usr", "/etc", "/lib", "/lib64", "/bin", "/sbin", "/var")
"""Where Debian's packages have their files."""


class Trimmed(Struct, frozen=True):
    """A Dockerfile without the tools that it does not need."""

    text: str
    gone: tuple[str, ...] = ()
    """The Debian packages that no stage installs any more."""
    taken: tuple[tuple[int, str], ...] = ()
    """The packages that a stage loses, with the lines that install them now."""
    instead: tuple[str, ...] = ()
    """What is installed in place of some of them."""
    stay: tuple[str, ...] = ()
    reason: str = ""
    """A clause: why the tools that `stay` do."""


class _Install(Struct, frozen=True):
    """Build tools that one RUN installs."""

    instruction: Instruction
    script: Script
    tools: tuple[str, ...]
    stages: tuple[Stage, ...]
    """Its own, and those on top of it."""
    runs: tuple[Instruction, ...]
    """The RUNs that find the tools."""


def without_tools(view: RepoView, left_out: Collection[str]) -> Trimmed:
    """The view's Dockerfile without build tools in stages that no container runs, where all packages come built.

    `left_out` are the distributions of the baseline's image that this one lacks. Only the census tells what comes
    built: without one, all stays.
    """
    dockerfile = view.dockerfile
    found = tuple(_installs_of_tools(view))
    if not found or view.census is None:
        return Trimmed(dockerfile.text)
    packages = Packages.of(view.census, left_out)
    edits: list[Edit] = []
    taken: dict[tuple[int, str], None] = {}
    instead: dict[str, None] = {}
    stay: dict[str, str] = {}
    for each in found:
        try:
            chosen = _chosen(view, each, packages)
        except MayCompile as why:
            stay |= dict.fromkeys(each.tools, str(why))
            continue
        edits += _without(dockerfile, each, chosen)
        taken |= dict.fromkeys(_lines(dockerfile, each, chosen))
        instead |= dict.fromkeys(name for names in chosen.values() for name in names)
    text = apply_edits(dockerfile.text, edits)
    left = _installed(Dockerfile.parse(text, dockerfile.path))
    gone = dict.fromkeys(name for _, name in taken if name not in left)
    reason = next(iter(stay.values()), "")
    return Trimmed(text, tuple(gone), tuple(taken), tuple(instead), tuple(stay), reason)


def tools_of_builds(view: RepoView) -> tuple[str, ...]:
    """The tools that `without_tools` looks at: those of stages that only a build needs."""
    return tuple(dict.fromkeys(name for each in _installs_of_tools(view) for name in each.tools))


def _lines(dockerfile: Dockerfile, tools: _Install, chosen: Collection[str]) -> Iterator[tuple[int, str]]:
    """Where those that are `chosen` to go are named."""
    for apt in apt_commands(tools.script, "install"):
        for word, name in zip(apt.packages, apt.names, strict=True):
            if name in chosen:
                yield dockerfile.line_of(word.span.start), name


def _installed(dockerfile: Dockerfile) -> frozenset[str]:
    """The packages that any stage installs."""
    scripts = (Script.of(dockerfile, instruction) for instruction in dockerfile.instructions)
    return frozenset().union(*(installed(script) for script in scripts if script))


def _installs_of_tools(view: RepoView) -> Iterator[_Install]:
    """The RUNs that install tools, in stages that no container runs; or that take them away again themselves."""
    dockerfile = view.dockerfile
    shipped = running_stages(view)
    needed = dockerfile.needed_by(view.stage)
    for stage in (each for each in dockerfile.stages if each.index in needed):
        official = python_image(dockerfile, stage) is not None
        heirs = dockerfile.built_on([stage.index])
        runs = tuple(i for heir in heirs for i in heir.instructions if i.keyword in ("RUN", "ONBUILD"))
        for instruction in stage.instructions:
            script = Script.of(dockerfile, instruction)
            if script is None or script.tree is None:
                continue
            names = dict.fromkeys(name for apt in apt_commands(script, "install") for name in apt.names)
            tools = tuple(name for name in names if _is_tool(name, official))
            if tools == ("binutils",):
                continue  # Alone it compiles nothing: it was installed to strip.
            passing = installed_and_gone(script)
            if tools and passing.issuperset(tools):
                yield _Install(instruction, script, tools, heirs, (instruction,))
            elif tools and stage.index not in shipped:
                yield _Install(instruction, script, tools, heirs, runs)


def _is_tool(name: str, official: bool) -> bool:
    """Whether only a build may need it; in other images than Python's own, certificates come with downloaders."""
    if is_downloader(name) or name == "python3-dev":
        return official
    return is_build_tool(name) or is_headers(name)


def _chosen(view: RepoView, tools: _Install, packages: Packages) -> dict[str, tuple[str, ...]]:
    """What is installed in place of each of the tools that go: binutils, or nothing. Raises MayCompile."""
    dockerfile = view.dockerfile
    _check_comments(dockerfile, tools)
    _check_copies(dockerfile, tools)
    _check_apt(dockerfile, tools)
    wanted = frozenset(command for name in tools.tools for command in commands_of(name))
    known = {each.command.span: each for each in installs(view)}
    mine = [each for each in known.values() if each.instruction in tools.runs]
    called: set[str] = set()
    for instruction in tools.runs:
        script = Script.of(dockerfile, instruction)
        if script is None:
            raise MayCompile(f"what line {instruction.line} runs cannot be read")
        for command in script.commands:
            if command.span not in known:
                called |= calls(dockerfile, command, wanted)
    if any(ancestor.platform for stage in tools.stages for ancestor in dockerfile.lineage(stage)):
        raise MayCompile("a stage is built for a platform of its own")
    fetches = packages.check(view, tools.stages, mine)
    chosen: dict[str, tuple[str, ...]] = {}
    for name in tools.tools:
        uses = called.intersection(commands_of(name))
        if fetches and name in _FETCHES_CODE:
            continue
        if not uses:
            chosen[name] = ()
        elif uses <= BINUTILS and name != "binutils":
            chosen[name] = ("binutils",)
    if not chosen:
        raise MayCompile("other commands call them" if called else fetches)
    return chosen


def _check_comments(dockerfile: Dockerfile, tools: _Install) -> None:
    """Raises MayCompile where a comment says that it is for machines whose wheels the measured image does not show."""
    for line in dockerfile.lines(tools.instruction).of(dockerfile.text).splitlines():
        comment = line.strip()
        if comment.startswith("#") and _MACHINES.search(comment):
            raise MayCompile(f"the comment has other machines in mind: {comment.lstrip('# ')}")


def _check_copies(dockerfile: Dockerfile, tools: _Install) -> None:
    """Raises MayCompile where files of Debian's packages are taken out of the stages."""
    found = {stage.index for stage in tools.stages}
    names = {label.lower() for stage in tools.stages for label in (stage.label, str(stage.index))}
    for instruction in dockerfile.instructions:
        for name, path in stage_mounts(instruction) if instruction.keyword == "RUN" else ():
            if name.lower() in names and _is_debians(dockerfile.expand(path, instruction)):
                raise MayCompile(f"line {instruction.line} mounts {path} of the stage")
        source = dockerfile.source_stage(instruction)
        if source is None or source.index not in found:
            continue
        for word in dockerfile.words(instruction)[:-1]:
            if _is_debians(dockerfile.expand(word.value, instruction)):
                raise MayCompile(f"line {instruction.line} copies {word.value} from the stage")


def _is_debians(path: str | None) -> bool:
    """Whether files of Debian's packages may be found at a path of a stage; None is a path that is not known."""
    place = posixpath.normpath(posixpath.join("/", re.split(r"[*?\[]", path or "/")[0]))
    return not within(place, "/usr/local") and any(overlap(place, each) for each in _SYSTEM)


def _check_apt(dockerfile: Dockerfile, tools: _Install) -> None:
    """Raises MayCompile where another RUN needs what apt did in this one: the lists, or a package to remove."""
    for instruction in (i for stage in tools.stages for i in stage.instructions):
        script = Script.of(dockerfile, instruction)
        if script is None or instruction == tools.instruction:
            continue
        removed = {name for apt in apt_commands(script, "purge", "remove") for name in apt.names}
        if removed.intersection(tools.tools):
            raise MayCompile(f"line {instruction.line} removes them again")
        if apt_commands(script, "install", "build-dep") and not apt_commands(script, "update"):
            raise MayCompile(f"line {instruction.line} uses the package lists of another step")


def _without(dockerfile: Dockerfile, tools: _Install, chosen: dict[str, tuple[str, ...]]) -> Iterator[Edit]:
    """The RUN without the tools, and without what is said of them above where nothing that it named stays.

    Nothing of it where all that it does is to install them.
    """
    script = tools.script
    named = installed(script)
    left = {name for one in named for name in chosen.get(one, (one,))}
    served = [] if left else [command for command in script.commands if _prepares_apt(command)]
    text = rewritten(dockerfile, script, lambda name: chosen.get(name, (name,)), served)
    if text is None:
        yield drop_instruction(dockerfile, tools.instruction)
        return
    yield Edit(tools.instruction.span, text)
    if not named & left:
        for comment in tools.instruction.comments:
            if _OF_COMPILING.search(comment.text):
                start = dockerfile.text.rfind("\n", 0, comment.span.start) + 1
                yield Edit(Span(start, dockerfile.text.index("\n", comment.span.end) + 1), "")


def _prepares_apt(command: Command) -> bool:
    """Whether it only changes how apt works."""
    words = [word for word in command.argv[1:] if not word.startswith("-")]
    if command.name == "rm":
        return bool(words) and all(word.startswith("/etc/apt/") for word in words)
    return command.name in ("echo", "printf") and any("/etc/apt/" in each for each in command.redirects)
