"""Small repositories for the tests of a rule, and what the rule says of them."""

from collections.abc import Callable, Mapping
from typing import Any

import dockerfile as buildkit

from phasewise.model.census import Census
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.base import Rule


def repository(texts: Mapping[str, str], census: Census | None = None, **target: Any) -> RepoView:
    """A repository of these files, seen from its Dockerfile; `target` are fields of the Target."""
    at = Target(**{"dockerfile": "Dockerfile", **target})
    return RepoView(at, texts, frozenset(texts), census=census)


def view_of(text: str, files: Mapping[str, str] | None = None, census: Census | None = None) -> RepoView:
    """A Dockerfile with files around it."""
    return repository({**(files or {}), "Dockerfile": text}, census)


class Asking:
    """Asks a rule about a view, or about the one that `view` makes of the arguments."""

    def __init__(self, rule: Rule, view: Callable[..., RepoView] = view_of, path: str = "") -> None:
        self._rule, self._view, self._path = rule, view, path

    def phase(self, *given: Any, **named: Any) -> Phase:
        """What is proposed; proposing again says nothing."""
        seen = self._seen(*given, **named)
        answer = self._rule.propose(seen, {})
        assert isinstance(answer, Phase), answer
        again = self._rule.propose(seen.with_edits(answer.edits), {})
        assert isinstance(again, Declined), again.diff()
        return answer

    def after(self, *given: Any, **named: Any) -> str:
        """The Dockerfile, or the file at `path`, as the phase leaves it."""
        seen = self._seen(*given, **named)
        done = seen.with_edits(self.phase(seen).edits)
        assert buildkit.parse_string(done.files[seen.target.dockerfile])
        return done.files[self._path or seen.target.dockerfile]

    def reason(self, *given: Any, **named: Any) -> str:
        """Why nothing is proposed."""
        answer = self._rule.propose(self._seen(*given, **named), {})
        assert isinstance(answer, Declined), answer.diff()
        return answer.reason

    def _seen(self, *given: Any, **named: Any) -> RepoView:
        return given[0] if isinstance(given[0], RepoView) else self._view(*given, **named)
