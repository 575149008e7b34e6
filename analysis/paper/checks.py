"""What an audit hands on: one check a claim, with the cells it was computed from and what came out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from analysis.describe import half_up
from analysis.paper.published import Cell


class Verdict(StrEnum):
    """What a computation says about a published claim."""

    holds = "holds"
    by_rounding = "only by rounding"
    """Not what the printed cells give, but the unrounded ones might."""
    contradicts = "contradicts"
    open = "not determined"
    """Nothing that was published decides it: it cannot be reproduced."""


@dataclass(frozen=True)
class Check:
    """One claim, computed.

    Attributes:
        key: stable name, ``skingen.table1.f17k-30-shot``.
        claim: what was checked.
        cells: the published cells that went in.
        published: what the paper prints, short.
        computed: what comes out instead, or as well.
        sentence: the finding in plain words.
    """

    key: str
    paper: str
    claim: str
    cells: tuple[Cell, ...]
    published: str
    computed: str
    verdict: Verdict
    sentence: str

    @property
    def origins(self) -> str:
        """Where the cells stand in the paper, each place once."""
        return "; ".join(dict.fromkeys(cell.origin for cell in self.cells))


def decide(holds: bool) -> Verdict:
    return Verdict.holds if holds else Verdict.contradicts


def total(cells: Iterable[Cell]) -> int:
    """Sum of whole numbers."""
    return sum(cell.whole for cell in cells)


def signed(value: Fraction, digits: int) -> str:
    """``+0.007``."""
    text = half_up(float(value), digits)
    return text if value < 0 else f"+{text}"
