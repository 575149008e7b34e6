"""Seconds and memory of a process that holds the models and nothing else, and the size of the pack.

    python -m pipeline.evaluation.timing PROFILE STARTED [loading]

STARTED is the time (seconds since 1970) at which the process was started. It loads all models as the app's model
server does, answers, and prints what it took as one line of JSON; with `loading` it does not answer. The evaluation
runs it as a process of its own, so that neither what is loaded already nor the test phantoms count.
"""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.evaluation.figures import Figure

if TYPE_CHECKING:
    from pipeline.profile import Profile
    from pipeline.types import Explainer, ImageStore

ANSWERS = 8
"""Answers with four pictures that are timed, after one that is not."""
LARGE = 20_000
"""Cases of the large library."""
PICTURES = 4
LOADS = 5
"""Processes that load all models. The files are then in the system's cache; a first start also reads the disk."""
TRIES = 60
SEED_OFFSET = 800_000
"""From the first test seed: other phantoms than those of the quality figures."""


@dataclass(frozen=True)
class Taken:
    """What a fresh process measured of itself."""

    loaded: float
    """Seconds from the start of the process to all models loaded, Python and libraries included"""
    first_words: list[float]
    """Seconds from the question to the first word"""
    drawn: list[float]
    """Seconds for four pictures, mask and cases found"""
    answered: list[float]
    """Seconds from the question to the fourth picture"""
    peak_gb: float
    """Most memory resident at any time, 10^9 bytes"""
    searched: list[float]
    """Seconds of searches over a large case library, made after the memory was read"""


class NothingToTime(RuntimeError):
    """Too few phantoms led to four pictures."""


def timing(profile: str, root: Path) -> Iterator[Figure]:
    """Speed and memory on this machine, and the size of all files under ``root``."""
    taken = Taken(**_in_a_fresh_process(profile))
    loads = [taken.loaded, *(_in_a_fresh_process(profile, "loading")["loaded"] for _ in range(LOADS - 1))]
    for what, seconds, goal in (
        ("first word of an answer, median", taken.first_words, 0.5),
        ("four images at the pack's size, median", taken.drawn, 4.0),
        ("whole answer with four images, median", taken.answered, None),
        ("all models loaded, from the start of the process, median", loads, 6.0),
    ):
        value, slowest = statistics.median(seconds), max(seconds)
        yield Figure(what, value, len(seconds), "s", "slowest", slowest, at_most=goal, this_machine=True)
    search, ms = f"one search over {LARGE:,} cases, 95th percentile", 1000 * float(np.percentile(taken.searched, 95))
    yield Figure(search, ms, len(taken.searched), "ms", at_most=30, this_machine=True)
    yield Figure("peak memory of the model process", taken.peak_gb, 1, "GB", at_most=1.2, this_machine=True)
    yield Figure("pack size, all files", megabytes(root), len(_files(root)), "MB", at_most=40)


def _files(root: Path) -> list[Path]:
    """What `make pack` makes: neither the card nor its figures, which this evaluation writes."""
    return [p for p in root.rglob("*") if p.is_file() and p.name not in {"figures.json", "MODEL_CARD.md"}]


def megabytes(root: Path) -> float:
    """10^6 bytes of all files of the pack."""
    return sum(p.stat().st_size for p in _files(root)) / 1e6


def _in_a_fresh_process(profile: str, *only: str) -> dict[str, Any]:
    """What it prints. Raises NothingToTime when it fails."""
    command = [sys.executable, "-m", "pipeline.evaluation.timing", profile, str(time.time()), *only]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NothingToTime(f"the timed process failed:\n{done.stderr.strip()}")
    said = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(said, dict)
    return said


def _loaded(profile: str) -> tuple[Explainer, ImageStore]:
    from pipeline.explaining import MemoryImages
    from pipeline.loading import load_explainers
    from pipeline.profile import load_profile

    images = MemoryImages()
    return load_explainers(load_profile(profile), images)["generated"], images


def measured(profile: str, began: float) -> Taken:
    """Load and answer in this process; ``began`` is the `time.time` at its start. Raises NothingToTime."""
    explainer, images = _loaded(profile)
    loaded = time.time() - began
    rows = _answered(explainer, images)
    first, drawn, total = ([row[stage] for row in rows] for stage in ("first_words", "images", "total"))
    peak = peak_memory()
    from pipeline.evaluation.retrieving import search_seconds
    from pipeline.profile import load_profile

    return Taken(loaded, first, drawn, total, peak, search_seconds(_width(load_profile(profile))))


def _answered(explainer: Explainer, images: ImageStore) -> list[dict[str, float]]:
    """Seconds by stage of `ANSWERS` answers with four pictures; one before them warms up. Raises NothingToTime."""
    from pipeline.evaluation.unseen import PHOTO, cell, photo
    from pipeline.explaining import collect
    from pipeline.phantom import draw
    from pipeline.skingen import png
    from pipeline.training.data import SEEDS
    from pipeline.types import ExplainRequest

    rows = []
    for i in range(TRIES):
        phantom = draw(SEEDS["test"] + SEED_OFFSET + i, PHOTO, *cell(i))
        request = ExplainRequest(f"timed-{i}", "generated", images.put(png(photo(phantom))), seed=i)
        answer = collect(explainer.explain(request), lambda event: None)
        if len(answer.drawn) == PICTURES and answer.manifest is not None:
            rows.append(answer.manifest.latency_s)
        if len(rows) == ANSWERS + 1:
            break
    if len(rows) < 2:
        raise NothingToTime(f"none or one of {TRIES} phantoms led to {PICTURES} pictures; train the pack first")
    return rows[1:]


def _width(profile: Profile) -> int:
    """Of the case library's vectors."""
    from pipeline.retrieve import CaseLibrary

    return int(CaseLibrary(profile.folder("cases")).image_vectors.shape[1])


def peak_memory() -> float:
    """Most resident memory of this process so far, 10^9 bytes: VmHWM on Linux, `getrusage` elsewhere."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9  # macOS counts bytes


if __name__ == "__main__":
    started = float(sys.argv[2])
    if sys.argv[3:] == ["loading"]:
        _loaded(sys.argv[1])
        print(json.dumps({"loaded": time.time() - started}))
    else:
        print(json.dumps(asdict(measured(sys.argv[1], started))))
