"""Sizes as bars of blocks: the image after every step of the migration, and the layers of one image."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from phasewise.model import units
from phasewise.model.census import Layer
from phasewise.model.status import Status
from phasewise.tui import text
from phasewise.tui.present.phases import APPLIED

_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(size_bytes: int, largest_bytes: int, cells: int, fill: str = "█") -> str:
    """A bar for `size_bytes` where `largest_bytes` takes all `cells`; the last cell in eighths."""
    if largest_bytes <= 0 or size_bytes <= 0:
        return ""
    eighths = max(round(8 * cells * size_bytes / largest_bytes), 1)
    if fill != "█":
        return fill * max(eighths // 8, 1)
    whole, rest = divmod(eighths, 8)
    return fill * whole + _EIGHTHS[rest].strip()


def steps(status: Status) -> list[tuple[str, int, str]]:
    """(label, bytes, kind) of the baseline, every measured phase as they were applied, the image now, and what
    is predicted: what the plan leaves, and the floor."""
    result: list[tuple[str, int, str]] = []
    if status.baseline_measurement and status.baseline_measurement.image_bytes is not None:
        result.append(("baseline", status.baseline_measurement.image_bytes, "measured"))
    # Not in the plan's order: applied out of it, the image would seem to grow again.
    for number, row in sorted(enumerate(status.rows, 1), key=lambda pair: pair[1].nth):
        if row.state in APPLIED and row.measurement and row.measurement.image_bytes is not None:
            result.append((str(number), row.measurement.image_bytes, "failed" if row.broken else "measured"))
    now = status.current_measurement
    if now and now.image_bytes is not None and result and result[-1][1] != now.image_bytes:
        # A phase in the middle was rolled back: no row stands for the image as it is now.
        result.append(("now", now.image_bytes, "measured"))
    if result and status.floor:
        if status.floor.planned_bytes != result[-1][1]:
            result.append(("plan", status.floor.planned_bytes, "predicted"))
        result.append(("floor", status.floor.image_bytes, "predicted"))
    return result


def image_lines(status: Status | None, cells: int) -> list[Content]:
    """The image's size step by step."""
    found = steps(status) if status else []
    if not found:
        return [text.own(("No image is measured yet.", "italic dim"))]
    figures = [units.size(size_bytes) for _, size_bytes, _ in found]
    figure_cells = max(map(len, figures))
    label_cells = max(len(label) for label, _, _ in found) + 1
    largest = max(size_bytes for _, size_bytes, _ in found)
    room = max(cells - label_cells - figure_cells - 1, 4)
    return [
        _line(
            label,
            bar(size_bytes, largest, room, "▒" if kind == "predicted" else "█"),
            figure,
            kind,
            label_cells,
            cells,
        )
        for (label, size_bytes, kind), figure in zip(found, figures, strict=True)
    ]


def layer_lines(layers: Sequence[Layer], cells: int) -> list[Content]:
    """The layers of an image, oldest first, each with its size, a bar and the instruction that made it."""
    largest = max((layer.size_bytes for layer in layers), default=0)
    room = min(max(cells // 4, 8), 24)
    return [
        text.fit(
            text.own(
                (units.size(layer.size_bytes).rjust(9), "bold"),
                " ",
                (bar(layer.size_bytes, largest, room).ljust(room), "$text-primary"),
                " ",
                text.one_line(instruction(layer.created_by) or "(the base image)"),
            ),
            cells,
        )
        for layer in layers
    ]


def instruction(created_by: str) -> str:
    """An instruction as the Dockerfile has it: without the shell and BuildKit's remarks around it."""
    shown = created_by.removesuffix("# buildkit").strip()
    for prefix in ("RUN /bin/sh -c ", "/bin/sh -c #(nop) ", "/bin/sh -c "):
        if shown.startswith(prefix):
            shown = ("RUN " if "nop" not in prefix else "") + shown.removeprefix(prefix).strip()
    return " ".join(shown.split())


def _line(label: str, drawn: str, figure: str, kind: str, label_cells: int, cells: int) -> Content:
    styles = {"measured": "$text-primary", "failed": "$text-error", "predicted": "$foreground 50%"}
    figure_style = "italic dim" if kind == "predicted" else "bold"
    return text.ends(
        text.own((label.ljust(label_cells), "dim"), (drawn, styles[kind])),
        Content.styled(figure, figure_style),
        cells,
    )
