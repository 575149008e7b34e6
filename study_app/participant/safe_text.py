"""Foreign text on a page: what a model or a participant wrote is shown as text, never interpreted.

Streamlit's Markdown would load images, make links, colour words and draw formulas; escaping it is a
race against every extension. HTML has one well-known escape, so foreign text goes through `st.html`.
"""

from __future__ import annotations

import html
import re
import unicodedata

import streamlit as st

_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", re.DOTALL)
_FIRST = '<p dir="auto">'
_LAST = '<p dir="auto" style="margin-bottom:0">'  # the container has its own distance to what follows
_KEPT_CONTROLS = "\n\t"
_BIDI_CONTROLS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def as_html(text: str, *, bold: bool, language: str = "") -> str:
    """HTML that shows ``text`` letter by letter; with ``bold``, ``**words**`` become bold.

    Blank lines separate paragraphs; each is laid out in the direction that its own letters are written in. Control
    characters and the marks that turn the direction of writing are dropped: they could make one sentence look like
    another. ``language``: the tag of the language that the text is in, so that a screen reader speaks it rightly; empty
    where it is the page's.
    """
    escaped = _escaped(text)
    if bold:
        escaped = _BOLD.sub(r"<strong>\1</strong>", escaped)
    parts = [part.strip().replace("\n", "<br>") for part in re.split(r"\n\s*\n", escaped) if part.strip()]
    first, last = parts[:-1], parts[-1:]
    shown = "".join([f"{_FIRST}{part}</p>" for part in first] + [f"{_LAST}{part}</p>" for part in last])
    return f'<div lang="{html.escape(language)}">{shown}</div>' if language and shown else shown


def as_cell(text: str) -> str:
    """HTML that shows ``text`` letter by letter in a cell of a table, in lines but without paragraphs of its own; what
    `as_html` drops is dropped."""
    return _escaped(text).strip().replace("\n", "<br>")


def _escaped(text: str) -> str:
    return html.escape("".join(c for c in text if _visible(c)))


def _visible(character: str) -> bool:
    if character in _BIDI_CONTROLS:
        return False
    return character in _KEPT_CONTROLS or unicodedata.category(character) != "Cc"


def show_text(text: str, *, bold: bool = False, language: str = "") -> None:
    """Show foreign text at this place of the page; nothing for blank text."""
    shown = as_html(text, bold=bold, language=language)
    if shown:
        st.html(shown)
