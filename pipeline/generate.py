"""Dermatology image generation (paper, section 4.4): look-alikes drawn on the user's own photo.

Stable Diffusion inpaints a square around the affected area with LoRA and IP-Adapter as planned; the result is
laid back into the photo with a soft seam inside the area, so that outside it not one pixel changes.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor

from pipeline.adapt import AdapterManager
from pipeline.types import AdapterPlan

Area = NDArray[np.bool_]
Pixels = NDArray[np.float32]


class DrawingFailed(RuntimeError):
    """The generator gave something that is not a picture (not finite, or one flat colour)."""


@dataclass(frozen=True)
class Order:
    """One picture to draw."""

    label: str
    prompt: str
    plan: AdapterPlan
    reference: Tensor | None
    """(1, dim) image embedding of the reference case; None without one"""
    seed: int


@dataclass(frozen=True)
class Progress:
    """After step ``step`` of ``steps``; ``previews`` in the order of the orders, or empty."""

    step: int
    steps: int
    previews: tuple[Image.Image, ...] = ()


@dataclass(frozen=True)
class Frame:
    """The square of the photo that is redrawn, and where in it."""

    box: tuple[int, int, int, int]
    area: Area
    """(H, W) of the whole photo: what may change"""


def seed_of(seed: int, label: str) -> int:
    """A seed of its own for each label, the same in every batch and on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{label}".encode()).digest()[:6], "big")


def frame_around(mask: Area, margin: float = 0.08, context: float = 1.5, least: float = 0.4) -> Frame:
    """Area to redraw (the mask and a margin) and the square around it with its surroundings.

    Lesions that lie close together become one area, so that a single large one can be drawn in place of many small.
    margin: dilation as a share of the affected area's extent; context: side of the square over that extent; least:
    smallest side as a share of the photo's shorter side. Raises ValueError for an empty mask.
    """
    if not mask.any():
        raise ValueError("the mask is empty: there is no area to draw on")
    height, width = mask.shape
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    extent = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    reach = max(3.0, float(extent) * margin)
    soft = gaussian_filter((distance_transform_edt(~_joined(mask, 2 * reach)) <= reach).astype(np.float32), reach / 2)
    area = (soft > 0.35) | mask
    side = int(max(extent * context, least * min(height, width)))
    if side >= min(height, width):
        return Frame((0, 0, width, height), area)
    x0 = int(np.clip((cols[0] + cols[-1]) // 2 - side // 2, 0, width - side))
    y0 = int(np.clip((rows[0] + rows[-1]) // 2 - side // 2, 0, height - side))
    return Frame((x0, y0, x0 + side, y0 + side), area)


def _joined(mask: Area, gap: float) -> Area:
    """Morphological closing with a disc of radius ``gap`` pixels."""
    rim = int(gap) + 1
    near = distance_transform_edt(~np.pad(mask, rim)) <= gap
    closed: Area = (distance_transform_edt(near) > gap)[rim:-rim, rim:-rim]
    return closed | mask


def lay_in(photo: Image.Image, drawn: Image.Image, frame: Frame, feather: float = 0.03) -> Image.Image:
    """``drawn`` scaled into the frame, blended over ``feather`` of its side; outside the area the photo stays."""
    x0, y0, x1, y1 = frame.box
    out = np.asarray(photo, dtype=np.float32).copy()
    original = out[y0:y1, x0:x1].copy()
    piece = np.asarray(drawn.resize((x1 - x0, y1 - y0), Image.Resampling.LANCZOS), dtype=np.float32)
    piece = _tone_matched(piece, original, frame.area[y0:y1, x0:x1])
    inside = distance_transform_edt(np.pad(frame.area, 1, mode="edge"))[1:-1, 1:-1]
    alpha = np.clip(inside / max(1.0, feather * (x1 - x0)), 0, 1)[y0:y1, x0:x1, None].astype(np.float32)
    out[y0:y1, x0:x1] = original * (1 - alpha) + piece * alpha
    return Image.fromarray(np.asarray(np.clip(out, 0, 255) + 0.5, dtype=np.uint8))


def _tone_matched(piece: Pixels, original: Pixels, area: Area, most: float = 12.0) -> Pixels:
    """``piece`` shifted by how it differs from the photo around the area, smoothly, by ``most`` of 255 levels at most.

    What lies outside the area is the same skin in both; where the two differ there, the VAE has shifted its tone, and
    the same shift would show as a seam.
    """
    around = (~area).astype(np.float32)
    if float(around.mean()) < 0.02:
        return piece
    reach = 0.1 * max(piece.shape[:2])
    gap = (original - piece) * around[..., None]
    overall = gap.sum((0, 1)) / around.sum()
    near = gaussian_filter(around, reach)[..., None]
    # deep inside the area nothing around it is near: there the overall shift counts
    shift = (gaussian_filter(gap, (reach, reach, 0)) + 0.01 * overall) / (near + 0.01)
    return np.asarray(piece + np.clip(shift, -most, most), dtype=np.float32)


class Generator:
    """Stable Diffusion inpainting with its adapters. One call at a time."""

    def __init__(
        self,
        pipe: StableDiffusionInpaintPipeline,
        adapters: AdapterManager,
        size: int,
        steps: int,
        guidance: float,
    ) -> None:
        self.pipe, self.adapters = pipe, adapters
        self.size, self.steps, self.guidance = size, steps, guidance

    @classmethod
    def load(cls, folder: Any, adapters: AdapterManager, settings: dict[str, Any]) -> Generator:
        """Pipeline, every LoRA and the IP-Adapter, from local files only."""
        pipe = StableDiffusionInpaintPipeline.from_pretrained(
            folder, dtype=torch.float32, safety_checker=None, feature_extractor=None, image_encoder=None,
            requires_safety_checker=False, local_files_only=True,
        )  # fmt: skip
        for lora in adapters.loras:
            pipe.load_lora_weights(
                adapters.folder, weight_name=lora.file, adapter_name=lora.name, local_files_only=True
            )
        if adapters.loras:
            pipe.disable_lora()
        pipe.load_ip_adapter(
            str(adapters.folder), subfolder="", weight_name=adapters.ip_adapter, image_encoder_folder=None,
            local_files_only=True,
        )  # fmt: skip
        pipe.set_progress_bar_config(disable=True)
        return cls(pipe, adapters, int(settings["image_size"]), int(settings["steps"]), float(settings["guidance"]))

    @property
    def scheduler_name(self) -> str:
        return type(self.pipe.scheduler).__name__

    def draw(self, photo: Image.Image, mask: Area, orders: Sequence[Order]) -> Iterator[Progress | list[Image.Image]]:
        """Progress after every step, then the finished pictures in the order of ``orders``.

        Orders that share an adapter set are drawn in one batch. Closing the iterator cancels at the next step.
        Raises DrawingFailed rather than showing something that is not a picture.
        """
        frame = frame_around(mask)
        groups: dict[tuple[str | None, float, float], list[int]] = {}
        for i, order in enumerate(orders):
            plan = order.plan
            groups.setdefault((plan.lora, plan.lora_weight, plan.ip_adapter_scale), []).append(i)
        total, done = self.steps * len(groups), 0
        pictures = [photo] * len(orders)  # what is not drawn yet is previewed as the photo it will be drawn on
        for places in groups.values():
            for news in self._batch(photo, frame, [orders[i] for i in places]):
                small = news.previews if isinstance(news, Progress) else news
                for i, piece in zip(places, small, strict=False):
                    pictures[i] = lay_in(photo, piece, frame)
                if isinstance(news, Progress):
                    yield Progress(done + news.step, total, tuple(pictures) if news.previews else ())
            done += self.steps
        yield pictures

    def _batch(
        self, photo: Image.Image, frame: Frame, orders: Sequence[Order]
    ) -> Iterator[Progress | list[Image.Image]]:
        """One call of the pipeline on a thread, its steps as a stream."""
        news: queue.Queue[Progress | list[Image.Image] | BaseException] = queue.Queue()
        cancelled = threading.Event()
        work = threading.Thread(target=self._call, args=(photo, frame, orders, news, cancelled), daemon=True)
        work.start()
        try:
            while True:
                item = news.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
                if isinstance(item, list):
                    return
        finally:
            cancelled.set()
            work.join()

    def _call(
        self, photo: Image.Image, frame: Frame, orders: Sequence[Order], news: Any, cancelled: threading.Event
    ) -> None:
        def after_step(pipe: Any, step: int, _time: Any, values: dict[str, Tensor]) -> dict[str, Tensor]:
            if cancelled.is_set():
                pipe._interrupt = True
            shown = step % 3 == 2 and step + 1 < self.steps
            news.put(Progress(step + 1, self.steps, self._decode(values["latents"]) if shown else ()))
            return values

        try:
            self._wear(orders[0].plan)
            square = (self.size, self.size)
            small = photo.crop(frame.box).resize(square, Image.Resampling.LANCZOS)
            area = (
                Image.fromarray(frame.area.astype(np.uint8) * 255)
                .crop(frame.box)
                .resize(square, Image.Resampling.BILINEAR)
            )
            area = area.point(lambda v: 255 if v >= 128 else 0)
            n = len(orders)
            with torch.inference_mode():
                out = self.pipe(
                    prompt=[o.prompt for o in orders], image=[small] * n, mask_image=[area] * n, height=self.size,
                    width=self.size, num_inference_steps=self.steps, guidance_scale=self.guidance, strength=1.0,
                    generator=[torch.Generator().manual_seed(o.seed) for o in orders],
                    ip_adapter_image_embeds=[self._references(orders)], output_type="np",
                    callback_on_step_end=after_step,
                ).images  # fmt: skip
            news.put(
                [] if cancelled.is_set() else [self._checked(o.label, x) for o, x in zip(orders, out, strict=True)]
            )
        except BaseException as error:  # handed to the reader, which raises it
            news.put(error)

    def _wear(self, plan: AdapterPlan) -> None:
        """Switch the adapter set; it is global to the pipeline."""
        self.pipe.set_ip_adapter_scale(plan.ip_adapter_scale)
        if plan.lora is None:
            if self.adapters.loras:
                self.pipe.disable_lora()
        else:
            self.pipe.enable_lora()
            self.pipe.set_adapters([plan.lora], [plan.lora_weight])

    def _references(self, orders: Sequence[Order]) -> Tensor:
        """(2n, 1, dim): nothing for the unguided half, then each order's reference."""
        width = next((o.reference.shape[-1] for o in orders if o.reference is not None), self._ip_width())
        positive = [torch.zeros(1, width) if o.reference is None else o.reference for o in orders]
        stacked = torch.stack(positive)
        return torch.cat([torch.zeros_like(stacked), stacked]) if self.guidance > 1 else stacked

    def _ip_width(self) -> int:
        return int(self.pipe.unet.encoder_hid_proj.image_projection_layers[0].image_embeds.in_features)

    def _decode(self, latents: Tensor) -> tuple[Image.Image, ...]:
        with torch.inference_mode():
            x = self.pipe.vae.decode(latents / self.pipe.vae.config.scaling_factor).sample
        arrays = (x.clamp(-1, 1).permute(0, 2, 3, 1).numpy() + 1) * 127.5
        return tuple(Image.fromarray(a.astype(np.uint8)) for a in arrays)

    @staticmethod
    def _checked(label: str, x: NDArray[np.float32]) -> Image.Image:
        if not np.isfinite(x).all() or float(x.std()) < 1e-3:
            raise DrawingFailed(f"the picture of {label} came out empty; try again with another seed")
        return Image.fromarray(np.asarray(np.clip(x, 0, 1) * 255 + 0.5, dtype=np.uint8))
