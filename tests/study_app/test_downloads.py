"""Nothing leaves by the researcher's pages unless the audit hears of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

import study_app
from study_app.look import CSS
from study_app.services import services
from tests.study_app.people import arrive, walk_to
from tests.study_app.researcher_app import account, live_app, open_page

GRIDS = {"dataframe", "data_editor"}
"""Streamlit draws a download above these, and no setting takes it away."""


@pytest.fixture(autouse=True)
def app(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An app without models; one participant completed."""
    with live_app(db, monkeypatch):
        opened = services()
        walk_to(opened.store, opened.media, arrive(opened.store, opened.study), "finished")
        yield


def exported() -> list[str]:
    """What was exported, the newest first."""
    return [e.subject for e in services().store.researcher.audit.entries() if e.action == "exported"]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """label -> what the browser would get, of every download that a page offers."""
    found: dict[str, Any] = {}

    def button(label: str, data: Any, *_: Any, **__: Any) -> bool:
        found[label] = data
        return False

    monkeypatch.setattr(st, "download_button", button)
    return found


def test_every_file_of_the_results_is_made_and_written_down_at_the_click(offered: dict[str, Any]) -> None:
    page = open_page("results", account("anna", "viewer"))
    assert not page.exception
    assert list(offered) == ["PNG", "SVG", "PDF", "Report, one HTML file"]
    assert exported() == [], "looking is no export"
    starts: dict[str, bytes] = {"PNG": b"\x89PNG", "SVG": b"<?xml", "PDF": b"%PDF", "Report, one HTML file": b"<!"}
    for n, (label, made) in enumerate(offered.items(), 1):
        assert callable(made), f"{label} would leave without being made at the click"
        assert made().startswith(starts[label])
        assert len(exported()) == n
    assert exported() == ["report, one HTML file", "Figure 9, PDF", "Figure 9, SVG", "Figure 9, PNG"]


def test_the_export_page_writes_down_what_it_prepares_and_the_database(offered: dict[str, Any]) -> None:
    page = open_page("export", account("anna", "editor"))
    assert list(offered) == ["Download database"]
    page.button(key="export_prepare").click().run()
    assert list(offered) == ["Download database", "Download ZIP"]
    assert exported() == ["everything, as ZIP"]
    assert offered["Download database"]().startswith(b"SQLite format 3")
    assert exported() == ["the database", "everything, as ZIP"]


def test_no_page_has_a_grid_with_a_download_of_its_own() -> None:
    """Plain tables instead; and the tools above a chart are hidden, which offer its numbers."""
    files = sorted(Path(study_app.__file__).parent.rglob("*.py"))
    used = [
        f"{file.name}:{node.lineno}: {node.func.attr}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GRIDS
    ]
    assert len(files) > 50
    assert used == []
    assert ':has([data-testid="stVegaLiteChart"]) [data-testid="stElementToolbar"]{display:none}' in CSS
