"""The Dockerfile for CI as it is committed: made from production's, without needless tools, with its header."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from phasewise.model.ci.light_dockerfile import derive, headed
from phasewise.model.debian.needless_tools import Trimmed, without_tools
from phasewise.model.phase import FileEdit
from phasewise.model.repo import RepoView


class Generated(Struct, frozen=True):
    """A Dockerfile for CI, and what it leaves out."""

    text: str
    dropped: tuple[str, ...]
    """The commands that run what is not installed there."""
    tools: Trimmed


def generated(
    view: RepoView,
    variant: str,
    lists: Mapping[str, str],
    edits: Iterable[FileEdit],
    left_out: Collection[str],
    modules: Collection[str],
    lacking: Collection[str],
) -> Generated:
    """`variant` made from the view's Dockerfile; `lists`, `left_out` and `modules` are as in `derive`.

    `edits` write the lists; `lacking` has the distributions of the baseline's image that it does without.

    Raises:
        NotDerivable: it cannot be made from this one.
    """
    derived = derive(view, lists, left_out, modules)
    built = [FileEdit(variant, view.files.get(variant), derived.text), *edits]
    tools = without_tools(
        replace(view.with_edits(built), target=replace(view.target, dockerfile=variant)), lacking
    )
    return Generated(headed(tools.text, view, lists, tools.gone), derived.dropped, tools)
