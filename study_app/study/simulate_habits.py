"""What keeps real participants from being ideal: they leave, take long, answer without reading, leave answers out.

All by rate, and drawn for each simulated participant before they begin, so that a study can be tried with the data
that it will get. Nothing here is a shortcut: who leaves just takes no further step, as people do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields

from study_app.study.definition import Item

SLOWER, CARELESS_FASTER = 4.0, 0.25
"""How many times as long somebody slow, or careless, has a page open."""


@dataclass(frozen=True)
class Habits:
    """Shares between 0 and 1. Raises ValueError for another number."""

    drop_out: float = 0.0
    """Of the participants: leave at a page drawn evenly from all of theirs, and do not come back."""
    slow: float = 0.0
    """Of the participants: need four times as long for every answer."""
    careless: float = 0.0
    """Of the participants: any answer to any item, attention checks too, in a quarter of the time."""
    missing: float = 0.0
    """Of the answers that the study lets people leave out (`may_skip`, `prefer_not_to_say`)."""

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = getattr(self, field.name)
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"{field.name.replace('_', '-')} is {rate}: a share lies between 0 and 1")


@dataclass(frozen=True)
class Manner:
    """What one simulated participant is like. ``leaves_after``: the part of the way, 0 to 1, after which they leave;
    None for who stays. ``pace``: factor on the seconds of each answer."""

    leaves_after: float | None
    pace: float
    careless: bool
    missing: float

    def leaves(self, page: int, pages: int) -> bool:
        """Whether they leave at the ``page``-th of ``pages`` (from 1), as `flow.progress` counts them."""
        return self.leaves_after is not None and page > int(self.leaves_after * pages)

    def leaves_out(self, item: Item, chance: random.Random) -> bool:
        """Never where an answer is required."""
        return bool(self.missing) and item.missing != "required" and chance.random() < self.missing


def draw(habits: Habits, chance: random.Random) -> Manner:
    """Somebody careless is never slow."""
    leaves, careless, slow = (chance.random() < rate for rate in (habits.drop_out, habits.careless, habits.slow))
    pace = CARELESS_FASTER if careless else SLOWER if slow else 1.0
    return Manner(chance.random() if leaves else None, pace, careless, habits.missing)
