"""Nearest cases among more than can be compared one by one: an HNSW graph of faiss (optional, MIT)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 100_000
"""Cases that are compared one by one; 0.06 s at 1,024 numbers each (python -m benchmarks.cases)"""


class NoIndex(ImportError):
    """The library is larger than EXACT_UP_TO and faiss is not installed."""


class CaseIndex:
    """Cases by inner product; what it finds is nearly always, not always, the nearest (Malkov & Yashunin 2018).

    Measured in benchmarks/cases.py: with efSearch 64, faiss' neighbourhood, half of them on random vectors."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """``vectors``: (n, dim). Raises NoIndex."""
        self._faiss: Any = _faiss(len(vectors))
        self._index = self._faiss.IndexHNSWFlat(vectors.shape[1], 32, self._faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = 80
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def search(self, query: NDArray[np.float32], k: int, among: NDArray[np.intp] | None) -> list[int]:
        """Places of the ``k`` nearest, best first; only of ``among`` where it is given."""
        options: dict[str, Any] = {"efSearch": max(512, 4 * k)}
        if among is not None:
            options["sel"] = self._faiss.IDSelectorBatch(among.astype(np.int64))
        parameters = self._faiss.SearchParametersHNSW(**options)
        _, found = self._index.search(np.asarray(query, dtype=np.float32)[None], k, params=parameters)
        return [int(i) for i in found[0] if i >= 0]


def _faiss(n: int) -> Any:
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise NoIndex(
            f"{n} cases are more than the {EXACT_UP_TO} that are compared one by one: `pip install faiss-cpu`"
        ) from error
