"""A printed number is an interval: which exact values round to ``4.16``?

All arithmetic is exact (fractions), because whether a tie such as 4.125 belongs to ``4.12`` or to ``4.13`` decides
whether a published cell is possible: at n = 32, 8 of the 129 means on five points are such ties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Rule(StrEnum):
    """How an exact tie (the digit 5 and nothing after it) was rounded.

    ``half_up`` is the field's convention (SPSS, Excel), ``half_even`` that of Python, R and IEEE 754. ``either``
    refuses nothing that one of them allows: it is right where nobody says which program printed the table, and it is
    what the published GRIM and CLOSURE programs do.
    """

    half_up = "half_up"
    half_even = "half_even"
    either = "either"


@dataclass(frozen=True)
class Interval:
    """Exact numbers between ``low`` and ``high``; each end belongs to it or not."""

    low: Fraction
    high: Fraction
    low_in: bool = True
    high_in: bool = True

    def __contains__(self, value: Fraction | int) -> bool:
        return (self.low < value or (self.low_in and value == self.low)) and (
            value < self.high or (self.high_in and value == self.high)
        )

    def overlaps(self, other: Interval) -> bool:
        """Whether some number is in both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return low < high or (low == high and low in self and low in other)

    def times(self, factor: Fraction | int) -> Interval:
        """Every number multiplied by ``factor`` > 0."""
        return Interval(self.low * factor, self.high * factor, self.low_in, self.high_in)

    def plus(self, shift: Fraction | int) -> Interval:
        return Interval(self.low + shift, self.high + shift, self.low_in, self.high_in)

    def squared(self) -> Interval:
        """The squares of its numbers that are not negative."""
        if self.low < 0:
            return Interval(Fraction(0), self.high**2, True, self.high_in)
        return Interval(self.low**2, self.high**2, self.low_in, self.high_in)

    def integers(self) -> range:
        """The whole numbers in it, in order."""
        first, last = math.ceil(self.low), math.floor(self.high)
        first += first == self.low and not self.low_in
        last -= last == self.high and not self.high_in
        return range(first, last + 1)


def digits(text: str) -> int:
    """Decimal places of a printed number: 2 for ``4.10``."""
    return len(text.strip().partition(".")[2])


def rounds_to(text: str, rule: Rule = Rule.either) -> Interval:
    """The exact values that are printed as ``text``.

    Args:
        text: the number as printed; its decimal places count, so ``"2.70"`` is narrower than ``"2.7"``.

    Raises:
        ValueError: not a finite decimal number.
    """
    value = exact(text)
    half = Fraction(1, 2 * 10 ** digits(text))
    if rule is Rule.either:
        ends = (True, True)
    elif rule is Rule.half_even:
        even = (value * 10 ** digits(text)).numerator % 2 == 0
        ends = (even, even)
    else:  # half up is half away from zero: 2.5 -> 3 and -2.5 -> -3
        ends = (value > 0, value < 0)
    return Interval(value - half, value + half, *ends)


def exact(text: str) -> Fraction:
    """``"4.16"`` -> 104/25. Takes the typographic minus as well. Raises ValueError."""
    plain = text.strip().replace("−", "-")
    try:
        if "/" in plain or "e" in plain.lower():
            raise ValueError
        return Fraction(plain)
    except ValueError:
        raise ValueError(f"'{text}' is not a printed decimal number such as 4.16") from None
