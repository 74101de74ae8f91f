"""Commands of a RUN that only delete: what they look through, and two ways in which they go wrong."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import pairwise, takewhile

from msgspec import Struct
from msgspec.structs import replace

from phasewise.model.python.installers import BROUGHT_ALONG
from phasewise.model.shell import Command, Script
from phasewise.model.syntax.shell_nodes import Chain, Pipeline, Simple, Tree
from phasewise.model.text import Edit, Span

_HOUSEHOLD = frozenset({"true", ":", "set", "echo"})
_BRACES = re.compile(r"^(?P<stem>.*/)\{(?P<names>[\w,.-]+,[\w,.-]+)\}\*?$")
_CACHES = {
    "apt-get clean": "/var/cache/apt",
    "apt-get autoclean": "/var/cache/apt",
    "apt clean": "/var/cache/apt",
    "pip cache": "/root/.cache/pip",
    "uv cache": "/root/.cache/uv",
}
_RM = ("rm", "rmdir", "unlink")


class Cleaning(Struct, frozen=True):
    """One list item that deletes: a command, or `find ... | xargs rm`."""

    span: Span
    """From its first word to its last, in the Dockerfile's text."""
    words: tuple[str, ...]
    roots: tuple[tuple[str, Span], ...]
    """The directories of a find, or what rm names, with their places."""
    removal: tuple[str, ...] = ()
    """What the pipe hands the findings to: `xargs rm -rf`."""

    @property
    def finds(self) -> bool:
        """Whether it looks for what it deletes."""
        return self.words[0] == "find"

    @property
    def misbinds(self) -> bool:
        """Whether `-o` outside parentheses divides the tests otherwise than they read.

        An action counts for the last alternative only; with a pipe, a `-type` that only the first one has.
        """
        if not self.finds or not _top_level_or(self.words):
            return False
        parsed = [_alternative(words) for words in _alternatives(list(self.words[1 + len(self.roots) :]))]
        kinds = [kind for kind, _ in filter(None, parsed)]
        return not self.removal or (len(kinds) == len(parsed) and bool(kinds[0]) and "" in kinds)

    @property
    def braces(self) -> tuple[str, ...]:
        """The names in `{pip,setuptools,wheel}*`, where all of them are installers; empty otherwise."""
        for word in self.words[1:]:
            match = _BRACES.match(word)
            if match and set(match["names"].split(",")) <= BROUGHT_ALONG:
                return tuple(match["names"].split(","))
        return ()

    @property
    def metadata(self) -> bool:
        """Whether it would delete `*.dist-info`, without which entry points and versions are gone."""
        return _is_metadata(self.words)

    @property
    def only_metadata(self) -> bool:
        """Whether it would delete nothing else."""
        names = [after for word, after in pairwise(self.words) if word == "-name"]
        names = names or [root for root, _ in self.roots]
        return all(_is_metadata([name]) for name in names)


def _is_metadata(words: Iterable[str]) -> bool:
    return any("dist-info" in word or "egg-info" in word for word in words)


def cleanings(script: Script) -> tuple[Cleaning, ...]:
    """The deleting items of the script's lists, in order."""
    return tuple(_in_tree(script, script.tree)) if script.tree else ()


def only_cleans(script: Script) -> bool:
    """Whether the RUN deletes files and does nothing else."""
    found = cleanings(script)
    rest = [c for c in script.commands if not any(cleaning.span.covers(c.span) for cleaning in found)]
    return bool(found) and all(map(is_household, rest))


def is_household(command: Command) -> bool:
    """Whether the command only prints or sets options of the shell."""
    return command.name in _HOUSEHOLD


def repaired(cleaning: Cleaning, roots: tuple[str, ...]) -> str | None:
    """A find whose tests bind as they read, over `roots`; None where what is meant is not certain."""
    tests = list(cleaning.words[1 + len(cleaning.roots) :])
    action = next(
        (i for i, word in enumerate(tests) if word in ("-delete", "-exec", "-print", "-print0")), len(tests)
    )
    rest = tests[action:]
    if action < len(tests) and rest[0] == "-exec" and rest[1:2] != ["rm"]:
        return None
    options = [word for word in tests[:action] if word == "-depth"]
    alternatives = _alternatives([word for word in tests[:action] if word != "-depth"])
    parsed = [_alternative(words) for words in alternatives if not _is_metadata(words[-1:])]
    if any(each is None for each in parsed) or not parsed:
        return None
    kinds = [kind for kind, _ in filter(None, parsed)]
    names = [name for _, name in filter(None, parsed)]
    if len(set(filter(None, kinds))) > 1:
        inner = " -o ".join(
            f"{f'-type {kind} ' if kind else ''}-name {shlex.quote(name)}"
            for kind, name in filter(None, parsed)
        )
        head = ""
    else:
        inner = " -o ".join(f"-name {shlex.quote(name)}" for name in names)
        head = f"-type {kinds[0]} " if kinds[0] else ""
    prune = "" if kinds[0] == "f" or options else "-prune "
    depth = "-depth " if options else ""
    return f"find {' '.join(roots)} {depth}{head}\\( {inner} \\) {prune}-exec rm -rf {{}} +"


def appended(text: str, script: Script, command: str) -> Edit | None:
    """Puts `command` behind everything that the script does; None where its end cannot be continued."""
    newline = "\r\n" if "\r\n" in text else "\n"
    tree = script.tree
    if tree is None or not tree.items or tree.background[-1] is not None:
        return None
    heredocs = script.instruction.heredocs
    if "\n" in script.source.value:
        place = heredocs[0].body.end
        return Edit(Span(place, place), command.replace("\n", newline) + newline)
    if heredocs:
        return None
    place = script.place_after(tree.items[-1].end)
    escape = "\\"
    return Edit(Span(place, place), f" && {escape}{newline}    {command}")


def _in_tree(script: Script, tree: Tree) -> Iterator[Cleaning]:
    match tree:
        case Simple():
            if found := _cleaning(script, tree, ()):
                yield found
        case Pipeline(items=(Simple() as finder, Simple() as remover)):
            words = tuple(word.value for word in remover.words)
            removes = words[:1] == ("xargs",) and any(word in _RM for word in words)
            if removes and (found := _cleaning(script, finder, words)):
                yield replace(found, span=script.source.span(tree.start, tree.end), removal=words)
        case Chain():
            for item in tree.items:
                yield from _in_tree(script, item)
        case Pipeline():
            return
        case _:
            for item in getattr(tree, "items", ()):
                yield from _in_tree(script, item)


def _cleaning(script: Script, simple: Simple, removal: tuple[str, ...]) -> Cleaning | None:
    words = tuple(word.value for word in simple.words)
    tokens = simple.words[1:]
    if words[:1] == ("find",):
        deletes = (
            "-delete" in words or ("-exec" in words and any(word in _RM for word in words)) or bool(removal)
        )
        operands = list(takewhile(lambda token: token.value[:1] not in "-!(", tokens))
        if not deletes or not operands:
            return None
    elif words[:1] == ("rm",):
        operands = [token for token in tokens if not token.value.startswith("-")]
    elif cache := _CACHES.get(" ".join(words[:2])):
        place = script.source.span(simple.start, simple.start)
        return Cleaning(script.source.span(simple.start, simple.stop), words, ((cache, place),))
    else:
        return None
    roots = tuple((token.value, script.source.span(token.start, token.end)) for token in operands)
    return Cleaning(script.source.span(simple.start, simple.stop), words, roots, removal)


def _top_level_or(words: tuple[str, ...]) -> bool:
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if word in ("-o", "-or") and depth == 0:
            return True
    return False


def _alternatives(words: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        if word in ("-o", "-or"):
            found.append([])
        else:
            found[-1].append(word)
    return found


def _alternative(words: list[str]) -> tuple[str, str] | None:
    """Kind and name of `-type d -name tests`."""
    match words:
        case ["-type", kind, "-name", name] | ["-name", name, "-type", kind]:
            return kind, name
        case ["-name", name]:
            return "", name
    return None


def installer_removal(command: Cleaning, environment: str) -> str:
    """What removes pip, setuptools and wheel from `environment`, and nothing else that begins alike."""
    python = "python" if environment == "/usr/local" else f"{environment}/bin/python"
    names = [name for name in ("setuptools", "wheel", "pip") if name in command.braces]
    return f"{python} -m pip uninstall -y {' '.join(names)}"
