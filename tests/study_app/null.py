"""Simulated studies from the door to the p value: how often the analysis rejects with no effect, and with a known one.

``python -m tests.study_app.null [STUDIES] [--people N] [--effect SIZE] [--out FILE]`` prints the shares. Every study
is one of `python -m study_app simulate`: allocation, store and views as people meet them, then `python -m analysis`'s
own loading and comparison. Each study is a line of FILE, so that a run which was cut off goes on where it stopped.
``tests/analysis/size.py`` asks the same of the tests alone, with more studies and drawn tables instead of people.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

from rich.progress import track

from analysis.compare import compare_items
from analysis.load import load
from study_app.study.definition import Likert, Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import NOISE_SD, PERSON_SD, Effect, simulate
from study_app.study.store import Store

SKINGEN = Path(__file__).parents[2] / "questionnaires" / "skingen.yaml"
ALPHA = 0.05
SHIFTED = "trust"
"""The item that an effect is put on, under the last condition; the study's other items stay without one."""


@dataclass(frozen=True)
class Found:
    """What the analysis says of one study."""

    seed: int
    people: int
    effect: float
    p: dict[str, float]
    """Item -> Friedman's exact conditional p."""
    p_holm: dict[str, float]
    """The same, corrected over the items."""
    difference: float
    """Of the shifted item: mean under the last condition minus mean under the others."""


def one_study(study: Study, people: int, effect: float, seed: int) -> Found:
    """Simulate and analyse one study, in a folder in memory where there is one: nothing of it is kept."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        db = folder / "study.db"
        store = Store.open(db)
        effects = [Effect(SHIFTED, study.conditions[-1].key, effect)] if effect else []
        simulate(study, store, MediaStore(folder_of(db), store), people, effects, seed)
        store.close()
        return _analysed(db, people, effect, seed)
    finally:
        shutil.rmtree(folder)


def _analysed(db: Path, people: int, effect: float, seed: int) -> Found:
    data = load(db)
    frames = {item.key: data.by_condition(item) for item in data.tested_items}
    tests = {found.item: found.friedman for found in compare_items(frames)}
    means = frames[SHIFTED].mean()
    p = {item: test.p_exact for item, test in tests.items() if test.p_exact is not None}
    holm = {item: test.p_holm for item, test in tests.items() if test.p_holm is not None}
    assert data.n == people
    assert len(p) == len(holm) == len(frames), "no study of this size is without an exact p"
    return Found(seed, people, effect, p, holm, float(means.iloc[-1] - means.iloc[:-1].mean()))


def studies(numbers: Sequence[int], people: int, effect: float) -> Iterator[Found]:
    study = load_study(SKINGEN)
    return (one_study(study, people, effect, seed) for seed in numbers)


def expected_difference(study: Study, effect: float) -> float:
    """The mean difference that ``effect`` leaves after rounding to the points and cutting off at the ends."""
    item = next(each for each in study.repeated_items if each.id == SHIFTED)
    assert isinstance(item, Likert)
    points = study.scale_of(item).points
    middle = points[0] + 0.6 * (points[-1] - points[0])
    return _mean(points, middle + effect) - _mean(points, middle)


def _mean(points: Sequence[int], centre: float) -> float:
    """Of a normal variable around ``centre``, rounded to the nearest of ``points``: 1 + the sum of P(above each)."""
    spread = math.hypot(PERSON_SD, NOISE_SD) * math.sqrt(2)
    return points[0] + sum(0.5 * math.erfc((point + 0.5 - centre) / spread) for point in points[:-1])


def error(n: int, share: float = ALPHA) -> float:
    """Standard error of a share seen in ``n`` studies."""
    return math.sqrt(share * (1 - share) / n)


def rejections(found: Sequence[Found]) -> dict[str, float]:
    """Item -> share of studies with p <= ALPHA; "any item, Holm": where at least one item is significant."""
    shares = {item: fmean(each.p[item] <= ALPHA for each in found) for item in found[0].p}
    return shares | {"any item, Holm": fmean(min(each.p_holm.values()) <= ALPHA for each in found)}


def kept(file: Path, people: int, effect: float) -> list[Found]:
    """Studies of this size and effect that a former run finished; a line that was cut off counts as not there."""
    found = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            each = Found(**json.loads(line))
        except json.JSONDecodeError:
            continue
        if (each.people, each.effect) == (people, effect):
            found.append(each)
    return found


def run(seeds: Sequence[int], people: int, effect: float, file: Path) -> list[Found]:
    """The studies of ``seeds``, those of ``file`` not again."""
    done = [each for each in kept(file, people, effect) if each.seed in set(seeds)]
    missing = sorted(set(seeds) - {each.seed for each in done})
    with file.open("a") as lines:
        if file.stat().st_size and not file.read_text().endswith("\n"):
            lines.write("\n")  # the line that was cut off stays alone
        for each in track(studies(missing, people, effect), "Simulated studies", total=len(missing), transient=True):
            lines.write(json.dumps(asdict(each)) + "\n")
            lines.flush()
            done.append(each)
    return done


def said(found: Sequence[Found]) -> str:
    first, n = found[0], len(found)
    lines = [f"{n} studies of {first.people} people, effect {first.effect:+g} on {SHIFTED}; rejected at {ALPHA}:"]
    for name, share in rejections(found).items():
        lines.append(f"  {name:<16} {share:.3f}  (standard error {error(n, max(share, 1 / n)):.4f})")
    differences = [each.difference for each in found]
    wanted = expected_difference(load_study(SKINGEN), first.effect)
    spread = stdev(differences) / math.sqrt(n) if n > 1 else float("nan")
    lines.append(f"  difference put in {wanted:.3f}, found {fmean(differences):.3f} (standard error {spread:.4f})")
    return "\n".join(lines)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("studies", type=int, nargs="?", default=1000)
    asked.add_argument("--people", type=int, default=12)
    asked.add_argument("--effect", type=float, default=0.0)
    asked.add_argument("--first", type=int, default=1, help="seed of the first; runs beside each other need others")
    asked.add_argument("--out", type=Path, default=Path("null.jsonl"))
    given = asked.parse_args()
    seeds = range(given.first, given.first + given.studies)
    print(said(run(seeds, given.people, given.effect, given.out)))


if __name__ == "__main__":
    main()
