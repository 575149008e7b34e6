"""Four look-alikes beside a plain loop over diffusers; first words, four pictures and memory of the running app.

    python -m benchmarks.generation [--repeats 5] [--full-steps 12] [--judged 0] [--no-app]

The peer is what a plain script would do: the same Stable Diffusion inpainting pipeline with the same weights, LoRA and
IP-Adapter, called once per picture with the same prompts, references, seeds, size and threads, for ``full-steps``
guided steps. First table: one row per lever, all rows in turn in one process. Second: what previews cost, by the VAE
and by a TAESD of random weights. Third: the app through its door, as a
participant meets it, in turn with the same loop; "without adapters" is that loop with LoRA and IP-Adapter left out,
which draws other pictures, but is the cheapest that a loop can be. The last lines are ratios of medians.
"""

from __future__ import annotations

import hashlib
import io
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from PIL import Image

from benchmarks import levers
from benchmarks.plain_loop import PlainLoop
from benchmarks.previews import preview_levers
from benchmarks.running_app import DidNotStart, Memory, running_app, wait_for_models
from pipeline.client import PipelineClient
from pipeline.loading import load_skingen
from pipeline.phantom import draw
from pipeline.photo import clean_photo
from pipeline.profile import ProfileError, load_profile
from pipeline.schedule import Schedule
from pipeline.types import Explained, ExplainRequest, Failed, ImagesReady, Manifest, MaskFound, TextDelta

if TYPE_CHECKING:
    from pipeline.skingen import SkinGEN

PICTURES = 4
FIRST_SEED = 900_000
"""Phantoms from here on are in no training set."""
TRIES = 40


@dataclass(frozen=True)
class Answered:
    """Seconds from the question, and what the peer needs to draw the same."""

    first_words: float
    pictures: float
    prompts: tuple[str, ...]
    photo: bytes
    mask: str
    manifest: Manifest


class NothingToMeasure(RuntimeError):
    """No phantom led to four pictures; the pack's weights are not trained."""


def ask(client: PipelineClient, photo: bytes, key: str) -> Answered | None:
    """One question through the door. None when fewer than four pictures were drawn."""
    sha256 = client.put_image(photo)
    began = time.monotonic()
    client.submit(ExplainRequest(key, "generated", sha256))
    first = pictures = 0.0
    prompts: tuple[str, ...] = ()
    mask = ""
    for _, event in client.events(key):
        now = time.monotonic() - began
        match event:
            case TextDelta():
                first = first or now
            case MaskFound(found):
                mask = found.image if found else ""
            case ImagesReady(images):
                pictures, prompts = now, tuple(image.prompt for image in images)
            case Explained(manifest):
                if len(prompts) != PICTURES:
                    return None
                return Answered(first, pictures, prompts, photo, mask, manifest)
            case Failed(reason):
                raise RuntimeError(reason)
            case _:
                pass
    return None


def suitable(client: PipelineClient, name: str) -> Answered:
    """The first unseen phantom with four pictures; also warms both processes up."""
    for seed in range(FIRST_SEED, FIRST_SEED + TRIES):
        buffer = io.BytesIO()
        Image.fromarray(draw(seed, size=256).image).save(buffer, "PNG")
        answered = ask(client, clean_photo(buffer.getvalue()).png, f"{name}-{seed}")
        if answered is not None:
            return answered
    raise NothingToMeasure(f"none of {TRIES} phantoms led to {PICTURES} pictures; train the pack first")


def spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):6.2f} s   ({min(seconds):.2f} to {max(seconds):.2f})"


@dataclass(frozen=True)
class Loops:
    """Seconds of the peer for the same four pictures, and without adapters."""

    adapted: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def report(answers: Sequence[Answered], loops: Loops, memory: Sequence[Memory], loading: float) -> str:
    """The table; medians over the repeats."""
    pictures = [answer.pictures for answer in answers]
    drawing = [answer.manifest.latency_s["images"] for answer in answers]
    rows = [
        f"models loaded after the app was there     {loading:6.2f} s",
        f"first words of the diagnosis              {spread([a.first_words for a in answers])}",
        f"four pictures, from the question          {spread(pictures)}",
        f"  of which drawing                        {spread(drawing)}",
        f"plain diffusers loop, four pictures       {spread(loops.adapted)}",
        f"  without adapters                        {spread(loops.bare)}",
        "",
        *(f"{m.peak:7.0f} MB at most, {m.resident:7.0f} MB resident, {m.shared_fairly:5.0f} MB shared fairly   {m.name}"
          for m in memory),
        f"{sum(m.resident for m in memory):7.0f} MB resident,"
        f" {sum(m.shared_fairly for m in memory):5.0f} MB shared fairly   together",
        "",
        f"drawing / plain loop                      {ratio(drawing, loops.adapted):6.2f}",
        f"drawing / plain loop without adapters     {ratio(drawing, loops.bare):6.2f}",
        f"whole answer / plain loop                 {ratio(pictures, loops.adapted):6.2f}",
    ]  # fmt: skip
    return "\n".join(rows)


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    return statistics.median(ours) / statistics.median(peer)


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each.")] = 5,
    profile: Annotated[str, typer.Option(help="Models: a profile's name or file.")] = "phantom",
    full_steps: Annotated[int, typer.Option(min=1, help="Steps of the plain loop.")] = 12,
    judged: Annotated[int, typer.Option(min=0, help="Photos whose pictures the judge names; 0: it is not asked.")] = 0,
    app: Annotated[bool, typer.Option(help="Measure the running app as well.")] = True,
) -> None:
    """Measure drawing and the running app beside a plain diffusers loop, in turn; prints medians and their ratio."""
    try:
        skingen = load_skingen(load_profile(profile), InMemory())
        full = Schedule(full_steps, skingen.generator.schedule.guidance)
        rows = levers.levers(skingen, full)
        task = next(levers.works(skingen, FIRST_SEED, PICTURES, 1))
        typer.echo(levers.table(levers.measure(rows, task, repeats)) + "\n")
        typer.echo(levers.table(levers.measure(preview_levers(skingen), task, repeats)) + "\n")
        if judged:
            typer.echo(levers.judged(skingen, rows, list(levers.works(skingen, FIRST_SEED, PICTURES, judged))) + "\n")
        if app:
            typer.echo(measured(repeats, profile, skingen, PlainLoop(skingen.profile, full)))
    except (NothingToMeasure, DidNotStart, ProfileError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


class InMemory(dict[str, bytes]):
    """Where the pictures of this process go: an ImageStore."""

    def put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self[name] = data
        return name

    def get(self, sha256: str) -> bytes:  # type: ignore[override]
        return self[sha256]


def same_work(skingen: SkinGEN, answered: Answered, mask: bytes) -> levers.Work:
    """What the app has just drawn, for the loop to draw."""
    area = np.asarray(Image.open(io.BytesIO(mask)).convert("L")) >= 128
    photo = np.asarray(Image.open(io.BytesIO(answered.photo)).convert("RGB"))
    labels = [plan.label for plan in answered.manifest.adapters]
    return levers.work(skingen, photo, area, labels, answered.manifest.seed)


def without_adapters(task: levers.Work) -> levers.Work:
    bare = [
        replace(order, plan=replace(order.plan, lora=None, lora_weight=0.0, ip_adapter_scale=0.0), reference=None)
        for order in task.orders
    ]
    return replace(task, orders=tuple(bare))


def timed(loop: PlainLoop, task: levers.Work) -> float:
    began = time.monotonic()
    loop.draw(task.photo, task.mask, task.orders)
    return time.monotonic() - began


def measured(repeats: int, profile: str, skingen: SkinGEN, loop: PlainLoop) -> str:
    answers, loops = [], Loops()
    with running_app(profile) as app, app.visited(), app.client() as client:
        loading = wait_for_models(client)
        chosen = suitable(client, "first")
        task = same_work(skingen, chosen, client.get_image(chosen.mask))
        bare = without_adapters(task)
        timed(loop, task)
        for n in range(repeats):
            answered = ask(client, chosen.photo, f"repeat-{n}")
            assert answered is not None, "the same question led to four pictures before"
            answers.append(answered)
            loops.adapted.append(timed(loop, task))
            loops.bare.append(timed(loop, bare))
        return report(answers, loops, app.memory(), loading)


if __name__ == "__main__":
    typer.run(main)
