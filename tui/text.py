"""The only way for foreign text onto the screen: never parsed as markup, everything in it visible."""

from __future__ import annotations

from textual.content import Content

from phasewise.model.display import log_line, one_line, visible

__all__ = ["ends", "fit", "folded", "log_line", "one_line", "own", "plain", "visible", "wrapped"]


def plain(text: str, style: str = "") -> Content:
    """`text` from outside as content of one style; the text is never parsed."""
    return Content.styled(visible(text), style) if style else Content(visible(text))


def own(*parts: str | tuple[str, str]) -> Content:
    """Content from texts and (text, style) pairs, none of it parsed as markup, all of it made visible."""
    return Content.assemble(
        *(visible(part) if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts)
    )


def fit(content: Content, cells: int) -> Content:
    """`content` on exactly `cells` cells: cut with an ellipsis, or padded."""
    return content.truncate(max(cells, 0), ellipsis=True, pad=True)


def ends(left: Content, right: Content, cells: int) -> Content:
    """`left` and `right` at the two ends of a line; where both do not fit, `left` is cut."""
    room = cells - right.cell_length
    if right.cell_length == 0:
        return fit(left, cells)
    return fit(left, max(room - 1, 0)) + Content(" ") + right if room > 1 else fit(right, cells)


def wrapped(content: Content, cells: int, indent: int = 0) -> list[Content]:
    """`content` over as many lines as it takes, word by word, each behind `indent` spaces."""
    margin = Content(" " * indent)
    width = max(cells - indent, 10)
    return [margin + line for line in content.wrap(width)] or [Content("")]


def folded(content: Content, cells: int) -> list[Content]:
    """`content` over as many lines as it takes, broken wherever the line is full, as a terminal does."""
    if content.cell_length <= cells:
        return [content]
    return content.fold(max(cells, 1))
