"""What the papers print, as data: ``published.csv``, one row a cell, with the place it was read from.

Values stay text: ``4.10`` and ``4.1`` are different claims. An empty value is a cell that exists only in a picture.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from analysis.paper.consistency import Scale
from analysis.paper.rounding import exact

FILE = Path(__file__).with_name("published.csv")
TITLES = {
    "skingen": "SkinGEN (Lin et al., IUI '25, doi 10.1145/3708359.3712098)",
    "skingpt4": "SkinGPT-4 (Zhou et al., arXiv 2304.10691; Nature Communications 15:5649)",
    "dermdit": "DermDiT (ISBI 2025, arXiv 2504.01838)",
}


@dataclass(frozen=True)
class Cell:
    """One printed number or statement.

    Attributes:
        table, row, column: where it stands: ``table5``, the question, ``mean``.
        value: as printed; empty where nothing is printed.
        origin: table, figure or section of the paper, in words.
    """

    paper: str
    table: str
    row: str
    column: str
    value: str
    origin: str

    @property
    def number(self) -> Fraction:
        """The printed number, exactly. Raises ValueError where it is none."""
        return exact(self.value)

    @property
    def whole(self) -> int:
        """The printed whole number. Raises ValueError where it is none."""
        return int(self.value)


@dataclass(frozen=True)
class Published:
    """All cells, in the order of the file."""

    cells: tuple[Cell, ...]

    def cell(self, paper: str, table: str, row: str, column: str) -> Cell:
        """Raises KeyError for a cell that no paper has."""
        for cell in self.cells:
            if (cell.paper, cell.table, cell.row, cell.column) == (paper, table, row, column):
                return cell
        raise KeyError((paper, table, row, column))

    def select(self, paper: str, table: str, row: str | None = None, column: str | None = None) -> tuple[Cell, ...]:
        """Every cell of a table (or of one row, one column of it), in order."""
        return tuple(
            cell
            for cell in self.cells
            if (cell.paper, cell.table) == (paper, table) and row in (None, cell.row) and column in (None, cell.column)
        )

    def rows(self, paper: str, table: str) -> tuple[str, ...]:
        """Names of a table's rows, in order."""
        return tuple(dict.fromkeys(cell.row for cell in self.select(paper, table)))

    @property
    def participants(self) -> Cell:
        """How many took part in the SkinGEN study."""
        return self.cell("skingen", "text", "participants", "n")

    @property
    def scale(self) -> Scale:
        """Lowest and highest point of the SkinGEN questionnaire."""
        return (
            self.cell("skingen", "text", "scale", "lowest").whole,
            self.cell("skingen", "text", "scale", "highest").whole,
        )


@lru_cache(maxsize=1)
def published() -> Published:
    """Read ``published.csv``."""
    with FILE.open(newline="", encoding="utf-8") as file:
        return Published(tuple(Cell(**row) for row in csv.DictReader(file)))


def fingerprint() -> str:
    """SHA-256 (hex) of ``published.csv``: names the version of the facts that something was made from."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()
