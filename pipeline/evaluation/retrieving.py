"""Similar cases: are they of the true condition, and how long does a search take in a large library?"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.casefile import write_vectors
from pipeline.evaluation.figures import Figure, mean
from pipeline.evaluation.seeing import Captions
from pipeline.evaluation.timing import LARGE
from pipeline.evaluation.unseen import photo, shown
from pipeline.phantom import LABELS, Phantom
from pipeline.retrieve import CaseLibrary
from pipeline.skingen import SkinGEN

SHOWN = 4
"""Cases a search returns."""
SEARCHES = 400


def retrieving(skingen: SkinGEN, test: Sequence[Phantom], captions: Captions) -> Iterator[Figure]:
    """Precision by label of a search by picture and caption without a label."""
    right, groups = [], []
    for p in shown(test, "searches"):
        image = skingen.clip.images([photo(p)])[0]
        words = skingen.clip.texts([captions(p)])[0]
        hits = skingen.library.search(image, words, k=SHOWN)
        right.append(float(np.mean([hit.label == p.label for hit in hits])))
        groups.append(str(p.label))
    yield mean(f"retrieval, precision at {SHOWN} by label", right, groups, at_least=0.95)


def search_seconds(width: int) -> list[float]:
    """Seconds of each of `SEARCHES` searches over `LARGE` cases with vectors of ``width``, with and without a label."""
    with tempfile.TemporaryDirectory() as folder:
        library = large_library(Path(folder), LARGE, width)
    seconds = []
    for i in range(SEARCHES):
        label = LABELS[i % len(LABELS)] if i % 2 else None
        began = time.perf_counter()
        library.search(library.image_vectors[i], library.text_vectors[i], label, SHOWN)
        seconds.append(time.perf_counter() - began)
    return seconds


def large_library(folder: Path, n: int, width: int) -> CaseLibrary:
    """A library of ``n`` rows in the files of a real one, with random unit vectors of ``width``, from a fixed seed."""
    rng = np.random.default_rng(11)
    rows = [
        {"id": f"C{i:05d}", "label": LABELS[i % len(LABELS)], "caption": "skin", "file": f"images/{i:05d}.jpg"}
        for i in range(n)
    ]
    (folder / "cases.json").write_text(json.dumps(rows))
    vectors = rng.standard_normal((2, n, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    write_vectors(folder, *vectors)
    return CaseLibrary(folder)
