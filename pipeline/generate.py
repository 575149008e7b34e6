"""Dermatology image generation (paper, section 4.4): look-alikes drawn on the user's own photo.

Stable Diffusion inpaints a square around the affected area with LoRA and IP-Adapter as planned; the result is
laid back into the photo (`frame.py`). Orders that can share an adapter set are one call of the pipeline; what does
not change between pictures or answers (the photo's latents, prompts, fused LoRA weights) is computed once.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from pipeline.formats.errors import WeightsError
from pipeline.formats.extras import Extras, tune
from pipeline.formats.ip_adapter_files import is_plus, load_ip_adapter, reference_width
from pipeline.formats.lora_files import read_lora
from pipeline.formats.lora_layers import add_for_good, put_on
from pipeline.formats.stable_diffusion import load_stable_diffusion, same_weights
from pipeline.frame import Area, Frame, cut_out, frame_around, lay_in
from pipeline.fuse import FusedLoras
from pipeline.retrieve import ClipEmbedder
from pipeline.schedule import GUIDED_VALUES, Precision, Schedule, change_scheduler, precision_of, unguided
from pipeline.types import AdapterPlan

PREVIEW_EVERY = 3
PROMPTS_KEPT = 256
DRAWN_BY = "without an affected area the role text_to_image drew the pictures"


class DrawingFailed(RuntimeError):
    """The generator gave something that is not a picture (not finite, or one flat colour)."""


@dataclass(frozen=True)
class Order:
    """One picture to draw."""

    label: str
    prompt: str
    plan: AdapterPlan
    reference: Tensor | None
    """(1, dim) image embedding of the reference case, (1, tokens, dim) for IP-Adapter plus; None without one"""
    seed: int


@dataclass(frozen=True)
class Progress:
    """After step ``step`` of ``steps``; ``previews`` in the order of the orders, or empty."""

    step: int
    steps: int
    previews: tuple[Image.Image, ...] = ()


@dataclass(frozen=True)
class Canvas:
    """The photo as the diffusion model sees it, the same for every picture of an answer."""

    square: Image.Image
    area: Image.Image
    kept: DiagonalGaussianDistribution
    """What the VAE sees in the square without its area: a distribution over latents (1, 4, h, w)"""


def seed_of(seed: int, label: str) -> int:
    """A seed of its own for each label, the same in every batch and on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{label}".encode()).digest()[:6], "big")


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
        self.nothing: Tensor | None = None
        """(1, tokens, dim), what IP-Adapter plus is given without a picture; of the plain one it is zero"""
        self.preview_every: int | None = PREVIEW_EVERY
        """Steps between two previews; None: no previews"""
        self.without_area: Generator | None = None
        """Draws where no area was found; None: this one does"""
        self.remarks: list[str] = []
        """What did not go as planned in the last drawing, for the manifest"""
        self._batches = Batches(pipe)
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

    @property
    def uses_references(self) -> bool:
        """An IP-Adapter is loaded."""
        return self.pipe.unet.encoder_hid_proj is not None

    @property
    def wants_tokens(self) -> bool:
        """IP-Adapter plus: references are the image encoder's tokens."""
        return self.uses_references and is_plus(self.pipe.unet)

    def read_references_by(self, clip: ClipEmbedder) -> None:
        """Which encoder the references come from. Raises WeightsError when the IP-Adapter was trained with another."""
        if self.without_area is not None:
            self.without_area.read_references_by(clip)
        if not self.uses_references:
            return
        self.nothing = clip.no_tokens() if self.wants_tokens else None
        vision = clip.model.config
        width = vision.vision_config.hidden_size if self.wants_tokens else vision.projection_dim
        if width != self._ip_width():
            raise WeightsError(
                f"the IP-Adapter reads pictures described by {self._ip_width()} numbers, the profile's clip role gives "
                f"{width}: take the image encoder that the IP-Adapter was trained with"
            )

    def draws_without_area(self, other: Generator) -> None:
        """A text-to-image model for photos on which no area was found. One VAE for both where it is the same one."""
        if same_weights(self.pipe.vae, other.pipe.vae):
            other.pipe.register_modules(vae=self.pipe.vae)
        self.without_area = other

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
        if mask is None and self.without_area is not None:
            yield from self.without_area.draw(photo, None, orders)
            self.remarks = [*self.without_area.remarks, DRAWN_BY]
            return
        frame = None if mask is None else frame_around(mask)
        canvas = self._canvas(photo, frame)
        work = self._batches.of([order.plan for order in orders])
        steps, done = self.schedule.steps, 0
        pictures = [photo if frame else canvas.square] * len(orders)  # what is not drawn yet is previewed as that
        while work:
            adapters, places = work.popleft()
            total = done + steps * (1 + len(work))
            try:
                for news in self._batch(canvas, adapters, [orders[i] for i in places]):
                    small = news.previews if isinstance(news, Progress) else news
                    for i, piece in zip(places, small, strict=False):
                        pictures[i] = lay_in(photo, piece, frame) if frame else piece
                    if isinstance(news, Progress):
                        yield Progress(done + news.step, total, tuple(pictures) if news.previews else ())
                done += steps
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
        steps, guided = self.schedule.steps, self.schedule.guided

        def after_step(pipe: Any, step: int, _time: Any, values: dict[str, Tensor]) -> dict[str, Tensor]:
            if cancelled.is_set():
                pipe._interrupt = True
            every = self.preview_every
            shown = every is not None and step % every == every - 1 and step + 1 < steps
            previews = self._previews(values["latents"]) if shown else ()
            tell(Progress(step + 1, steps, previews))
            return unguided(pipe, values) if step + 1 == guided < steps else values

        with torch.inference_mode(), self._wearing(adapters, orders):
            words, drawn = self._words(adapters, orders, guided > 0), self._drawn_from_seeds(canvas, orders)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
                out = self.pipe(
                    **words, **drawn, image=canvas.square, mask_image=canvas.area, height=self.size,
                    width=self.size, num_inference_steps=steps, strength=1.0,
                    guidance_scale=self.schedule.guidance if guided else 1.0,
                    **self._image_prompts(orders), output_type="np",
                    callback_on_step_end=after_step, callback_on_step_end_tensor_inputs=list(GUIDED_VALUES),
                ).images  # fmt: skip
        tell([] if cancelled.is_set() else [self._checked(o.label, x) for o, x in zip(orders, out, strict=True)])

    @contextmanager
    def _wearing(self, adapters: AdapterSet, orders: Sequence[Order]) -> Iterator[None]:
        """The adapter set in place. In a batch with references, an order without one gets none of the IP-Adapter.

        Its image tokens are zero: their keys and values are then zero as well (these layers have no bias), so that
        what the IP-Adapter adds is exactly zero, as with scale 0.
        """
        self._loras.wear(adapters.lora, adapters.lora_weight)
        if not self.uses_references:
            yield
            return
        self.pipe.set_ip_adapter_scale(adapters.ip_adapter_scale)
        n, unet = len(orders), self.pipe.unet
        planned = torch.tensor([float(o.plan.ip_adapter_scale != 0) for o in orders]).view(n, 1, 1, 1)
        has, references = planned.to(unet.device, unet.dtype), self._references(orders).to(unet.device, unet.dtype)

        def each_its_own(_module: Any, _args: Any) -> tuple[list[Tensor]]:
            # diffusers repeats the whole list for every picture, and so would give each picture all references
            return ([references if self.pipe.do_classifier_free_guidance else references[n:]],)

        def only_where_planned(_module: Any, _args: Any, tokens: list[Tensor]) -> list[Tensor]:
            return [t * has.repeat(len(t) // n, 1, 1, 1) for t in tokens]

        def in_float32(_module: Any, _args: Any, predicted: tuple[Tensor]) -> tuple[Tensor]:
            return (predicted[0].float(),)  # so that the scheduler adds up its steps without rounding to bfloat16

        hooks = [unet.encoder_hid_proj.register_forward_pre_hook(each_its_own)]
        hooks.append(unet.encoder_hid_proj.register_forward_hook(only_where_planned))
        if unet.dtype == torch.float32:
            hooks.append(unet.register_forward_hook(in_float32))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

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

    def _references(self, orders: Sequence[Order]) -> Tensor:
        """(2n, 1, dim), or (2n, 1, tokens, dim): nothing for the unguided half, then each order's reference."""
        nothing = torch.zeros(1, self._ip_width()) if self.nothing is None else self.nothing
        stacked = torch.stack([nothing if o.reference is None else o.reference for o in orders])
        return torch.cat([nothing.expand_as(stacked), stacked])

    def _image_prompts(self, orders: Sequence[Order]) -> dict[str, Any]:
        return {"ip_adapter_image_embeds": [self._references(orders)]} if self.uses_references else {}

    def _ip_width(self) -> int:
        return reference_width(self.pipe.unet)

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
