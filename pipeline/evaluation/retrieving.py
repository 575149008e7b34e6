"""Similar cases: are they of the true condition, and how long does a search take in a large library?"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from pipeline.evaluation.figures import Figure, mean
from pipeline.evaluation.seeing import Captions
from pipeline.evaluation.unseen import photo, shown
from pipeline.phantom import LABELS, Phantom
from pipeline.retrieve import CaseLibrary
from pipeline.skingen import SkinGEN

SHOWN = 4
"""Cases a search returns."""
LARGE = 20_000
SEARCHES = 400


def retrieving(skingen: SkinGEN, test: Sequence[Phantom], captions: Captions) -> Iterator[Figure]:
    """Precision by label of a search by picture and caption without a label, and the time of a search."""
    right, groups, queries = [], [], []
    for p in shown(test, "searches"):
        image = skingen.clip.images([photo(p)])[0]
        words = skingen.clip.texts([captions(p)])[0]
        queries.append((image, words, str(p.label)))
        hits = skingen.library.search(image, words, k=SHOWN)
        right.append(float(np.mean([hit.label == p.label for hit in hits])))
        groups.append(str(p.label))
    yield mean(f"retrieval, precision at {SHOWN} by label", right, groups, at_least=0.95)
    with tempfile.TemporaryDirectory() as folder:
        library = large_library(Path(folder), LARGE, width=len(queries[0][0]))
        seconds = [_timed(library, *queries[i % len(queries)]) for i in range(SEARCHES)]
    value = 1000 * float(np.percentile(seconds, 95))
    what = f"one search over {LARGE:,} cases, 95th percentile"
    yield Figure(what, value, SEARCHES, "ms", at_most=30, this_machine=True)


def large_library(folder: Path, n: int, width: int) -> CaseLibrary:
    """A library of ``n`` rows in the files of a real one, with random unit vectors of ``width``, from a fixed seed."""
    rng = np.random.default_rng(11)
    rows = [
        {"id": f"C{i:05d}", "label": LABELS[i % len(LABELS)], "caption": "skin", "file": f"images/{i:05d}.jpg"}
        for i in range(n)
    ]
    (folder / "cases.json").write_text(json.dumps(rows))
    vectors = {}
    for name in ("image", "text"):
        random = rng.standard_normal((n, width)).astype(np.float32)
        vectors[name] = torch.from_numpy(random / np.linalg.norm(random, axis=1, keepdims=True)).half()
    save_file(vectors, folder / "cases.safetensors")
    return CaseLibrary(folder)


def _timed(library: CaseLibrary, image: np.ndarray, words: np.ndarray, label: str) -> float:
    """Seconds of one search as the app makes it: among the cases of a label."""
    began = time.perf_counter()
    library.search(image, words, label, SHOWN)
    return time.perf_counter() - began
