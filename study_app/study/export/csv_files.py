"""CSV (RFC 4180, UTF-8, header first) that a spreadsheet opens without running anything, and its rows counted."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""OWASP, "CSV Injection"; a line break may be trimmed before a formula, and the full-width signs count as well in
some languages."""
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Statistics programs end a text, or the whole file, at some of these."""


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets a leading apostrophe; control characters but
    tab and line breaks become U+FFFD; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = CONTROLS.sub("\ufffd", value)
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write row by row; nothing is held in memory. None becomes an empty cell."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        for row in rows:
            writer.writerow([safe_cell(value) for value in row])


def count_rows(file: IO[bytes]) -> int:
    """Rows without the header. Reads bytes and counts quotation marks, so that it neither shares a mistake
    with the writer nor stops at a long cell as Python's csv reader does."""
    rows, quoted = -1, False
    for line in file:
        quoted ^= line.count(b'"') % 2 == 1
        rows += not quoted
    return rows
