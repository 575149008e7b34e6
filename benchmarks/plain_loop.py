"""The peer: what a plain script would do with the same diffusers pipeline, weights and adapters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from pipeline.profile import Profile
from pipeline.types import AdapterPlan

if TYPE_CHECKING:
    from pipeline.frame import Area
    from pipeline.orders import Order
    from pipeline.schedule import Schedule


class PlainLoop:
    """One `pipe(...)` call per picture: every step guided, LoRA as PEFT layers, everything encoded for each picture."""

    def __init__(self, profile: Profile, schedule: Schedule | None = None) -> None:
        """``schedule``: instead of the profile's; its guidance is never cut off here."""
        import torch
        from diffusers import StableDiffusionInpaintPipeline
        from diffusers.utils import logging

        from pipeline.adapt import AdapterManager
        from pipeline.schedule import Schedule

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        s = profile.settings
        self._torch: Any = torch
        self.schedule, self.size = schedule or Schedule.of(s), int(s["image_size"])
        self.pipe = StableDiffusionInpaintPipeline.from_pretrained(
            profile.folder("generate"), dtype=torch.float32, safety_checker=None, feature_extractor=None,
            image_encoder=None, requires_safety_checker=False, local_files_only=True,
        )  # fmt: skip
        adapters = AdapterManager.load(profile.folder("adapters"), s["ip_adapter_scale"], s["case_similarity"])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="peft")
            for lora in adapters.loras:
                self.pipe.load_lora_weights(
                    adapters.folder, weight_name=lora.file, adapter_name=lora.name, local_files_only=True
                )
        self._loras = bool(adapters.loras)
        self.pipe.load_ip_adapter(
            str(adapters.folder), subfolder="", weight_name=adapters.ip_adapter, image_encoder_folder=None,
            local_files_only=True,
        )  # fmt: skip
        self.pipe.set_progress_bar_config(disable=True)

    def wear(self, plan: AdapterPlan) -> None:
        """The library's own switches, for whatever is drawn next."""
        self.pipe.set_ip_adapter_scale(plan.ip_adapter_scale)
        if plan.lora is not None:
            self.pipe.enable_lora()
            self.pipe.set_adapters([plan.lora], [plan.lora_weight])
        elif self._loras:
            self.pipe.disable_lora()

    def call(self, square: Image.Image, area: Image.Image, order: Order) -> Image.Image:
        """One call of the pipeline: a drawing of the square, not laid back into the photo."""
        torch = self._torch
        width = int(self.pipe.unet.encoder_hid_proj.image_projection_layers[0].image_embeds.in_features)
        reference = (torch.zeros(1, width) if order.reference is None else order.reference)[None]
        return self.pipe(
            prompt=order.prompt, image=square, mask_image=area, height=self.size, width=self.size,
            num_inference_steps=self.schedule.steps, guidance_scale=self.schedule.guidance, strength=1.0,
            generator=torch.Generator().manual_seed(order.seed),
            ip_adapter_image_embeds=[torch.cat([torch.zeros_like(reference), reference])],
        ).images[0]  # fmt: skip

    def draw(self, photo: Image.Image, mask: Area, orders: Sequence[Order]) -> list[Image.Image]:
        """The photo with each order drawn into it, one after the other."""
        from pipeline.frame import cut_out, frame_around, lay_in

        frame = frame_around(mask)
        square, area = cut_out(photo, frame, self.size)
        pictures = []
        for order in orders:
            self.wear(order.plan)
            pictures.append(lay_in(photo, self.call(square, area, order), frame))
        return pictures
