"""What the user decided in this repository: picks, ticks, skips, where to commit. Kept beside git, never committed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from phasewise.migration.planning import Wishes


class Choices:
    """The decisions for one target, written to `phasewise/choices.json` in the git directory at once.

    A file that cannot be read counts as empty: nothing in it is needed to understand what was done.
    """

    def __init__(self, git_directory: Path) -> None:
        self._file = git_directory / "phasewise" / "choices.json"
        self._data = self._read()

    def wishes(self, target: str) -> Wishes:
        """The decisions about the phases of `target` (its label)."""
        mine = self._data["targets"].get(target, {})
        return Wishes(
            picks={
                phase: {choice: frozenset(options) for choice, options in picks.items()}
                for phase, picks in mine.get("picks", {}).items()
            },
            unticked={phase: frozenset(paths) for phase, paths in mine.get("unticked", {}).items()},
            left_out={
                phase: {path: frozenset(hunks) for path, hunks in paths.items() if hunks}
                for phase, paths in mine.get("left_out", {}).items()
            },
            skipped=frozenset(mine.get("skipped", ())),
        )

    def pick(self, target: str, phase: str, choice: str, options: frozenset[str]) -> None:
        """Answers a choice of a phase."""
        self._of(target).setdefault("picks", {}).setdefault(phase, {})[choice] = sorted(options)
        self._write()

    def tick(self, target: str, phase: str, path: str, on: bool) -> None:
        """Takes a file into a phase, or leaves it out."""
        unticked = self._of(target).setdefault("unticked", {})
        left_out = set(unticked.get(phase, ()))
        unticked[phase] = sorted(left_out - {path} if on else left_out | {path})
        self._write()

    def tick_hunks(self, target: str, phase: str, path: str, hunks: Iterable[str], on: bool) -> None:
        """Takes hunks of a file into a phase, or leaves them out."""
        paths = self._of(target).setdefault("left_out", {}).setdefault(phase, {})
        left_out = set(paths.get(path, ()))
        paths[path] = sorted(left_out - set(hunks) if on else left_out | set(hunks))
        self._write()

    def skip(self, target: str, phase: str, on: bool) -> None:
        """Sets a phase aside, or takes it up again."""
        mine = self._of(target)
        skipped = set(mine.get("skipped", ()))
        mine["skipped"] = sorted(skipped | {phase} if on else skipped - {phase})
        self._write()

    @property
    def branch_decided(self) -> bool:
        """Whether the user said where commits go."""
        return bool(self._data.get("branch_decided"))

    def decide_branch(self) -> None:
        """The user said where commits go; they are not asked again in this repository."""
        self._data["branch_decided"] = True
        self._write()

    def _of(self, target: str) -> dict[str, Any]:
        mine: dict[str, Any] = self._data["targets"].setdefault(target, {})
        return mine

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            data = {}
        return data if isinstance(data, dict) and isinstance(data.get("targets"), dict) else {"targets": {}}

    def _write(self) -> None:
        """Replaces the file in one step, so that a killed process leaves the old one or the new one."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix="choices")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(self._data, stream, indent=1, sort_keys=True)
        Path(name).replace(self._file)
