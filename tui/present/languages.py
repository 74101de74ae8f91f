"""Syntax colours: spans over one file's text, by the lexer that its name calls for."""

from __future__ import annotations

from pathlib import PurePosixPath

from textual.content import Span

_BY_SUFFIX = {
    ".yml": "yaml",
    ".yaml": "yaml",
    ".toml": "toml",
    ".py": "python",
    ".sh": "bash",
    ".json": "json",
    ".cfg": "ini",
    ".ini": "ini",
}
_LARGEST_CHARACTERS = 200_000
"""Longer files stay plain: colouring them would hold up the screen."""


def language(path: str) -> str:
    """The lexer's name for a path; `text` where none fits."""
    name = PurePosixPath(path).name.lower()
    if "dockerfile" in name.split(".") or name.startswith("containerfile"):
        return "docker" if not name.endswith("ignore") else "text"
    return _BY_SUFFIX.get(PurePosixPath(name).suffix, "text")


def coloured_lines(source: str, path: str) -> list[tuple[str, list[Span]]]:
    """Every line of `source` (already made visible) with the spans that colour it."""
    lines = source.split("\n")
    name = language(path)
    if name == "text" or len(source) > _LARGEST_CHARACTERS:
        return [(line, []) for line in lines]
    return list(zip(lines, _spans_by_line(source, name, len(lines)), strict=True))


def _spans_by_line(source: str, name: str, count: int) -> list[list[Span]]:
    """The lexer's tokens as spans, cut at the newlines."""
    # Imported here: pygments is not needed for the first frame.
    from pygments.lexers import get_lexer_by_name

    spans: list[list[Span]] = [[] for _ in range(count)]
    row = column = 0
    for token, value in get_lexer_by_name(name, stripnl=False, ensurenl=False).get_tokens(source):
        style = _style(token)
        for index, piece in enumerate(value.split("\n")):
            if index:
                row, column = row + 1, 0
            if piece and style and row < count:
                spans[row].append(Span(column, column + len(piece), style))
            column += len(piece)
    return spans


def _style(token: object) -> str:
    """The style of the nearest ancestor that has one."""
    from textual.highlight import HighlightTheme

    styles = HighlightTheme.STYLES
    while token is not None:
        if token in styles:
            # A diff line has its own background, so the theme's error colours would hide it.
            return str(styles[token]) if " on " not in str(styles[token]) else ""
        token = token.parent  # type: ignore[attr-defined]
    return ""
