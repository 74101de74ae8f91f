"""The help window: every key with its sentence, and what the signs mean."""

from __future__ import annotations

from textual.content import Content

from phasewise.model.status import State
from phasewise.tui import text
from phasewise.tui.keys import KEYS
from phasewise.tui.present import phases

_FIGURE_CELLS = 22
_FIGURES = (
    (text.own(("−410 MB predicted", "italic dim")), "from the baseline's content, not built yet"),
    (
        text.own(("−410 MB", "bold $text-success"), (" measured", "$text-success")),
        "built and measured here",
    ),
    (
        text.own("CI ", ("157 MB", "bold"), (" −56 %", "bold $text-success")),
        "another image, built and measured here, against this one",
    ),
    (text.own("plan ▒▒▒ ", ("5.50 GB", "italic dim")), "what the plan leaves, predicted"),
    (text.own("floor ▒▒ ", ("5.49 GB", "italic dim")), "what no phase removes, predicted; i names it"),
    (
        text.own(("0 B", "bold"), (" no-op ⚠", "bold $text-warning")),
        "the phase changed no byte and no step",
    ),
)


def lines(cells: int) -> list[Content]:
    """All of it, wrapped to `cells`."""
    result = [Content.styled("Keys", "bold $text-accent")]
    for key in KEYS:
        head = text.own((key.shown.rjust(10), "bold $text-primary"), "  ")
        body = text.wrapped(Content(key.help), cells, 12)
        result += [head + body[0][12:], *body[1:]]
    result += [Content(""), Content.styled("Signs", "bold $text-accent")]
    marks = [phases.CURRENT, phases.RUNNING, *(phases.mark_of(state) for state in State)]
    result += [text.own((mark.glyph.rjust(10), mark.style), f"  {mark.word}") for mark in marks]
    result += [Content(""), Content.styled("Figures", "bold $text-accent")]
    for figure, said in _FIGURES:
        gap = _FIGURE_CELLS - figure.cell_length
        body = text.wrapped(Content(said), cells, _FIGURE_CELLS + 2)
        first = body[0][_FIGURE_CELLS + 2 :]
        result += [Content("  ") + figure + Content(" " * gap) + first, *body[1:]]
    return result
