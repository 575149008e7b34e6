"""Reference cases for the IP-Adapter: which embedding each picture of a batch is drawn with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import StableDiffusionInpaintPipeline
from torch import Tensor

from pipeline.formats.errors import WeightsError
from pipeline.formats.ip_adapter_files import is_plus, reference_width
from pipeline.orders import Order
from pipeline.retrieve import ClipEmbedder


class References:
    """The IP-Adapter of ``pipe``, or none."""

    def __init__(self, pipe: StableDiffusionInpaintPipeline) -> None:
        self.pipe = pipe
        self.nothing: Tensor | None = None
        """(1, tokens, dim), what IP-Adapter plus is given without a picture; of the plain one it is zero"""

    @property
    def used(self) -> bool:
        """An IP-Adapter is loaded."""
        return self.pipe.unet.encoder_hid_proj is not None

    @property
    def are_tokens(self) -> bool:
        """IP-Adapter plus: references are the image encoder's tokens."""
        return self.used and is_plus(self.pipe.unet)

    @property
    def width(self) -> int:
        """Numbers by which a picture is described."""
        return reference_width(self.pipe.unet)

    def read_by(self, clip: ClipEmbedder) -> None:
        """Which encoder they come from. Raises WeightsError when the IP-Adapter was trained with another."""
        if not self.used:
            return
        self.nothing = clip.no_tokens() if self.are_tokens else None
        vision = clip.model.config
        width = vision.vision_config.hidden_size if self.are_tokens else vision.projection_dim
        if width != self.width:
            raise WeightsError(
                f"the IP-Adapter reads pictures described by {self.width} numbers, the profile's clip role gives "
                f"{width}: take the image encoder that the IP-Adapter was trained with"
            )

    def options(self, orders: Sequence[Order]) -> dict[str, Any]:
        """What the pipeline is called with."""
        return {"ip_adapter_image_embeds": [self._stacked(orders)]} if self.used else {}

    def _stacked(self, orders: Sequence[Order]) -> Tensor:
        """(2n, 1, dim), or (2n, 1, tokens, dim): nothing for the unguided half, then each order's reference."""
        nothing = torch.zeros(1, self.width) if self.nothing is None else self.nothing
        stacked = torch.stack([nothing if o.reference is None else o.reference for o in orders])
        return torch.cat([nothing.expand_as(stacked), stacked])

    @contextmanager
    def given_to(self, orders: Sequence[Order], scale: float) -> Iterator[None]:
        """Each order its own reference; an order without one gets none of the IP-Adapter.

        Its image tokens are zero: their keys and values are then zero as well (these layers have no bias), so that
        what the IP-Adapter adds is exactly zero, as with scale 0.
        """
        if not self.used:
            yield
            return
        self.pipe.set_ip_adapter_scale(scale)
        n, unet = len(orders), self.pipe.unet
        planned = torch.tensor([float(o.plan.ip_adapter_scale != 0) for o in orders]).view(n, 1, 1, 1)
        has, references = planned.to(unet.device, unet.dtype), self._stacked(orders).to(unet.device, unet.dtype)

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
