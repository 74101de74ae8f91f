"""Steps of a RUN whose failure is hidden: `|| true` behind them, and standard error thrown away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.edits import drop_word
from phasewise.model.shell import Command, Script
from phasewise.model.syntax.shell_nodes import (
    Chain,
    Compound,
    Kind,
    Role,
    Sequence,
    Simple,
    Tree,
    simples,
)
from phasewise.model.text import Edit, Span


class Matter(StrEnum):
    """What a step is for, where its failure leaves an image that lacks something."""

    PACKAGES = "packages"
    SYSTEM = "system packages"
    STRIP = "strip"
    FILES = "files"
    DOWNLOAD = "download"
    BUILD = "build"


_VERBS: dict[str, tuple[Matter, frozenset[str]]] = {
    **dict.fromkeys(
        ("apt-get", "apt", "aptitude"), (Matter.SYSTEM, frozenset({"update", "install", "upgrade"}))
    ),
    **dict.fromkeys(
        ("apk", "dnf", "yum", "microdnf"), (Matter.SYSTEM, frozenset({"add", "install", "update"}))
    ),
    **dict.fromkeys(("pip", "pip3", "pipx"), (Matter.PACKAGES, frozenset({"install"}))),
    **dict.fromkeys(("conda", "mamba", "gem"), (Matter.PACKAGES, frozenset({"install", "create", "update"}))),
    **dict.fromkeys(("poetry", "pdm", "pipenv"), (Matter.PACKAGES, frozenset({"install", "sync"}))),
    **dict.fromkeys(
        ("npm", "yarn", "pnpm"), (Matter.PACKAGES, frozenset({"install", "ci", "add", "run", "build"}))
    ),
    "uv": (Matter.PACKAGES, frozenset({"sync", "install"})),
    "git": (Matter.DOWNLOAD, frozenset({"clone", "checkout", "submodule", "lfs"})),
    "cargo": (Matter.BUILD, frozenset({"build", "install"})),
    "go": (Matter.BUILD, frozenset({"build", "install", "mod"})),
}
_ALWAYS = {
    **dict.fromkeys(("cp", "mv", "tar", "unzip", "install"), Matter.FILES),
    **dict.fromkeys(("curl", "wget"), Matter.DOWNLOAD),
    **dict.fromkeys(("make", "cmake", "ninja", "gcc", "g++", "cc", "alembic"), Matter.BUILD),
    "strip": Matter.STRIP,
}
_DISCARDED = re.compile(r"(2>>?|&>>?|>&)[ \t]*/dev/null")
_TO_OUTPUT = re.compile(r"2>&1")
_OUTPUT_DISCARDED = re.compile(r"1?>>?[ \t]*/dev/null")
_FETCHES = re.compile(r"download\w*\(")
"""`nltk.download(`, `snapshot_download(`: Python code that fetches data."""
_HOUSEHOLD = frozenset(
    {
        *(
            "rm",
            "rmdir",
            "unlink",
            "find",
            "xargs",
            "ln",
            "mkdir",
            "chown",
            "chmod",
            "touch",
            "cd",
            "test",
            "[",
        ),
        *(
            "useradd",
            "adduser",
            "usermod",
            "userdel",
            "deluser",
            "groupadd",
            "addgroup",
            "groupmod",
            "groupdel",
        ),
    }
)
"""Clean-up and preparation, whose failure is often ignored because the file or the user may be there, or not."""
_NEVER_FAILS = frozenset({"echo", "printf", "true", ":", "set", "export"})


class Silence(Struct, frozen=True):
    """One `|| true` that hides the failure of a step that matters."""

    script: Script
    steps: tuple[tuple[Simple, Matter], ...]
    """The steps whose failure it hides, with what each is for."""
    refuses: bool
    """The steps are strips of many files, which refuse some of them rightly: their failure stays ignored."""
    edits: tuple[Edit, ...]
    """What lets the failure through; empty when there is nothing to let through."""
    line: int
    """1-based, of the first of the steps."""

    @property
    def discards(self) -> bool:
        """Whether what the steps say of their failure is thrown away, too."""
        return any(_discarding(step) for step, _ in self.steps)


def silences(
    dockerfile: Dockerfile, script: Script, optional: Callable[[Simple], bool] = lambda _: False
) -> Iterator[Silence]:
    """The hidden failures of one RUN, in order; those of clean-up, and of users that may exist, are none.

    `optional` says which steps may fail on purpose. A silence without steps only keeps clean-up apart from them.
    """
    if script.tree is not None:
        yield from _Reader(dockerfile, script, optional).sequence(script.tree, last=True)


def ignored(script: Script) -> list[Command]:
    """The commands whose failure is ignored, whatever they do."""
    return [command for command in script.commands if command.failure_ignored]


def doubt_of(command: Command) -> str:
    """Why nobody but the author can say whether the command may fail; empty where it may."""
    if "collectstatic" in command.argv:
        return "collectstatic may need settings that the build does not have; if it has, drop the `|| true` by hand"
    if command.name in _HOUSEHOLD | _NEVER_FAILS | _VERBS.keys() | _ALWAYS.keys():
        return ""
    return f"whether `{' '.join(command.argv[:3])}` may fail is not known; if not, drop the `|| true` by hand"


def matter(step: Simple) -> Matter | None:
    """What the command is for; None where nothing is lost when it fails."""
    words = [word.value for word in step.words]
    if words[:1] == ["sudo"]:
        words = words[1:]
    name = words[0].rpartition("/")[2] if words else ""
    if name in ("find", "xargs"):
        return Matter.STRIP if any(word.rpartition("/")[2] == "strip" for word in words) else None
    if re.fullmatch(r"python[\d.]*|pypy[\d.]*", name):
        if words[1:3] == ["-m", "pip"]:
            return Matter.PACKAGES if "install" in words[3:4] else None
        code = words[words.index("-c") + 1 :] if "-c" in words else []
        return Matter.DOWNLOAD if "download" in words or any(map(_FETCHES.search, code)) else None
    if re.fullmatch(r"pip[\d.]+", name):
        name = "pip"
    if name in _VERBS:
        kind, verbs = _VERBS[name]
        return kind if verbs & set(words[1:]) else None
    return _ALWAYS.get(name)


class _Reader(Struct, frozen=True):
    """Walks one script."""

    dockerfile: Dockerfile
    script: Script
    optional: Callable[[Simple], bool]

    def sequence(self, tree: Sequence, *, last: bool) -> Iterator[Silence]:
        """`last`: nothing runs behind the sequence, so that its status is that of the RUN."""
        for index, item in enumerate(tree.items):
            yield from self._tree(item, last=last and index == len(tree.items) - 1)

    def _tree(self, tree: Tree, *, last: bool) -> Iterator[Silence]:
        match tree:
            case Chain():
                yield from self._chain(tree, last=last)
            case Compound():
                for part in tree.parts:
                    if part.role is not Role.CONDITION:
                        yield from self.sequence(part.body, last=last and tree.kind is not Kind.LOOP)

    def _steps(self, tree: Tree) -> Iterator[tuple[Simple, Matter]]:
        for step in simples(tree):
            kind = matter(step)
            if kind is not None and not self.optional(step):
                yield step, kind

    def _chain(self, chain: Chain, *, last: bool) -> Iterator[Silence]:
        begin, exposed = 0, False
        for index, (operator, item) in enumerate(_joined(chain)):
            if isinstance(item, Compound):
                yield from self._tree(item, last=last and index == len(chain.items) - 1)
            if operator != "||" or not _is_nothing(item):
                continue
            first, begin = begin, index + 1
            kinds = {i: [*self._steps(chain.items[i])] for i in range(first, index)}
            mattering = [i for i, steps in kinds.items() if not all(map(_may_refuse, steps))]
            mattering = mattering or [i for i, steps in kinds.items() if steps]
            silence = self._silence(chain, mattering, index, last=last) if mattering else None
            if exposed and (silence is None or silence.refuses):
                braces = tuple(_grouped(self.script, chain.items[first], item))
                yield Silence(self.script, (), False, braces, 0)
            if silence:
                exposed = exposed or not silence.refuses
                yield silence

    def _silence(self, chain: Chain, mattering: list[int], index: int, *, last: bool) -> Silence | None:
        """The hidden failure in front of the `|| true` at `index`; None where an alternative handles it."""
        script, item = self.script, chain.items[mattering[-1]]
        after = chain.items[mattering[-1] + 1 : index]
        if after and chain.operators[mattering[-1]].value == "||":
            return None
        steps = tuple(step for i in mattering for step in self._steps(chain.items[i]))
        refuses = all(map(_may_refuse, steps))
        spoken = [*steps, *(step for each in after for step in self._steps(each))]
        discarded = [span for step, _ in spoken for span in _discarding_spans(script, step)]
        if refuses:
            edits = [drop_word(script.text, span) for span in discarded]
        else:
            rest = [*_joined(chain)][index + 1 :]
            passes = (last and all(operator == "&&" or _is_nothing(each) for operator, each in rest)) or (
                not rest and not after and _stops_at_failure(self.dockerfile, script)
            )
            exits = "" if passes else " || exit 1"
            if all(_never_fails(step) for each in after for step in simples(each)):
                end = script.place_after(chain.items[index].end)
                start = _last_kept(script, item) if not after else script.place_after(after[-1].end)
                edits = [drop_word(script.text, span) for span in discarded if span.end <= start]
                edits.append(Edit(Span(start, end), exits))
            else:
                end = script.place_after(item.end)
                edits = [drop_word(script.text, span) for span in discarded]
                edits += [Edit(Span(end, end), exits), *_grouped(script, after[0], chain.items[index])]
        place = self.dockerfile.line_of(script.source.place(steps[0][0].start))
        return Silence(script, tuple(spoken), refuses, tuple(edits), place) if edits else None


def _joined(chain: Chain) -> Iterator[tuple[str, Tree]]:
    """The items, each with the operator in front of it."""
    return zip(("&&", *(operator.value for operator in chain.operators)), chain.items, strict=True)


def _grouped(script: Script, first: Tree, nothing: Tree) -> Iterator[Edit]:
    """Braces around `first ... || true`, so that it ignores nothing else."""
    start, end = script.source.place(first.start), script.place_after(nothing.end)
    yield Edit(Span(start, start), "{ ")
    yield Edit(Span(end, end), "; }")


def _is_nothing(tree: Tree) -> bool:
    words = [word.value for word in tree.words] if isinstance(tree, Simple) else []
    return words in (["true"], ["/bin/true"], [":"], ["exit", "0"])


def _never_fails(step: Simple) -> bool:
    return bool(step.words) and step.words[0].value in _NEVER_FAILS


def _may_refuse(step: tuple[Simple, Matter]) -> bool:
    """Whether it is a strip of many files; `find ... -exec strip {} \\;` ends well whatever strip does."""
    words = [word.value for word in step[0].words]
    return step[1] is Matter.STRIP and not (words[:1] == ["find"] and words[-1:] != ["+"])


def _discarding(step: Simple) -> list[int]:
    """The redirects, by index, that throw standard error away."""
    values = [redirect.value for redirect in step.redirects]
    found = [i for i, value in enumerate(values) if _DISCARDED.fullmatch(value)]
    for i, value in enumerate(values):
        before = [other for other in values[:i] if _OUTPUT_DISCARDED.fullmatch(other)]
        if _TO_OUTPUT.fullmatch(value) and before:
            found.append(i)
    return found


def _discarding_spans(script: Script, step: Simple) -> list[Span]:
    return [script.source.span(step.redirects[i].start, step.redirects[i].end) for i in _discarding(step)]


def _last_kept(script: Script, item: Tree) -> int:
    """Where the last word of `item` ends that stays: what throws standard error away behind it goes."""
    if not isinstance(item, Simple):
        return script.place_after(item.end)
    gone = set(_discarding(item))
    kept = [word.end for word in item.words]
    kept += [redirect.end for i, redirect in enumerate(item.redirects) if i not in gone]
    return script.place_after(max(kept))


def _stops_at_failure(dockerfile: Dockerfile, script: Script) -> bool:
    """Whether the shell has `errexit`."""
    shell = dockerfile.shell(script.instruction)
    if any(re.fullmatch(r"-[a-z]*e[a-z]*", word) or word == "errexit" for word in shell):
        return True
    if re.match(r"(\S*/)?(ba|da|a)?sh (-\w+ )*-\w*e", script.instruction.value):
        return True
    return any(
        command.name == "set"
        and any(re.fullmatch(r"-[a-z]*e[a-z]*", word) or word == "errexit" for word in command.argv[1:])
        for command in script.commands
    )
