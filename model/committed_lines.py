"""Line numbers that a reader can look up: those of the committed files, not of what earlier phases would leave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import lru_cache

from msgspec.structs import replace

from phasewise.model.phase import Declined, Evidence, Phase
from phasewise.model.repo import RepoView

_BEFORE = re.compile(r"^\s*(?:&& )?(?:RUN\b|(?P<keyword>[A-Z]+\b)?)(?: --[\w-]+(?:=\S+)?)*\s*(?:\{ )?")
_AFTER = ("\\", "&&", "; }")
_LATER = "as the phases before leave it"
_REFERENCE = re.compile(
    r"(?P<quoted>`[^`]*`)"
    r"|(?P<path>(?<![\w./-])[\w./-]+):(?P<at>\d+)\b"
    r"|\b(?P<word>[Ll]ine) (?P<line>\d+)\b(?: of (?P<of>[\w./-]*\w))?"
)


def with_committed_lines(answer: Phase | Declined, view: RepoView) -> Phase | Declined:
    """`answer`, which a rule gave on `view`, with the lines that its sentences and evidence name as committed.

    `line 5` is one of the target's Dockerfile, `line 5 of x` and `x:5` are one of that file. What is quoted
    in backticks stays as it is. A line that no commit has is said to be one of the text that the phases before leave.
    """
    if view.original is None:
        return answer
    lines = _Lines(view.files, view.original, view.target.dockerfile)
    evidence = tuple(map(lines.evidence, answer.evidence))
    if isinstance(answer, Declined):
        return replace(answer, reason=lines.sentence(answer.reason), evidence=evidence)
    because = replace(answer.predicted, because=lines.sentence(answer.predicted.because))
    why, costs = lines.sentence(answer.why), lines.sentence(answer.costs)
    return replace(answer, why=why, costs=costs, predicted=because, evidence=evidence)


class _Lines:
    """Where the lines of changed files are in the committed ones."""

    def __init__(self, files: Mapping[str, str], committed: Mapping[str, str], dockerfile: str) -> None:
        self._files, self._committed, self._dockerfile = files, committed, dockerfile

    def sentence(self, text: str) -> str:
        return _REFERENCE.sub(self._referred, text)

    def evidence(self, evidence: Evidence) -> Evidence:
        return replace(evidence, line=self._line(evidence.path, evidence.line) or evidence.line)

    def _referred(self, found: re.Match[str]) -> str:
        if found["quoted"] or (found["path"] and found["path"] not in self._committed):
            return found[0]
        path = found["path"] or (found["of"] if found["of"] in self._committed else self._dockerfile)
        line = self._line(path, int(found["at"] or found["line"]))
        if line is None:
            return f"{found[0]} {_LATER}"
        if found["path"]:
            return f"{found['path']}:{line}"
        return f"{found['word']} {line}{found[0][found.end('line') - found.start() :]}"

    def _line(self, path: str, line: int) -> int | None:
        """The 1-based number of the committed line; None where the committed text has no such line."""
        if self._files.get(path) == self._committed.get(path):
            return line
        return _aligned(self._files.get(path, ""), self._committed.get(path, "")).get(line)


# Rule after rule speaks of the same text.
@lru_cache(maxsize=128)
def _aligned(changed: str, committed: str) -> Mapping[int, int]:
    """The 1-based lines of the changed text, and where they are in the committed one."""
    now, before = _split(changed), _split(committed)
    found = {
        number: before.index(text) + 1
        for number, text in enumerate(now, 1)
        if text.strip() and before.count(text) == 1
    }
    for block in SequenceMatcher(None, now, before, autojunk=False).get_matching_blocks():
        found |= {block.a + i + 1: block.b + i + 1 for i in range(block.size)}
    return found


def _split(text: str) -> list[str]:
    return [_bare(line) for line in text.split("\n")]


def _bare(line: str) -> str:
    """The line without what phases put around a step that they move or give an option: flags, braces, `&&`."""
    bare = _BEFORE.sub(r"\g<keyword>", line).rstrip()
    for end in _AFTER:
        bare = bare.removesuffix(end).rstrip()
    return bare
