"""Fonts in a PDF: the outlines of the characters that are drawn, and nothing else of the font.

A viewer reads glyf, head, hhea, hmtx, loca, maxp, cvt, fpgm and prep of an embedded TrueType font (PDF 32000-1:2008,
table 126 and section 9.9); the characters' meaning is in the PDF's own ToUnicode map. matplotlib cuts down every other
table as well (layout rules, names), which takes six times as long and half the time of a PDF.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from fontTools import subset  # type: ignore[import-untyped]
from matplotlib.backends import _backend_pdf_ps as backend

NEEDED = frozenset({"GlyphOrder", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "cvt ", "fpgm", "prep"})

_whole = backend.get_glyphs_subset


@contextmanager
def outlines_only() -> Iterator[None]:
    """PDFs saved meanwhile hold outlines only. Not for several threads at once: the caller has a lock."""
    backend.get_glyphs_subset = _outlines  # matplotlib has no option for it
    try:
        yield
    finally:
        backend.get_glyphs_subset = _whole


def _outlines(fontfile: Any, glyphs: Any) -> AbstractContextManager[backend.SubsetResults]:
    """As matplotlib's ``get_glyphs_subset``; a font without TrueType outlines is left to it."""
    options = subset.Options(recommended_glyphs=True, font_number=fontfile.face_index)
    font = subset.load_font(fontfile, options, dontLoadGlyphNames=True)
    if "glyf" not in font:
        font.close()
        return _whole(fontfile, glyphs)
    for table in set(font.keys()) - NEEDED:
        del font[table]
    subsetter = subset.Subsetter(options=options)
    subsetter.populate(gids=glyphs)
    subsetter.subset(font)
    return backend.SubsetResults(font, subsetter.glyph_index_map)._as_cm()
