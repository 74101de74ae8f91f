"""What is inside the baseline's image: by layer, by kind of file, by distribution."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from phasewise.migration import outlook
from phasewise.model import units
from phasewise.model.census import Census
from phasewise.model.status import Status
from phasewise.tui import text
from phasewise.tui.present import bars

_LARGEST = 15


def lines(status: Status, census: Census | None, cells: int) -> list[Content]:
    """The layers of the baseline and of the image now, then the census where there is one."""
    result: list[Content] = []
    for label, measurement in (
        ("Baseline", status.baseline_measurement),
        ("Now", status.current_measurement),
    ):
        if measurement and measurement.layers and (label == "Baseline" or status.head != status.baseline):
            result += [
                _heading(f"{label}, by layer"),
                *bars.layer_lines(measurement.layers, cells),
                Content(""),
            ]
    left = outlook.sentences(status.floor, status.budget_bytes)
    if left:
        said = [line for each in left for line in text.wrapped(text.plain(each, "italic"), cells)]
        result += [_heading("What the plan leaves, predicted"), *said, Content("")]
    if census is not None:
        kinds = _kinds(census)
        result += [_heading("Baseline, by kind"), *_ranked(kinds, cells), Content("")]
        names = {f"{one.name} {one.version}": one.size_bytes for one in census.distributions}
        result += [_heading("Baseline, by Python distribution"), *_ranked(names, cells), Content("")]
        result += [_heading("Baseline, by Debian package"), *_ranked(census.apt_packages, cells)]
    return result or text.wrapped(
        Content("Nothing is known of the image before the baseline is built."), cells
    )


def _kinds(census: Census) -> dict[str, int]:
    return {
        "Python distributions": sum(one.size_bytes for one in census.distributions),
        "Debian packages": sum(census.apt_packages.values()),
        "bytecode": sum(census.bytecode_bytes.values()),
        "bytecode that Python ignores": sum(census.legacy_bytecode_bytes.values()),
        "tests": sum(census.test_bytes.values()),
        "headers": sum(census.header_bytes.values()),
        "static libraries": sum(census.static_library_bytes.values()),
        "symbols that strip can drop": sum(census.strippable_bytes.values()),
        "written twice or deleted later": census.duplicated_bytes,
    }


def _ranked(sizes: Mapping[str, int], cells: int) -> list[Content]:
    """The largest first; the rest is summed up, so that nothing is lost."""
    ranked = sorted(((size_bytes, name) for name, size_bytes in sizes.items() if size_bytes), reverse=True)
    shown, rest = ranked[:_LARGEST], ranked[_LARGEST:]
    if rest:
        shown.append((sum(size_bytes for size_bytes, _ in rest), f"{len(rest)} others"))
    largest = max((size_bytes for size_bytes, _ in shown), default=0)
    room = min(max(cells // 4, 8), 24)
    return [
        text.fit(
            text.own(
                (units.size(size_bytes).rjust(9), "bold"),
                " ",
                (bars.bar(size_bytes, largest, room).ljust(room), "$text-primary"),
                " ",
                text.one_line(name),
            ),
            cells,
        )
        for size_bytes, name in shown
    ] or [text.own(("none", "dim"))]


def _heading(said: str) -> Content:
    return Content.styled(said, "bold $text-accent")
