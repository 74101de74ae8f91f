"""A phase, what it edits and what it promises; and the plan, the ordered list of phases."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace


class Risk(StrEnum):
    """How much judgement a phase asks for before it is applied."""

    SAFE = "safe"
    """Behaviour stays the same by construction; the checks are there to catch surprises."""
    CHECK = "check"
    """Behaviour should stay the same; only the checks can tell."""
    ASK = "ask"
    """Changes what the image can do: off until the user says yes."""

    @property
    def meaning(self) -> str:
        """What the word says, as half a sentence for the user."""
        return {
            Risk.SAFE: "behaviour stays the same by construction",
            Risk.CHECK: "only the checks can tell whether behaviour stays the same",
            Risk.ASK: "changes what the image can do; it is applied only when you say so",
        }[self]


class Provenance(Struct, frozen=True):
    """The commit that brought a line in."""

    commit: str
    author: str
    date: datetime
    subject: str
    on_default_branch: bool | None = None
    """Whether the default branch contains the commit; None when there is no default branch to ask."""


class Evidence(Struct, frozen=True):
    """One line of the repository that a phase or a refusal rests on."""

    path: str
    line: int
    """1-based."""
    text: str
    provenance: Provenance | None = None


class FileEdit(Struct, frozen=True):
    """One file before and after a phase; None means that the file does not exist on that side."""

    path: str
    """Relative to the repository's root, with forward slashes."""
    before: str | None
    after: str | None

    @property
    def changes(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after

    def diff(self, context: int = 3) -> str:
        """The edit as a unified diff with `a/` and `b/` paths, as git prints it.

        Lines are split at newlines only, so that carriage returns and form feeds survive.
        """
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in difflib.unified_diff(
                split_lines(self.before or ""),
                split_lines(self.after or ""),
                "/dev/null" if self.before is None else f"a/{self.path}",
                "/dev/null" if self.after is None else f"b/{self.path}",
                n=context,
            )
        )


def split_lines(text: str) -> list[str]:
    """The lines of `text`, each with its newline; nothing but `\\n` ends a line."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


class Prediction(Struct, frozen=True):
    """What a phase is expected to change; every figure comes from the baseline's census or measurement.

    A negative figure is a saving. None: nothing is known yet, and nothing is shown.
    """

    image_bytes: int | None = None
    because: str = ""
    """One sentence on where the figure comes from, or why there is none."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the saving by what goes, named by `part`: what two phases both name is not saved twice.
    Whatever `image_bytes` says beyond them is the phase's alone."""

    @classmethod
    def of(cls, parts: Mapping[str, int], because: str) -> Prediction:
        """The saving of all `parts`."""
        return cls(-sum(parts.values()), because, parts)


def part(kind: str, name: str) -> str:
    """The name of one part of an image that can go: `test /opt/venv`, `debian gcc`, `python torch`."""
    return f"{kind} {name}"


class Option(Struct, frozen=True):
    """One thing that the user may pick in a choice."""

    id: str
    label: str
    image_bytes: int | None = None
    """Measured bytes that go with the option, where that is known."""


class Choice(Struct, frozen=True):
    """A question that a phase leaves to the user, with a sensible answer picked already."""

    id: str
    title: str
    options: tuple[Option, ...]
    picked: frozenset[str]
    multiple: bool = False
    """Any number of options (ticks), or exactly one."""

    def __post_init__(self) -> None:
        unknown = self.picked - {option.id for option in self.options}
        if unknown:
            raise ValueError(f"{self.id}: no such option: {', '.join(sorted(unknown))}")
        if not self.multiple and len(self.picked) != 1:
            raise ValueError(f"{self.id}: exactly one option must be picked")


class Phase(Struct, frozen=True):
    """One proposed change to a target: what, why, at what risk, and with which expected effect.

    Raises:
        ValueError: the phase edits nothing. A phase without edits cannot exist.
    """

    id: str
    """The rule's file name, `drop_compileall`; a second phase of one rule gets a suffix."""
    title: str
    why: str
    """Plain text, paragraphs separated by a blank line."""
    edits: tuple[FileEdit, ...]
    evidence: tuple[Evidence, ...]
    risk: Risk
    predicted: Prediction = field(default_factory=Prediction)
    choices: tuple[Choice, ...] = ()
    needs: tuple[str, ...] = ()
    """Ids of phases that must be applied before this one."""
    excludes: tuple[str, ...] = ()
    """Ids of phases that make no sense beside this one."""
    removes: tuple[str, ...] = ()
    """Normalised names of the distributions that the image is meant to lack afterwards: no check asks for them."""
    costs: str = ""
    """The price of the phase that the user must see, a slower start for example."""
    affects: tuple[str, ...] = ()
    """Labels of the other targets that read a file which the phase edits; filled in by the plan, not by rules."""
    costs_start_up: bool = False
    """Whether the price is paid at every start; then the application's import is compared before and after."""

    def __post_init__(self) -> None:
        if not any(edit.changes for edit in self.edits):
            raise ValueError(f"{self.id}: a phase without edits")

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the files that the phase edits."""
        return tuple(edit.path for edit in self.edits)

    def diff(self) -> str:
        """All edits as one unified diff."""
        return "".join(edit.diff() for edit in self.edits)

    def only(self, paths: frozenset[str]) -> Phase:
        """The phase with just the edits of `paths`.

        Raises:
            ValueError: nothing would be left.
        """
        return replace(self, edits=tuple(edit for edit in self.edits if edit.path in paths))


class Declined(Struct, frozen=True):
    """A rule's word on why it proposes nothing here."""

    id: str
    reason: str
    evidence: tuple[Evidence, ...] = ()
    wrong: bool = False
    """What the rule is about is there, and no longer as it should be: worth telling where it is applied too."""


class Plan(Struct, frozen=True):
    """The ordered phases for a target, each computed on the text that the earlier ones leave."""

    phases: tuple[Phase, ...]
    declined: tuple[Declined, ...]

    def phase(self, id: str) -> Phase | None:
        """The phase with that id, or None."""
        return next((phase for phase in self.phases if phase.id == id), None)
