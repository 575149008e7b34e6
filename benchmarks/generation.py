"""First words, four pictures and memory of the running app, beside a plain loop over diffusers.

    python -m benchmarks.generation [--repeats 5]

The app answers through its door, as it does for a participant: diagnosis, mask, caption, cases, and four
pictures in one batch with adapters. The peer is what a plain script would do: the same Stable Diffusion
inpainting pipeline, called four times with the same prompts, size, steps and guidance, one by one, without
adapters, with the same threads. Both are measured in turn in the same run; the last line is the ratio of their medians.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from PIL import Image

from benchmarks.running_app import DidNotStart, Memory, running_app, wait_for_models
from pipeline.client import PipelineClient
from pipeline.loading import wait_politely
from pipeline.phantom import draw
from pipeline.photo import clean_photo
from pipeline.profile import Profile, ProfileError, load_profile
from pipeline.types import Explained, ExplainRequest, Failed, ImagesReady, Manifest, MaskFound, TextDelta

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


class PlainLoop:
    """The peer: one `pipe(...)` call per picture."""

    def __init__(self, profile: Profile) -> None:
        wait_politely()
        import torch
        from diffusers import StableDiffusionInpaintPipeline
        from diffusers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        torch.set_num_threads(int(profile.settings["threads"]))
        self._torch: Any = torch
        self._settings = profile.settings
        self._pipe = StableDiffusionInpaintPipeline.from_pretrained(
            profile.folder("generate"),
            dtype=torch.float32,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            local_files_only=True,
        )
        self._pipe.set_progress_bar_config(disable=True)

    def draw(self, answered: Answered, mask: bytes) -> float:
        """Seconds for all pictures of an answer."""
        size = int(self._settings["image_size"])
        photo = Image.open(io.BytesIO(answered.photo)).convert("RGB").resize((size, size))
        area = Image.open(io.BytesIO(mask)).convert("L").resize((size, size))
        began = time.monotonic()
        for n, prompt in enumerate(answered.prompts):
            self._pipe(
                prompt=prompt,
                image=photo,
                mask_image=area,
                height=size,
                width=size,
                num_inference_steps=int(self._settings["steps"]),
                guidance_scale=float(self._settings["guidance"]),
                strength=1.0,
                generator=self._torch.Generator().manual_seed(n),
            )
        return time.monotonic() - began


def spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):6.2f} s   ({min(seconds):.2f} to {max(seconds):.2f})"


def report(answers: Sequence[Answered], loop: Sequence[float], memory: Sequence[Memory], loading: float) -> str:
    """The table; medians over the repeats."""
    pictures = [answer.pictures for answer in answers]
    drawing = [answer.manifest.latency_s["images"] for answer in answers]
    rows = [
        f"models loaded after the app was there     {loading:6.2f} s",
        f"first words of the diagnosis              {spread([a.first_words for a in answers])}",
        f"four pictures, from the question          {spread(pictures)}",
        f"  of which drawing                        {spread(drawing)}",
        f"plain diffusers loop, four pictures       {spread(loop)}",
        "",
        *(f"{m.resident:7.0f} MB resident, {m.shared_fairly:5.0f} MB shared fairly   {m.name}" for m in memory),
        f"{sum(m.resident for m in memory):7.0f} MB resident,"
        f" {sum(m.shared_fairly for m in memory):5.0f} MB shared fairly   together",
        "",
        f"drawing / plain loop                      {ratio(drawing, loop):6.2f}",
        f"whole answer / plain loop                 {ratio(pictures, loop):6.2f}",
    ]
    return "\n".join(rows)


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    return statistics.median(ours) / statistics.median(peer)


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each.")] = 5,
    profile: Annotated[str, typer.Option(help="Models: a profile's name or file.")] = "phantom",
) -> None:
    """Measure the running app beside a plain diffusers loop, in turn; prints medians and their ratio."""
    try:
        typer.echo(measured(repeats, profile))
    except (NothingToMeasure, DidNotStart, ProfileError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def measured(repeats: int, profile: str) -> str:
    peer = PlainLoop(load_profile(profile))
    answers, loop = [], []
    with running_app(profile) as app, app.visited(), app.client() as client:
        loading = wait_for_models(client)
        chosen = suitable(client, "first")
        mask = client.get_image(chosen.mask)
        peer.draw(chosen, mask)
        for n in range(repeats):
            answered = ask(client, chosen.photo, f"repeat-{n}")
            assert answered is not None, "the same question led to four pictures before"
            answers.append(answered)
            loop.append(peer.draw(chosen, mask))
        return report(answers, loop, app.memory(), loading)


if __name__ == "__main__":
    typer.run(main)
