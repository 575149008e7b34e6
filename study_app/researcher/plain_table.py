"""A table whose cells are shown letter by letter: what participants wrote, and why a job failed, are among them.

`st.table` reads every cell as Markdown: it would load pictures from elsewhere, make links and draw formulas.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import streamlit as st

from study_app.participant.safe_text import as_cell

LOOK = "plain_table"
"""Class of these tables; `look.py` gives them the look of Streamlit's."""

_LONG_WORD = 24


def show_table(rows: Sequence[Mapping[str, object]], alt: str) -> None:
    """``rows``: column -> value, all with the columns of the first; at least one. ``alt``: what the table is, for
    screen readers."""
    head = "".join(f'<th scope="col">{as_cell(name)}</th>' for name in rows[0])
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    label = html.escape(alt)
    st.html(f'<table class="{LOOK}" aria-label="{label}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')


def _cells(row: Mapping[str, object]) -> str:
    return "".join(_cell(str(value)) for value in row.values())


def _cell(text: str) -> str:
    """Laid out in the direction that its own letters are written in; broken within words only where one is long."""
    long = ' class="long"' if any(len(word) > _LONG_WORD for word in text.split()) else ""
    return f'<td dir="auto"{long}>{as_cell(text)}</td>'
