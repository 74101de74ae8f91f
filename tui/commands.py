"""The command palette's entries: every key's action with its help."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from phasewise.tui.keys import KEYS, Key
from phasewise.tui.screens.main import MainScreen


class Commands(Provider):
    """What the main screen can do; what is disabled says why when it is chosen."""

    async def discover(self) -> Hits:
        """Everything, before a word is typed."""
        for key in self._keys():
            yield DiscoveryHit(_name(key), self._press(key), help=key.help)

    async def search(self, query: str) -> Hits:
        """What matches the words."""
        matcher = self.matcher(query)
        for key in self._keys():
            if score := matcher.match(_name(key)):
                yield Hit(score, matcher.highlight(_name(key)), self._press(key), help=key.help)

    def _keys(self) -> list[Key]:
        if not isinstance(self.screen, MainScreen):
            return []
        return [key for key in KEYS if key.action != "palette"]

    def _press(self, key: Key) -> partial[None]:
        assert isinstance(self.screen, MainScreen)
        return partial(self.screen.press, key)


def _name(key: Key) -> str:
    """`Roll back  (u)`."""
    return f"{key.label.capitalize()}  ({key.shown})"
