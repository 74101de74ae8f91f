"""Proposes on a Dockerfile with Unix line endings what its own endings then get back."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from phasewise.model.phase import Declined, FileEdit, Phase
from phasewise.model.repo import RepoView


def in_unix_lines(view: RepoView, propose: Callable[[RepoView], Phase | Declined]) -> Phase | Declined:
    """What `propose` says of the view; a Dockerfile that has `\\r\\n` throughout keeps it."""
    path = view.target.dockerfile
    text = view.files[path]
    plain = text.replace("\r\n", "\n")
    if plain.replace("\n", "\r\n") != text or plain == text:
        return propose(view)
    answer = propose(view.with_edits([FileEdit(path, text, plain)]))
    if isinstance(answer, Declined):
        return answer
    (edit,) = answer.edits
    return replace(answer, edits=(FileEdit(path, text, (edit.after or "").replace("\n", "\r\n")),))
