"""What a rule is: a pure function from a RepoView to a Phase, or to a reasoned Declined."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct, field

from phasewise.model.census import Census
from phasewise.model.phase import Declined, Phase, Risk
from phasewise.model.repo import BuildReference, RepoView, Target

Picks = Mapping[str, frozenset[str]]
"""What the user picked: option ids by choice id; empty where they left the default."""


class Example(Struct, frozen=True):
    """A small repository on which a rule fires or stays silent; tests and documentation use it.

    `before` and `after` are Dockerfile texts. `files` are the other files around it. `after` of None
    means: fires, and the text that results is checked elsewhere.
    """

    before: str
    after: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    files_after: Mapping[str, str] = field(default_factory=dict)
    """Other files that the phase changes or adds, as they must read afterwards."""
    picks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    title: str = ""
    builds: tuple[BuildReference, ...] = ()
    census: Census | None = None

    def view(self) -> RepoView:
        """The small repository as a rule receives it, with `before` as its Dockerfile."""
        files = {**self.files, "Dockerfile": self.before}
        return RepoView(Target("Dockerfile"), files, frozenset(files), builds=self.builds, census=self.census)


class Rule(ABC):
    """One kind of migration.

    A subclass lives in its own file, whose name is the rule's id. Its docstring says what it does, why,
    and where the claim comes from; it is shown to the user and printed in the documentation.
    """

    title: ClassVar[str]
    risk: ClassVar[Risk]
    order: ClassVar[int] = 50
    """What the rule must come after: it sees what rules with a smaller number leave. Rules with the same number
    are free of each other; the one that is predicted to save most for its risk comes first."""
    FIRES: ClassVar[tuple[Example, ...]]
    SILENT: ClassVar[tuple[Example, ...]]

    @property
    def id(self) -> str:
        """The file's name without its ending: `drop_compileall`."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """A phase for the view's target, or the reason why there is none.

        Pure: the same view and picks give the same answer, and nothing else is read.
        """

    def declined(self, reason: str) -> Declined:
        """No phase, because of `reason`."""
        return Declined(self.id, reason)
