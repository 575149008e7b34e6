"""Case search among many: exact up to 100,000 cases, an index beyond. Random unit vectors, CLIP ViT-H's 1,024 numbers.

    python -m benchmarks.cases [--cases 100000] [--indexed 0] [--dim 1024] [--queries 20]

Exact: the library is written and read as `cases build` writes it, then asked for the four nearest of all cases and of
one label of sixteen. Index: the same vectors in `pipeline.caseindex` (needs faiss-cpu), and how many of the four that
are nearest it finds. Random vectors are the hardest for an index, since nothing is much nearer than anything else:
real embeddings lie in groups. Times are the processor's: they hold when other programs run beside.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import save_file

from pipeline.caseindex import CaseIndex, NoIndex
from pipeline.retrieve import CaseLibrary

Vectors = NDArray[np.float32]
LABELS = 16
NEAREST = 4


def unit(rng: np.random.Generator, n: int, dim: int) -> Vectors:
    """(n, dim), on the sphere."""
    x = rng.standard_normal((n, dim), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def grouped(rng: np.random.Generator, n: int, dim: int, groups: int = 200) -> Vectors:
    """(n, dim) around ``groups`` directions, as pictures of the same conditions are."""
    x = unit(rng, groups, dim)[rng.integers(groups, size=n)] + 0.7 * unit(rng, n, dim)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def write_library(folder: Path, n: int, dim: int) -> None:
    """``n`` cases without pictures, in the form of `cases build`."""
    rng = np.random.default_rng(0)
    rows = [
        {"id": f"C{i}", "label": f"label {i % LABELS}", "caption": "", "file": "", "skin_type": i % 6 + 1}
        for i in range(n)
    ]
    (folder / "cases.json").write_text(json.dumps(rows))
    halves = {name: torch.from_numpy(unit(rng, n, dim)).half() for name in ("image", "text")}
    save_file(halves, folder / "cases.safetensors")


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median processor seconds of all threads; once unmeasured before."""
    call()
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def exact(n: int, dim: int, queries: int) -> list[str]:
    """Loading, memory, and a search among all cases and among a label's."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as place:
        write_library(Path(place), n, dim)
        before, began = process.memory_info().rss, time.process_time()
        library = CaseLibrary(Path(place))
        loaded, grown = time.process_time() - began, process.memory_info().rss - before
        image, text = unit(np.random.default_rng(1), 2, dim)
        whole = seconds(lambda: library.search(image, text, k=NEAREST), queries)
        one = seconds(lambda: library.search(image, text, "label 3", NEAREST), queries)
    return [
        f"{n:,} cases of {dim} + {dim} numbers, compared one by one",
        f"  read from disk                  {loaded:8.2f} s, {grown / 2**20:,.0f} MB more in memory",
        f"  four nearest of all             {1000 * whole:8.1f} ms",
        f"  four nearest of one label       {1000 * one:8.1f} ms",
    ]


def indexed(n: int, dim: int, queries: int) -> list[str]:
    """Building the index, a search in it, and how many of the nearest it finds. Raises NoIndex without faiss."""
    out = []
    for name, make in (("random", unit), ("in groups", grouped)):
        rng = np.random.default_rng(2)
        vectors, asked = make(rng, n, dim), make(rng, queries, dim)
        began = time.process_time()
        index = CaseIndex(vectors)
        built = time.process_time() - began
        taken = seconds(lambda index=index, asked=asked: index.search(asked[0], 4 * NEAREST, None), queries)  # type: ignore[misc]
        found = statistics.fmean(hit(index, vectors, query) for query in asked)
        out += [
            f"{n:,} cases of {dim} numbers, {name}, in the index",
            f"  built in                        {built:8.1f} s",
            f"  nearest of all                  {1000 * taken:8.2f} ms",
            f"  of the four nearest, found      {100 * found:8.1f} %",
        ]
    return out


def hit(index: CaseIndex, vectors: Vectors, query: Vectors) -> float:
    """Share of the four nearest among what the index proposes, as the library asks it: four times as many."""
    true = np.argsort(-(vectors @ query), kind="stable")[:NEAREST]
    return len(set(true.tolist()) & set(index.search(query, 4 * NEAREST, None))) / NEAREST


def main(
    cases: Annotated[int, typer.Option(min=0, help="Cases compared one by one; 0: none.")] = 100_000,
    index: Annotated[int, typer.Option("--indexed", min=0, help="Cases in the index; 0: none.")] = 0,
    dim: Annotated[int, typer.Option(min=2, help="Numbers in an embedding.")] = 1024,
    queries: Annotated[int, typer.Option(min=1, help="Searches of each kind.")] = 20,
) -> None:
    """Measure case search; prints medians of processor seconds."""
    try:
        if cases:
            typer.echo("\n".join(exact(cases, dim, queries)))
        if index:
            typer.echo("\n".join(indexed(index, dim, queries)))
    except NoIndex as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
