"""Is a published mean ± SD possible? GRIM and GRIMMER, in exact arithmetic.

Sources: Brown & Heathers (2017), The GRIM test, Social Psychological and Personality Science 8(4), 363-369;
Anaya (2016), The GRIMMER test, PeerJ Preprints 4:e2400v1, with the analytic form of the sum of squares after
Allard (2018). Both are necessary conditions on integer data; ``closure.closure`` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from analysis.paper.rounding import Rule, rounds_to

Scale = tuple[int, int]
"""Lowest and highest point."""


@dataclass(frozen=True)
class Consistency:
    """What integer data of size ``n`` could have given a printed mean and SD.

    Attributes:
        sums: every sum of the ratings whose mean is printed as ``mean``.
        moments: every (sum, sum of squares) that gives both printed numbers; empty without an SD.
        reason: why it is impossible, in a clause; empty where it is possible.
    """

    mean: str
    sd: str | None
    n: int
    ddof: int
    sums: tuple[int, ...]
    moments: tuple[tuple[int, int], ...]
    reason: str

    @property
    def grim(self) -> bool:
        """Whether some sum gives the mean."""
        return bool(self.sums)

    @property
    def grimmer(self) -> bool:
        """Whether some sum and sum of squares give mean and SD."""
        return bool(self.moments)


def grim(mean: str, n: int, scale: Scale | None = None, rule: Rule = Rule.either) -> Consistency:
    """GRIM: is ``mean`` the mean of ``n`` whole numbers? (R: scrutiny::grim, rsprite2::GRIM_test)

    Args:
        mean: as printed, "4.16"; trailing zeros count.
        scale: lowest and highest point, where known.

    Raises:
        ValueError: n below 1, or ``mean`` is no number.
    """
    sums = _sums(mean, n, scale, rule)
    reason = "" if sums else f"no sum of {n} whole ratings gives a mean printed as {mean}"
    return Consistency(mean, None, n, 1, sums, (), reason)


def grimmer(
    mean: str, sd: str, n: int, scale: Scale | None = None, *, ddof: int = 1, rule: Rule = Rule.either
) -> Consistency:
    """GRIMMER: can ``n`` whole numbers have this mean and this SD? (R: scrutiny::grimmer, rsprite2::GRIMMER_test)

    The sum of squares is a whole number, has the parity of the sum, and lies between the squares of ratings as
    equal as possible and (with a ``scale``) those as far apart as possible.

    Args:
        ddof: 1 for the sample SD, 0 for the population SD.

    Raises:
        ValueError: n not above ``ddof``, or a number that is none.
    """
    if n <= ddof:
        raise ValueError(f"n = {n} has no SD with ddof = {ddof}")
    sums = _sums(mean, n, scale, rule)
    variance = rounds_to(sd, rule).squared()
    moments = []
    reason = "" if sums else f"no sum of {n} whole ratings gives a mean printed as {mean}"
    for total in sums:
        squares = variance.times(n - ddof).plus(Fraction(total * total, n)).integers()
        even = [square for square in squares if (square - total) % 2 == 0]
        low, high = _bounds(total, n, scale)
        moments += [(total, square) for square in even if low <= square and (high is None or square <= high)]
        if not moments:
            reason = _reason(sd, total, list(squares), even)
    return Consistency(mean, sd, n, ddof, sums, tuple(moments), "" if moments else reason)


def _sums(mean: str, n: int, scale: Scale | None, rule: Rule) -> tuple[int, ...]:
    if n < 1:
        raise ValueError(f"n = {n}: at least one rating is needed")
    low, high = (None, None) if scale is None else (n * scale[0], n * scale[1])
    found = rounds_to(mean, rule).times(n).integers()
    return tuple(s for s in found if (low is None or low <= s) and (high is None or s <= high))


def _bounds(total: int, n: int, scale: Scale | None) -> tuple[int, int | None]:
    """Smallest and largest sum of squares of ``n`` whole numbers with this sum."""
    whole, rest = divmod(total, n)
    least = (n - rest) * whole**2 + rest * (whole + 1) ** 2
    if scale is None:
        return least, None
    low, high = scale
    tops, between = divmod(total - n * low, high - low)
    if tops == n:
        return least, n * high**2
    return least, tops * high**2 + (low + between) ** 2 + (n - tops - 1) * low**2


def _reason(sd: str, total: int, squares: list[int], even: list[int]) -> str:
    if not squares:
        return f"no whole sum of squares gives an SD printed as {sd} at the sum {total}"
    if not even:
        return f"the sum of squares that gives {sd} would be odd where the sum {total} is even, or the reverse"
    return f"the sum of squares that gives {sd} at the sum {total} is out of the scale's reach"


def counts_of_percentage(percent: str, n: int, rule: Rule = Rule.either) -> range:
    """GRIM for percentages: every count out of ``n`` that is printed as ``percent`` percent; empty where none is.

    Raises:
        ValueError: n below 1, or ``percent`` is no number.
    """
    if n < 1:
        raise ValueError(f"n = {n}: at least one case is needed")
    found = rounds_to(percent, rule).times(Fraction(n, 100)).integers()
    return range(max(found.start, 0), min(found.stop, n + 1))
