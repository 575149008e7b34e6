"""Dermatology image generation (paper, section 4.4): look-alikes drawn on the user's own photo.

Stable Diffusion inpaints a square around the affected area with LoRA and IP-Adapter as planned; the result is
laid back into the photo (`frame.py`). Orders that can share an adapter set are one call of the pipeline; what does
not change between pictures or answers (the photo's latents, prompts, fused LoRA weights) is computed once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionInpaintPipeline
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipeline.adapt import AdapterManager, AdapterSet
from pipeline.batching import Batches, Tell, on_a_thread
from pipeline.formats.extras import Extras, tune
from pipeline.formats.ip_adapter_files import load_ip_adapter
from pipeline.formats.lora_files import read_lora
from pipeline.formats.lora_layers import add_for_good, put_on
from pipeline.formats.stable_diffusion import load_stable_diffusion, same_weights
from pipeline.frame import Area, Frame, cut_out, frame_around, lay_in
from pipeline.fuse import FusedLoras
from pipeline.orders import DrawingFailed, Order, Progress
from pipeline.references import References
from pipeline.retrieve import ClipEmbedder
from pipeline.schedule import GUIDED_VALUES, Precision, Schedule, change_scheduler, precision_of, unguided

PREVIEW_EVERY = 3
PROMPTS_KEPT = 256
DRAWN_BY = "without an affected area the role text_to_image drew the pictures"


@dataclass(frozen=True)
class Canvas:
    """The photo as the diffusion model sees it, the same for every picture of an answer."""

    square: Image.Image
    area: Image.Image
    kept: DiagonalGaussianDistribution
    """What the VAE sees in the square without its area: a distribution over latents (1, 4, h, w)"""


class Generator:
    """Stable Diffusion inpainting with its adapters. One call at a time.

    The same orders give the same pictures, bit for bit, on the same machine with the same number of threads; in
    bfloat16 they differ from float32 by less than 0.1 of 255 levels (measured on the embedded pack). Drawn
    beside other orders, a picture may differ by rounding: matrix products of another size add up in another order.
    """

    def __init__(
        self,
        pipe: StableDiffusionInpaintPipeline,
        adapters: AdapterManager,
        size: int,
        schedule: Schedule,
        precision: Precision = "float32",
    ) -> None:
        self.pipe, self.adapters = pipe, adapters
        self.size, self.schedule, self.precision = size, schedule, precision
        self.previewer: AutoencoderTiny | None = None
        """TAESD, where the profile has it"""
        self.preview_every: int | None = PREVIEW_EVERY
        """Steps between two previews; None: no previews"""
        self.without_area: Generator | None = None
        """Draws where no area was found; None: this one does"""
        self.remarks: list[str] = []
        """What did not go as planned in the last drawing, for the manifest"""
        self._batches = Batches(pipe)
        self.references = References(pipe)
        self._loras = FusedLoras(pipe)
        self._prompts: OrderedDict[tuple[str | None, float, str], Tensor] = OrderedDict()

    @classmethod
    def load(
        cls, folder: Path, adapters: AdapterManager, settings: dict[str, Any], extras: Extras | None = None
    ) -> Generator:
        """Pipeline, every LoRA and the IP-Adapter, from local files only. ``folder``: or one .safetensors file.

        Raises WeightsError when a file cannot be used, before a LoRA is put on.
        """
        extras = extras or Extras()
        loras = {lora.name: read_lora(adapters.folder / lora.file, lora.sha256) for lora in adapters.loras}
        pipe = load_stable_diffusion(folder, extras.dtype)
        if extras.few_step is not None:
            add_for_good(pipe, read_lora(extras.few_step), float(settings.get("few_step_weight", 1.0)))
        put_on(pipe, loras)
        if extras.ip_adapter is not None:
            load_ip_adapter(pipe, extras.ip_adapter)
        elif adapters.ip_adapter is not None:
            load_ip_adapter(pipe, adapters.folder / adapters.ip_adapter)
        change_scheduler(pipe, settings.get("scheduler"))
        tune(pipe, settings, extras)
        pipe.set_progress_bar_config(disable=True)
        precision = extras.precision or precision_of(settings.get("precision", "auto"))
        generator = cls(pipe, adapters, int(settings["image_size"]), Schedule.of(settings), precision)
        generator._batches.most = settings.get("batch")
        if extras.previews is not None:
            generator.previewer = AutoencoderTiny.from_pretrained(
                extras.previews, dtype=extras.dtype, local_files_only=True
            ).to(extras.device)
        return generator

    def read_references_by(self, clip: ClipEmbedder) -> None:
        """Which encoder the references come from. Raises WeightsError when the IP-Adapter was trained with another."""
        if self.without_area is not None:
            self.without_area.read_references_by(clip)
        self.references.read_by(clip)

    def draws_without_area(self, other: Generator) -> None:
        """A text-to-image model for photos on which no area was found. One VAE for both where it is the same one."""
        if same_weights(self.pipe.vae, other.pipe.vae):
            other.pipe.register_modules(vae=self.pipe.vae)
        self.without_area = other

    def drawing(self, mask: Area | None) -> Generator:
        """The one that draws: without a mask `without_area`, where there is one."""
        return self if mask is not None or self.without_area is None else self.without_area

    @property
    def scheduler_name(self) -> str:
        return type(self.pipe.scheduler).__name__

    def draw(
        self, photo: Image.Image, mask: Area | None, orders: Sequence[Order]
    ) -> Iterator[Progress | list[Image.Image]]:
        """Progress after every step, then the finished pictures in the order of ``orders``.

        Orders that can share an adapter set are drawn in one batch. Without a mask there is no place to draw on: the
        pictures are text-to-image, ``size`` pixels square. A batch that the memory does not hold is drawn in two
        halves; `remarks` says so. Closing the iterator cancels at the next step.
        Raises DrawingFailed rather than showing something that is not a picture.
        """
        self.remarks = self._batches.remarks = []
        if (other := self.drawing(mask)) is not self:
            yield from other.draw(photo, None, orders)
            self.remarks = [*other.remarks, DRAWN_BY]
            return
        frame = None if mask is None else frame_around(mask)
        canvas = self._canvas(photo, frame)
        work = self._batches.of([order.plan for order in orders])
        done = 0
        pictures = [photo if frame else canvas.square] * len(orders)  # what is not drawn yet is previewed as that
        while work:
            adapters, places = work.popleft()
            before = done
            try:
                for news in self._batch(canvas, adapters, [orders[i] for i in places]):
                    small = news.previews if isinstance(news, Progress) else news
                    for i, piece in zip(places, small, strict=False):
                        pictures[i] = lay_in(photo, piece, frame) if frame else piece
                    if isinstance(news, Progress):
                        done, total = before + news.step, before + news.steps * (1 + len(work))
                        yield Progress(done, total, tuple(pictures) if news.previews else ())
            except torch.OutOfMemoryError:
                self._batches.save_memory(len(places))
                work.extendleft(reversed(self._batches.cut(adapters, places)))
        yield pictures

    @torch.inference_mode()
    def _canvas(self, photo: Image.Image, frame: Frame | None) -> Canvas:
        """Encode the photo without its area: once, since only the draw from the posterior differs by picture.

        Without a frame all is area: nothing of any photo is kept, and inpainting is text-to-image.
        """
        if frame is None:
            square, area = Image.new("RGB", (self.size,) * 2, (128,) * 3), Image.new("L", (self.size,) * 2, 255)
        else:
            square, area = cut_out(photo, frame, self.size)
        kept = self.pipe.image_processor.preprocess(square) * (self.pipe.mask_processor.preprocess(area) < 0.5)
        return Canvas(square, area, self.pipe.vae.encode(kept.to(self.pipe.device, self.pipe.vae.dtype)).latent_dist)

    def _batch(
        self, canvas: Canvas, adapters: AdapterSet, orders: Sequence[Order]
    ) -> Iterator[Progress | list[Image.Image]]:
        """One call of the pipeline on a thread, its steps as a stream."""
        return on_a_thread(lambda tell, cancelled: self._call(canvas, adapters, orders, tell, cancelled))

    def _call(
        self, canvas: Canvas, adapters: AdapterSet, orders: Sequence[Order], tell: Tell, cancelled: threading.Event
    ) -> None:
        guided = self.schedule.guided > 0

        def after_step(pipe: Any, step: int, _time: Any, values: dict[str, Tensor]) -> dict[str, Tensor]:
            if cancelled.is_set():
                pipe._interrupt = True
            steps, every = pipe.num_timesteps, self.preview_every  # not always as many as it was asked for
            last_guided = self.schedule.guided_of(steps) if guided else steps
            shown = every is not None and step % every == every - 1 and step + 1 < steps
            previews = self._previews(values["latents"]) if shown else ()
            tell(Progress(step + 1, steps, previews))
            return unguided(pipe, values) if step + 1 == last_guided < steps else values

        with torch.inference_mode(), self.references.given_to(orders, adapters.ip_adapter_scale):
            self._loras.wear(adapters.lora, adapters.lora_weight)
            words, drawn = self._words(adapters, orders, guided), self._drawn_from_seeds(canvas, orders)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
                out = self.pipe(
                    **words, **drawn, image=canvas.square, mask_image=canvas.area, height=self.size,
                    width=self.size, num_inference_steps=self.schedule.steps, strength=1.0,
                    guidance_scale=self.schedule.guidance if guided else 1.0,
                    **self.references.options(orders), output_type="np",
                    callback_on_step_end=after_step, callback_on_step_end_tensor_inputs=list(GUIDED_VALUES),
                ).images  # fmt: skip
        tell([] if cancelled.is_set() else [self._checked(o.label, x) for o, x in zip(orders, out, strict=True)])

    def _drawn_from_seeds(self, canvas: Canvas, orders: Sequence[Order]) -> dict[str, Any]:
        """Noise and the masked photo, (n, 4, h, w) each, in the order in which the pipeline would draw them."""
        seeds = [torch.Generator().manual_seed(o.seed) for o in orders]
        kind = self.pipe.unet.dtype
        noise = [torch.randn(canvas.kept.mean.shape, generator=seed).to(kind) for seed in seeds]
        kept = [canvas.kept.sample(seed) for seed in seeds]
        scale = self.pipe.vae.config.scaling_factor
        return {"latents": torch.cat(noise), "masked_image_latents": torch.cat(kept) * scale, "generator": seeds}

    def _words(self, adapters: AdapterSet, orders: Sequence[Order], guided: bool) -> dict[str, Tensor]:
        """Embeddings of the prompts and, for guidance, of no prompt: (n, tokens, dim) each."""
        words = {"prompt_embeds": torch.cat([self._prompt(adapters, o.prompt) for o in orders])}
        if guided:
            words["negative_prompt_embeds"] = self._prompt(adapters, "").expand_as(words["prompt_embeds"])
        return words

    def _prompt(self, adapters: AdapterSet, text: str) -> Tensor:
        """(1, tokens, dim), remembered; a LoRA may change the text encoder too, so it is part of the key."""
        key = (adapters.lora, adapters.lora_weight, text)
        if key not in self._prompts:
            embedding, _ = self.pipe.encode_prompt(text, self.pipe.device, 1, do_classifier_free_guidance=False)
            self._prompts[key] = embedding
        self._prompts.move_to_end(key)
        while len(self._prompts) > PROMPTS_KEPT:
            self._prompts.popitem(last=False)
        return self._prompts[key]

    def _previews(self, latents: Tensor) -> tuple[Image.Image, ...]:
        """What the latents (n, 4, h, w) are becoming, at half the size for a quarter of the cost.

        DPM-Solver++ keeps what it expects the finished latents to be; that says more than the noisy ones.
        """
        scheduler = self.pipe.scheduler
        if scheduler.config.get("algorithm_type") == "dpmsolver++":
            latents = scheduler.model_outputs[-1]
        if self.previewer is not None:
            return _pictures(self.previewer.decode(latents.to(self.previewer.dtype)).sample)
        half = torch.nn.functional.avg_pool2d(latents, 2)
        return _pictures(
            self.pipe.vae.decode((half / self.pipe.vae.config.scaling_factor).to(self.pipe.vae.dtype)).sample
        )

    @staticmethod
    def _checked(label: str, x: NDArray[np.float32]) -> Image.Image:
        if not np.isfinite(x).all() or float(x.std()) < 1e-3:
            raise DrawingFailed(f"the picture of {label} came out empty; try again with another seed")
        return Image.fromarray(np.asarray(np.clip(x, 0, 1) * 255 + 0.5, dtype=np.uint8))


def _pictures(decoded: Tensor) -> tuple[Image.Image, ...]:
    """(n, 3, h, w), -1 to 1 -> RGB."""
    levels = ((decoded.float().clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
    return tuple(Image.fromarray(picture) for picture in levels)
