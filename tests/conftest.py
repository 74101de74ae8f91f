"""Says at the end how many tests really built images, and how many could not."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What really builds comes first: with two workers, the many short tests then fill the end."""
    items.sort(key=lambda item: item.get_closest_marker("engine") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line about the tests marked `engine`: a green run without an engine must not look complete."""

    def with_engine(outcome: str) -> int:
        reports = terminalreporter.stats.get(outcome, [])
        return sum("engine" in report.keywords for report in reports if hasattr(report, "keywords"))

    built, failed, skipped = map(with_engine, ("passed", "failed", "skipped"))
    if built or failed or skipped:
        terminalreporter.write_line(
            f"really built images: {built} tests passed, {failed} failed, {skipped} skipped for want of an engine"
        )
