"""Says at the end of a run how many figures were compared with R's, and how far they were apart."""

from __future__ import annotations

import pytest

from tests.analysis.oracle import compared


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not compared:
        return
    terminalreporter.section("compared with R")
    for what, apart in sorted(compared.items()):
        terminalreporter.write_line(f"{what}: {len(apart)} figures, largest relative difference {max(apart):.1e}")
    total = sum(map(len, compared.values()))
    terminalreporter.write_line(f"in all: {total} figures, {max(max(apart) for apart in compared.values()):.1e}")
