"""How long the complete list of distributions behind a published cell takes: ``python -m benchmarks.closure``.

The cell is the one that R's unsum publishes (mean 2.7, SD 1.9, n = 130 on 1 to 5: 5,359 distributions). The peer, in
the same run, is the plain way: every count of the upper three points in loops, the two lowest solved for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

from analysis.paper.closure import closure
from analysis.paper.rounding import rounds_to

CELL = ("2.7", "1.9", 130)
PUBLISHED = 5359
REPEATS = 5


def plain(mean: str, sd: str, n: int) -> int:
    """The number of distributions on 1 to 5, counted in loops."""
    sums = rounds_to(mean).times(n).integers()
    variance = rounds_to(sd).squared()
    squares = {total: variance.times(n - 1).plus(Fraction(total * total, n)).integers() for total in sums}
    found = 0
    for fives in range(n + 1):
        for fours in range(n - fives + 1):
            for threes in range(n - fives - fours + 1):
                rest, upper = n - fives - fours - threes, 5 * fives + 4 * fours + 3 * threes
                square = 25 * fives + 16 * fours + 9 * threes
                for total in range(max(sums.start, upper + rest), min(sums.stop - 1, upper + 2 * rest) + 1):
                    twos = total - upper - rest
                    found += square + 4 * twos + (rest - twos) in squares[total]
    return found


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The fastest of several runs, in processor seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    number = len(closure(*CELL))
    first = seconds(lambda: closure(*CELL), REPEATS)
    second = seconds(lambda: plain(*CELL), 1)
    mean, sd, n = CELL
    print(f"CLOSURE of mean {mean}, SD {sd}, n = {n} on 1 to 5: {number:,} distributions (published: {PUBLISHED:,})")
    print(f"  closure             {1000 * first:8.1f} ms   (goal: under 200 ms)")
    print(f"  plain loops         {1000 * second:8.1f} ms   the same {plain(*CELL):,}")
    print(f"  ratio               {first / second:8.4f}")


if __name__ == "__main__":
    main()
