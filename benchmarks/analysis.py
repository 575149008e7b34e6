"""How long a full report takes: ``python -m benchmarks.analysis``, beside pingouin and seaborn in the same run.

The study is that of the paper: 32 participants, three systems, three repeated items and six rated once, in a real
database. Ours writes everything `python -m analysis report` writes; the peer is `benchmarks.plain_analysis`, the plain
script for the same tests and figures. They take turns, each in a process of its own, imports included; what is compared
is processor time (user + system) of the process, because the clock on the wall tells what else the machine does.

``--large`` measures 10,000 participants x 9 repeated items instead, with and without the bootstrap intervals.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEER = str(ROOT / "benchmarks" / "plain_analysis.py")
PEERS = ("pingouin", "seaborn", "statsmodels", "tabulate")
LARGE = (10_000, 9)
WITHOUT_S, WITH_S = 10.0, 60.0
"""Goals for LARGE: without and with the bootstrap, in seconds."""


@dataclass(frozen=True)
class Measured:
    """Seconds of one process, imports included."""

    cpu_s: float
    wall_s: float


def measured(*command: str) -> Measured:
    """Run ``python COMMAND`` with one thread for its linear algebra.

    Raises:
        subprocess.CalledProcessError: it failed; its words are in the exception.
    """
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(cpu, time.perf_counter() - begun)


def beside(repeats: int, draws: int) -> None:
    """Ours and the peer's in turns; ``draws`` of the peer's bootstrap (ours always draws 10,000)."""
    from benchmarks.export import fill

    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "study.db"
        fill(database, 32)
        ways = {
            "analysis report": ("-m", "analysis", "report", str(database), "--out", f"{folder}/ours"),
            # The file itself: as a module of this package it would wait for imports that it does not need.
            "pingouin + seaborn": ("-P", PEER, str(database), f"{folder}/plain", str(draws)),
        }
        found: dict[str, list[Measured]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, command in ways.items():
                found[name].append(measured(*command))
                print(
                    f"{name:20s} {found[name][-1].cpu_s:6.2f} s of processor, {found[name][-1].wall_s:6.1f} s",
                    flush=True,
                )
        files = {
            name: len(list(Path(folder, part).iterdir())) for name, part in zip(ways, ("ours", "plain"), strict=True)
        }
    cpu = {name: statistics.median(run.cpu_s for run in runs) for name, runs in found.items()}
    for name, seconds in cpu.items():
        print(f"{name:20s} median {seconds:6.2f} s of processor, {files[name]} files")
    ratio = cpu["analysis report"] / cpu["pingouin + seaborn"]
    bootstrap = f"{draws} bootstrap draws" if draws else "no bootstrap"
    print(f"ratio of the medians {ratio:.2f} (goal: at most 1), {repeats} runs each; the peer with {bootstrap}")


def large(people: int, items: int) -> None:
    """The whole report of a CSV of made-up ratings; the bootstrap's share is timed where it is called."""
    from analysis import result_items
    from analysis.report import files, summarise

    spent = [0.0]

    def timed(interval: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = time.process_time()
            try:
                return interval(*arguments)
            finally:
                spent[0] += time.process_time() - start

        return run

    for name in ("kendall_w_interval", "rank_biserial_interval"):
        setattr(result_items, name, timed(getattr(result_items, name)))
    with tempfile.TemporaryDirectory() as folder:
        path = made_up(Path(folder) / "ratings.csv", people, items)
        start, begun = time.process_time(), time.perf_counter()
        summary = summarise(path)
        loaded = time.process_time()
        summary.facts  # noqa: B018 - computed when first asked for
        known = time.process_time()
        written = sum(map(len, files(summary).values()))
        done, wall = time.process_time(), time.perf_counter() - begun
    whole = done - start
    print(f"{people} participants x {items} items x 3 systems: {written / 1e6:.1f} MB of report")
    print(f"  read, checked, compared {loaded - start:6.1f} s; all figures {known - loaded:6.1f} s; "
          f"tables and pictures {done - known:6.1f} s")  # fmt: skip
    print(f"  without the bootstrap   {whole - spent[0]:6.1f} s of processor (goal: under {WITHOUT_S:.0f} s)")
    print(
        f"  with the bootstrap      {whole:6.1f} s of processor (goal: under {WITH_S:.0f} s); {wall:.0f} s on the wall"
    )


def made_up(path: Path, people: int, items: int) -> Path:
    """Ratings 1 to 5 of ``people`` participants in balanced orders, as a CSV."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(1)
    orders = np.array(list(permutations(range(3))))[np.arange(people) % 6]
    conditions = np.array(["text", "cases", "generated"])
    drawn = (
        generator.normal(3, 0.6, (people, 1, 1)) + generator.normal(0, 0.8, (people, 3, items)) + orders[..., None] / 5
    )
    names = [f"item_{number}" for number in range(1, items + 1)]
    rows = pd.DataFrame({
        "participant": np.repeat([f"P{n:05d}" for n in range(people)], 3 * items),
        "condition": np.repeat(conditions[orders].ravel(), items),
        "period": np.repeat(np.tile([1, 2, 3], people), items),
        "item": np.tile(names, 3 * people),
        "value": np.clip(np.floor(drawn + 0.5), 1, 5).astype(int).ravel(),
    })  # fmt: skip
    rows.to_csv(path, index=False)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of each, in turns")
    parser.add_argument("--draws", type=int, default=0, help="bootstrap draws of the peer; ours always draws 10,000")
    parser.add_argument("--large", action="store_true", help="10,000 participants x 9 items, ours alone")
    options = parser.parse_args()
    if options.large:
        large(*LARGE)
        return
    missing = [name for name in PEERS if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"not installed: {', '.join(missing)}. Install the peers: python -m pip install -r requirements-bench.txt"
        )
    try:
        beside(options.repeats, options.draws)
    except subprocess.CalledProcessError as failure:
        sys.exit(f"{' '.join(failure.cmd)} failed:\n{failure.stderr.decode()}")


if __name__ == "__main__":
    main()
