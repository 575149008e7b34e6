"""n, mean, sample SD, median and counts of one cell, and how numbers are printed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from statistics import median

MINUS = "−"
NOTHING = "–"
"""Printed where a figure does not exist (the SD of one answer, the mean of none)."""


@dataclass(frozen=True)
class Description:
    """One cell.

    Attributes:
        mean: None without answers.
        sd: sample standard deviation (ddof = 1), None below two answers.
        counts: scale point -> number of answers; empty where answers fall between the points.
    """

    n: int
    mean: float | None
    sd: float | None
    median: float | None
    counts: dict[int, int]

    @property
    def mean_sd(self) -> str:
        """``4.16 ± 0.63``."""
        return f"{half_up(self.mean)} ± {half_up(self.sd)}"


def describe(values: Sequence[float], scale_min: int, scale_max: int) -> Description:
    """Describe ratings on the scale ``scale_min`` to ``scale_max`` (R: mean, sd, median, table)."""
    n = len(values)
    if n == 0:
        return Description(0, None, None, None, dict.fromkeys(range(scale_min, scale_max + 1), 0))
    mean = math.fsum(values) / n
    numbers = Counter(values)  # few values occur, often
    squares = {value: (value - mean) ** 2 for value in numbers}
    sd = math.sqrt(math.fsum(map(squares.__getitem__, values)) / (n - 1)) if n > 1 else None
    whole = all(float(value).is_integer() for value in numbers)
    points = range(scale_min, scale_max + 1) if whole else ()
    return Description(n, mean, sd, float(median(values)), {point: numbers[point] for point in points})


def half_up(value: float | None, digits: int = 2) -> str:
    """Round half away from zero, as the field does; Python's half-even would print 3.125 as 3.12.

    Twelve significant digits are taken as the number meant, so that 1.005 (stored as
    1.00499999999999989) is printed as 1.01.
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    exact = Decimal(f"{value:.12g}")
    return f"{exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP):f}".replace("-", MINUS)


def bounded(value: float | None) -> str:
    """A figure between −1 and 1 in APA form: two decimals, no leading zero."""
    text = half_up(value)
    return text.replace("0.", ".", 1) if text.lstrip(MINUS).startswith("0.") else text


def p_value(p: float | None) -> str:
    """APA form: ``.004``, ``< .001``, three decimals, no leading zero."""
    if p is None:
        return NOTHING
    if p < 0.001:
        return "< .001"
    text = half_up(p, 3)
    return text.removeprefix("0") if text.startswith("0.") else text
