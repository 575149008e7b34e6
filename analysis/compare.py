"""Within-subject comparison of conditions on ratings: Friedman, exact Wilcoxon pairs, Holm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import pandas as pd

from analysis.friedman import Friedman, friedman
from analysis.holm import holm
from analysis.wilcoxon import Signed, signed_rank

Met = Callable[[str, str], bool]


@dataclass(frozen=True)
class Pair:
    """``first`` minus ``second`` (condition keys, in the study's order), pairwise complete."""

    first: str
    second: str
    test: Signed
    p_holm: float | None
    left_out: tuple[str, ...]

    @property
    def name(self) -> str:
        """``text-cases``."""
        return f"{self.first}-{self.second}"


@dataclass(frozen=True)
class Comparison:
    """All tests of one item (its key)."""

    item: str
    friedman: Friedman
    pairs: tuple[Pair, ...]


Comparisons = tuple[Comparison, ...]


def compare_items(frames: dict[str, pd.DataFrame], met: Met = lambda participant, condition: True) -> Comparisons:
    """Compare each item's conditions; Friedman is Holm-corrected over the items.

    Args:
        frames: item key -> (participants, conditions) ratings, NaN where nothing was answered.
        met: whether a participant was to rate a condition; who was not is not named among those left out.
    """
    found = [compare(item, frame, met) for item, frame in frames.items()]
    corrected = holm([comparison.friedman.p for comparison in found])
    return tuple(
        replace(comparison, friedman=replace(comparison.friedman, p_holm=p))
        for comparison, p in zip(found, corrected, strict=True)
    )


def compare(item: str, frame: pd.DataFrame, met: Met = lambda participant, condition: True) -> Comparison:
    """Friedman (listwise) and every pair (pairwise, Holm over the item's pairs).

    Pairs are the earlier minus the later condition in the study's order: a negative effect says that
    the later one is rated higher.
    """
    keys = [str(key) for key in frame.columns]
    complete = frame.dropna()
    omnibus = replace(friedman(complete.to_numpy(float)), left_out=_absent(frame, complete, keys, met))
    order = list(combinations(range(len(keys)), 2))
    tests, absent = [], []
    for a, b in order:
        both = frame.iloc[:, [a, b]].dropna()
        tests.append(signed_rank((both.iloc[:, 0] - both.iloc[:, 1]).to_numpy(float)))
        absent.append(_absent(frame, both, [keys[a], keys[b]], met))
    corrected = holm([test.p for test in tests])
    pairs = tuple(
        Pair(keys[a], keys[b], test, p, gone)
        for (a, b), test, p, gone in zip(order, tests, corrected, absent, strict=True)
    )
    return Comparison(item, omnibus, pairs)


def _absent(frame: pd.DataFrame, used: pd.DataFrame, keys: Sequence[str], met: Met) -> tuple[str, ...]:
    if len(frame) == len(used):
        return ()
    left = [str(participant) for participant in frame.index.difference(used.index, sort=False)]
    return tuple(who for who in left if all(met(who, key) for key in keys))
