"""Whether bytecode is run in place of its sources: those are deleted, or something names a `.pyc`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from posixpath import normpath

from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.paths import within
from phasewise.model.python.bytecode import Compilation
from phasewise.model.repo import RepoView
from phasewise.model.shell import Command, Script
from phasewise.model.stages.recursion import absolute

_RUN_LATER = ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "ENV", "ONBUILD")
_BYTECODE = re.compile(r"[\w})*?\]]\.py[co](?![\w.])|[\w})*?\]]\.py(\[oc\]|\[co\]|\?|\*)")
"""`app.pyc`, `*.pyc`, `*.py[co]`."""
_ONE_FILE = re.compile(r"[\w})]\.pyc(?![\w.])")
ALL_SOURCES = re.compile(r"(.*[/.\\])?\*?\.py\$?")
"""`*.py`, and the same as a regular expression."""
_RUNS = re.compile(
    r"\.(sh|bash|conf|ini|cfg|service|toml|json|ya?ml)$|(^|/)(Procfile|Makefile|GNUmakefile|[.]?justfile)$"
    r"|(^|/)[\w.-]*entry-?point[\w.-]*$|(^|/)(start|run)$",
    re.I,
)
"""Files that may say how a container is started."""
_DELETES = re.compile(r"\brm\b|-delete\b|\bunlink\b|-prune\b|--exclude|\bgrep\b|^\s*(#|//)")


def needs_bytecode(view: RepoView, found: Collection[Compilation]) -> str | None:
    """What would miss the bytecode of `found`, as a clause: `line 7 names main.pyc`; None where nothing would.

    Looked at: the stages that the target needs, and the files of the repository that may say how it is run.
    """
    dockerfile = view.dockerfile
    needed = dockerfile.needed_by(view.stage)
    compiled = [directory for each in found for directory in each.directories]
    for instruction in dockerfile.instructions:
        if instruction.stage in needed and (why := _in_instruction(dockerfile, instruction, compiled)):
            return why
    for path in view.matching(_RUNS):
        for number, line in enumerate(view.files.get(path, "").splitlines(), 1):
            if (named := _ONE_FILE.search(line)) and not _DELETES.search(line):
                return f"{path}:{number} names {_word(line, named.start())}"
    return None


def _in_instruction(
    dockerfile: Dockerfile, instruction: Instruction, compiled: Collection[str]
) -> str | None:
    if instruction.keyword in ("COPY", "ADD"):
        return _named(instruction.line, [word.value for word in dockerfile.words(instruction)])
    script = Script.of(dockerfile, instruction)
    if script is None:
        return _named(instruction.line, [instruction.value]) if instruction.keyword in _RUN_LATER else None
    removers = [command for command in script.commands if command.name in ("rm", "unlink", "xargs")]
    hands_over = any(
        re.search(r"(^|\s)rm(\s|$)|\$", word) for command in removers for word in command.argv[1:]
    )
    for command in script.commands:
        line = dockerfile.line_of(command.span.start)
        if not _deletes(command, hands_over):
            if found := _named(line, command.argv):
                return found
        elif any(_is_source(dockerfile, instruction, word, compiled) for word in command.argv[1:]):
            return f"line {line} deletes the sources, and the bytecode is what is left"
    return None


def _deletes(command: Command, hands_over: bool) -> bool:
    """Whether the command takes files out, or finds those that another one takes out; or only prints."""
    if command.name == "find":
        return hands_over or any(re.search(r"\brm\b|^-delete$|\bunlink\b", word) for word in command.argv)
    return command.name in ("rm", "unlink", "echo", "grep")


def _is_source(
    dockerfile: Dockerfile, instruction: Instruction, word: str, compiled: Collection[str]
) -> bool:
    """Whether a word stands for all sources, or for one of those that are compiled."""
    if ALL_SOURCES.fullmatch(word):
        return True
    path = absolute(dockerfile, instruction, word) if word.endswith(".py") and word[:1] != "-" else None
    return path is not None and any(within(path, normpath(place)) for place in compiled)


def _named(line: int, words: Sequence[str]) -> str | None:
    """`line 7 names main.pyc`, for the first word that names bytecode and leaves nothing out."""
    for before, word in zip(("", *words), words, strict=False):
        found = _BYTECODE.search(word)
        if found and "--exclude" not in (before, word.partition("=")[0]):
            return f"line {line} names {_word(word, found.start())}"
    return None


def _word(text: str, offset: int) -> str:
    """The word around `offset`, without quotes and brackets."""
    start = max((match.end() for match in re.finditer(r"[\s\"'`\[(,=]", text[:offset])), default=0)
    return re.split(r"[\s\"'`,;)]", text[start:], maxsplit=1)[0]
