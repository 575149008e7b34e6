"""Tables 3 and 5 as the report computes them, beside the published ones, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.describe import NOTHING, half_up
from analysis.export import Table
from analysis.paper.published import Cell, Published
from analysis.paper.rounding import digits
from analysis.report import Summary


@dataclass(frozen=True)
class Compared:
    """One cell: ``computed`` is the report's number at the published one's decimal places."""

    cell: Cell
    computed: str

    @property
    def equal(self) -> bool:
        return self.computed == self.cell.value


def compare_tables(summary: Summary, facts: Published) -> tuple[Compared, ...]:
    """Every cell of Tables 3 and 5, and how many took part.

    A cell that the report lacks is computed as "–", which equals nothing that was published.
    """
    numbers = {"n": float(summary.n)} | _table3(summary.table3.frame) | _table5(summary.table5.frame)
    cells = (facts.participants, *facts.select("skingen", "table3"), *facts.select("skingen", "table5"))
    return tuple(Compared(cell, _printed(numbers.get(_name(cell)), cell)) for cell in cells)


def table(compared: tuple[Compared, ...]) -> Table:
    """The comparison, one row a cell."""
    rows = [
        {
            "table": row.cell.origin,
            "row": row.cell.row,
            "column": row.cell.column,
            "published": row.cell.value,
            "computed": row.computed,
            "equal": row.equal,
        }
        for row in compared
    ]
    frame = pd.DataFrame(rows)
    display = frame.rename(columns=str.capitalize).assign(
        Equal=["equal" if row.equal else "NOT EQUAL" for row in compared]
    )
    equal = sum(row.equal for row in compared)
    return Table(
        name="published_and_reconstructed",
        title=f"Published and reconstructed: {equal} of {len(compared)} cells are equal",
        frame=frame,
        display=display,
        note="Computed by the report from the reconstructed ratings, rounded half up to the published decimal places.",
        words=3,
    )


def _name(cell: Cell) -> str:
    return "n" if cell.column == "n" else f"{cell.row}|{cell.column}"


def _printed(number: float | None, cell: Cell) -> str:
    return NOTHING if number is None else half_up(number, digits(cell.value))


def _table3(frame: pd.DataFrame) -> dict[str, float]:
    return {
        f"{row['characteristic']}: {row['option']}|{column}": float(row[column])
        for row in frame.to_dict("records")
        for column in ("count", "percentage")
    }


def _table5(frame: pd.DataFrame) -> dict[str, float]:
    return {
        f"{row['question']}|{column}": float(row[column])
        for row in frame.to_dict("records")
        for column in ("mean", "sd")
        if row[column] is not None
    }
