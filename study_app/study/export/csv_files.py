"""CSV (RFC 4180, UTF-8, header first) that a spreadsheet opens without running anything, and its rows counted."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""OWASP, "CSV Injection"; a line break may be trimmed before a formula, and the full-width signs count as well in
some languages."""
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Statistics programs end a text, or the whole file, at some of these."""
ROWS_AT_ONCE = 2000
BYTES_AT_ONCE = 1 << 20
_BETWEEN = "\x1f"
"""Stands before every text when many are searched at once; itself one of CONTROLS."""
_SUSPECT = re.compile(rf"{_BETWEEN}[{re.escape(''.join(FORMULA_STARTS))}]|[\x00-\x08\x0b\x0c\x0e-\x1e]")


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets a leading apostrophe; control characters but
    tab and line breaks become U+FFFD; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = CONTROLS.sub("\ufffd", value)
    return "'" + text if text.startswith(FORMULA_STARTS) else text


class CsvFile:
    """A CSV file that is written some rows at a time: ``with CsvFile(file, header) as out: out.add(rows)``."""

    def __init__(self, file: Path, header: Sequence[str]) -> None:
        self._out = file.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._out)
        self._writer.writerow(header)

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Rows of the same length; None becomes an empty cell."""
        self._writer.writerows(_safe_rows(rows))

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()


def write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write all of ``rows``, of which only ROWS_AT_ONCE are in memory."""
    with CsvFile(file, header) as out:
        for some in batches(rows):
            out.add(some)


def batches(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    """ROWS_AT_ONCE rows at a time."""
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        yield some


def _safe_rows(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """The rows with `safe_cell` done to every cell; column by column, since most columns have nothing to be done."""
    columns = list(zip(*rows, strict=True))
    touched = [place for place, column in enumerate(columns) if _suspect(column)]
    if not touched:
        return rows
    for place in touched:
        columns[place] = tuple(map(safe_cell, columns[place]))
    return list(zip(*columns, strict=True))


def _suspect(column: Sequence[Any]) -> bool:
    """Whether `safe_cell` may change a cell: all texts are searched at once. Never False where one is changed."""
    texts = [value for value in set(column) if isinstance(value, str)]
    joined = _BETWEEN + _BETWEEN.join(texts)
    return _SUSPECT.search(joined) is not None or joined.count(_BETWEEN) > max(len(texts), 1)


def count_rows(file: IO[bytes]) -> int:
    """Rows without the header. Reads bytes and counts line ends outside quotation marks, so that it neither shares a
    mistake with the writer nor stops at a long cell as Python's csv reader does."""
    rows, quoted, last = -1, False, b"\n"
    while some := file.read(BYTES_AT_ONCE):
        parts = some.split(b'"')
        rows += b"".join(parts[quoted::2]).count(b"\n")
        quoted ^= len(parts) % 2 == 0
        last = some[-1:]
    return rows + (last != b"\n" and not quoted)
