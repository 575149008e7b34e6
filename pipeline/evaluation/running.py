"""Runs the parts of an evaluation in processes of their own, each with its own models on one thread.

The models are small: two parts side by side use two cores better than one part on two threads. And with one thread
in every process the figures do not depend on how many there are. Nothing here imports torch before it must.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.evaluation import kept
from pipeline.evaluation.figures import Figure
from pipeline.profile import load_profile

if TYPE_CHECKING:
    from pipeline.evaluation.pack import Evaluation

PARTS = ("seeing", "talking", "abstaining", "masking", "retrieving", "drawing", "timing")
"""In the order of the card's table."""

_LONGEST_FIRST = ("drawing", "talking", "masking", "seeing", "abstaining", "retrieving")
"""So that no process is left alone with a long part at the end."""

THREADS = 1


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    profile: str = "phantom"
    """Name or file"""
    n: int = 600
    """Unseen phantoms"""
    drawn: int = 96
    """Of these, the first so many are drawn on"""
    photos: Path | None = None
    """Folder of real photographs, to be abstained on"""


@dataclass(frozen=True)
class Measured:
    """What one part gave, and how long it took."""

    part: str
    figures: tuple[Figure, ...]
    seconds: float | None
    """None: not measured now, but kept of an earlier run"""


def run(
    plan: Plan, parts: Sequence[str], jobs: int, report: Callable[[Measured], None], *, afresh: bool = False
) -> list[Figure]:
    """All figures of ``parts`` in the card's order; each part is reported as soon as it is done.

    ``jobs``: processes, some 1 GB of memory each; ``afresh``: also what an earlier run measured of the same models.
    Time is measured last, when no other part runs, and always. Raises what a part raises; parts that have not begun
    then are not begun, and those that are done need not be measured again.
    """
    keys = _keys(plan, parts)
    done: dict[str, Measured] = {}
    if not afresh:
        done = {part: Measured(part, old, None) for part in keys if (old := kept.read(part, keys[part])) is not None}
    for measured in done.values():
        report(measured)
    queued = [part for part in _LONGEST_FIRST if part in keys and part not in done]
    if queued:
        with ProcessPoolExecutor(min(jobs, len(queued)), multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(_measure, part, plan) for part in queued]
            try:
                for future in as_completed(futures):
                    measured = future.result()
                    done[measured.part] = measured
                    kept.write(measured.part, keys[measured.part], measured.figures)
                    report(measured)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    if "timing" in parts:
        done["timing"] = _timed(plan)
        report(done["timing"])
    return [figure for part in PARTS if part in done for figure in done[part].figures]


def _keys(plan: Plan, parts: Sequence[str]) -> dict[str, str]:
    profile = load_profile(plan.profile)
    sizes = {part: (plan.n, plan.drawn) if part == "drawing" else (plan.n,) for part in parts if part != "timing"}
    return {part: kept.key(part, profile, plan.photos, sizes[part]) for part in sizes}


def _measure(part: str, plan: Plan) -> Measured:
    began = time.monotonic()
    evaluation = _evaluation(plan)
    from pipeline.evaluation.pack import MEASURES

    return Measured(part, tuple(MEASURES[part](evaluation)), time.monotonic() - began)


@cache
def _evaluation(plan: Plan) -> Evaluation:
    """The models and phantoms of this process: loaded for its first part, kept for the next."""
    from pipeline.explaining import MemoryImages
    from pipeline.loading import load_skingen

    skingen = load_skingen(load_profile(plan.profile), MemoryImages(), THREADS)
    from pipeline.evaluation.pack import Evaluation

    return Evaluation(skingen, plan)


def _timed(plan: Plan) -> Measured:
    from pipeline.evaluation.timing import timing

    began = time.monotonic()
    figures = tuple(timing(plan.profile, load_profile(plan.profile).root))
    return Measured("timing", figures, time.monotonic() - began)
