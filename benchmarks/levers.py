"""What each lever brings: the same four look-alikes, drawn in turn by a plain loop and by it with one lever more.

Every row holds all the rows above it. The one that is shipped is the product's own path, previews and laying in
included; below it, what cutting the schedule would bring.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.plain_loop import PlainLoop
from pipeline.fuse import FusedLoras
from pipeline.phantom import draw
from pipeline.schedule import Precision, Schedule
from pipeline.types import AdapterPlan

if TYPE_CHECKING:
    from PIL import Image

    from pipeline.evaluation.judge import Judge
    from pipeline.frame import Area
    from pipeline.orders import Order
    from pipeline.skingen import SkinGEN


@dataclass(frozen=True)
class Work:
    """One photo and what is to be drawn on it."""

    photo: Image.Image
    mask: Area
    orders: tuple[Order, ...]


@dataclass(frozen=True)
class Lever:
    """One row: how it draws, and whether its schedule is still the loop's."""

    name: str
    draw: Callable[[Work], list[Image.Image]]
    same_schedule: bool = True


@dataclass(frozen=True)
class Row:
    """What one lever was measured to bring."""

    name: str
    seconds: tuple[float, ...]
    processor: tuple[float, ...]
    """Processor seconds of all threads: steadier than the clock when other programs run beside"""
    apart: float | None
    """Mean absolute difference from the plain loop's pictures inside the area, of 255 levels; None after a change of
    schedule, which draws other pictures"""


class FusedLoop(PlainLoop):
    """The plain loop with the LoRA added into the weights."""

    def __init__(self, skingen: SkinGEN, schedule: Schedule) -> None:
        super().__init__(skingen.profile, schedule)
        self._fused = FusedLoras(self.pipe)

    def wear(self, plan: AdapterPlan) -> None:
        self.pipe.set_ip_adapter_scale(plan.ip_adapter_scale)
        self._fused.wear(plan.lora, plan.lora_weight)


def drawing(skingen: SkinGEN, schedule: Schedule, precision: Precision, each: bool = False) -> Callable[[Work], list]:
    """Our generator under other settings than the profile's; ``each``: one order at a time."""

    def drawn(work: Work) -> list[Image.Image]:
        generator = skingen.generator
        before = generator.schedule, generator.precision
        generator.schedule, generator.precision = schedule, precision
        try:
            batches = [[order] for order in work.orders] if each else [list(work.orders)]
            return [
                picture for orders in batches for picture in finished(generator.draw(work.photo, work.mask, orders))
            ]
        finally:
            generator.schedule, generator.precision = before

    return drawn


def finished(news: Iterator[object]) -> list[Image.Image]:
    *_, last = news
    assert isinstance(last, list), "a drawing ends with its pictures"
    return last


CUT = Schedule(8, 2.5, 0.5)
"""What was shipped before: two thirds of the steps, half of them guided."""


def levers(skingen: SkinGEN, full: Schedule) -> list[Lever]:
    """The plain loop under the ``full`` schedule, then one lever more in each row, down to the product as shipped.

    Below it what guiding fewer steps, and taking fewer, would bring: faster, at a price that the judge says.
    """
    own, precision = skingen.generator.schedule, skingen.generator.precision
    plain, fused = PlainLoop(skingen.profile, full), FusedLoop(skingen, full)
    half = Schedule(own.steps, own.guidance, 0.5)
    return [
        Lever("plain diffusers loop", lambda w: plain.draw(w.photo, w.mask, w.orders)),
        Lever("+ LoRA fused into the weights", lambda w: fused.draw(w.photo, w.mask, w.orders)),
        Lever("+ prompts remembered, with previews", drawing(skingen, full, "float32", each=True)),
        Lever("+ one batch, photo encoded once", drawing(skingen, full, "float32")),
        Lever(f"+ computed in {precision}: as shipped", drawing(skingen, own, precision), own == full),
        Lever(
            f"not shipped: guidance in {half.guided} of {half.steps} steps", drawing(skingen, half, precision), False
        ),
        Lever(f"not shipped: {CUT.steps} steps, {CUT.guided} guided", drawing(skingen, CUT, precision), False),
    ]


def works(skingen: SkinGEN, first_seed: int, pictures: int, n: int) -> Iterator[Work]:
    """``n`` unseen phantoms of known conditions, each with ``pictures`` conditions to draw, its own first."""
    labels = [info.label for info in skingen.profile.labels]
    found = (draw(seed, size=256) for seed in range(first_seed, first_seed + 100 * n))
    known = (phantom for phantom in found if phantom.label in labels and phantom.mask.any())
    for i, phantom in zip(range(n), known, strict=False):
        at = labels.index(str(phantom.label))
        chosen = [labels[(at + step * (i + 1)) % len(labels)] for step in range(len(labels))]
        yield work(skingen, phantom.image, phantom.mask, tuple(dict.fromkeys(chosen))[:pictures], phantom.seed)


def work(skingen: SkinGEN, image: np.ndarray, mask: Area, labels: Sequence[str], seed: int) -> Work:
    """Caption, cases and adapters as in an answer."""
    from PIL import Image

    photo = Image.fromarray(image)
    caption = skingen.caption(photo)
    orders = skingen.orders(labels, caption, skingen.cases(photo, caption, labels), seed)
    return Work(photo, mask, tuple(orders))


def measure(rows: Sequence[Lever], task: Work, repeats: int) -> list[Row]:
    """Every lever once unmeasured, then all of them in turn, ``repeats`` times."""
    pictures = [lever.draw(task) for lever in rows]
    times: list[list[tuple[float, float]]] = [[] for _ in rows]
    for _ in range(repeats):
        for taken, lever in zip(times, rows, strict=True):
            began = time.monotonic(), time.process_time()
            lever.draw(task)
            taken.append((time.monotonic() - began[0], time.process_time() - began[1]))
    return [
        Row(
            lever.name,
            tuple(seconds for seconds, _ in taken),
            tuple(processor for _, processor in taken),
            apart(pictures[0], drawn, task.mask) if lever.same_schedule else None,
        )
        for lever, taken, drawn in zip(rows, times, pictures, strict=True)
    ]


def apart(a: Sequence[Image.Image], b: Sequence[Image.Image], mask: Area) -> float:
    """Of the picture that differs most."""
    pairs = zip(a, b, strict=True)
    return max(float(np.abs(np.asarray(x, dtype=float) - np.asarray(y, dtype=float))[mask].mean()) for x, y in pairs)


def table(rows: Sequence[Row]) -> str:
    """Medians, their ratios to the first row's, and how far the pictures are from its."""
    loop, busy = statistics.median(rows[0].seconds), statistics.median(rows[0].processor)
    lines = [
        f"{'four look-alikes, every row with those above it':48}{'median':>8}{'ratio':>8}"
        f"{'processor':>11}{'ratio':>8}{'apart of 255':>14}"
    ]
    for row in rows:
        median, processor = statistics.median(row.seconds), statistics.median(row.processor)
        far = "other steps" if row.apart is None else f"{row.apart:.3f}"
        lines.append(
            f"{row.name:48}{median:6.2f} s{median / loop:8.2f}{processor:9.2f} s{processor / busy:8.2f}{far:>14}"
        )
    return "\n".join(lines)


def named_as_asked(lever: Lever, judge: Judge, tasks: Sequence[Work]) -> float:
    """Share of the pictures that the judge names as they were ordered, 0 to 1."""
    hits: list[bool] = []
    for task in tasks:
        verdicts = judge.look(lever.draw(task))
        hits += [verdict.label == order.label for verdict, order in zip(verdicts, task.orders, strict=True)]
    return statistics.fmean(hits)


def judged(skingen: SkinGEN, rows: Sequence[Lever], tasks: Sequence[Work]) -> str:
    """The judge on the plain schedule's pictures, on ours, and on those of fewer steps; or why it was not asked."""
    from pipeline.evaluation.judge import Judge

    folder = skingen.profile.root / "judge"
    if not (folder / "model.safetensors").exists():
        return (
            f"The judge was not asked: there are no weights in {folder}; `python -m pipeline train judge` makes them."
        )
    judge, pictures = Judge.load(folder), sum(len(task.orders) for task in tasks)
    lines = [f"named as asked by the judge, {pictures} pictures on {len(tasks)} photos"]
    for row in rows[3:]:
        lines.append(f"{row.name:48}{100 * named_as_asked(row, judge, tasks):6.1f} %")
    return "\n".join(lines)
