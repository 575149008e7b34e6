"""LoRA weights added into the layers they belong to, so that a step costs what it costs without them."""

from __future__ import annotations

from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn


class FusedLoras:
    """Puts one of a pipeline's loaded LoRAs on, or none.

    The layers' own weights are kept and put back before every change, not found again by subtraction: after any
    number of changes they are the same to the last bit.
    """

    def __init__(self, pipe: Any) -> None:
        """``pipe``: a diffusers pipeline, its LoRAs loaded."""
        self.pipe = pipe
        modules = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
        self._layers = [m for part in modules for m in part.modules() if isinstance(m, BaseTunerLayer)]
        self._own: list[dict[str, Tensor]] = [
            {name: p.detach().clone() for name, p in layer.get_base_layer().named_parameters()}
            for layer in self._layers
        ]
        self._worn: tuple[str | None, float] | None = (None, 0.0)
        if self._layers:
            pipe.disable_lora()

    def wear(self, lora: str | None, weight: float) -> None:
        """Only ``lora``, times ``weight``; None takes it off. Nothing to do when it is worn already."""
        if (lora, weight) == self._worn:
            return
        self._worn = None  # until all layers are changed: a change that failed half way is made again
        self._restore()
        if lora is not None:
            self.pipe.enable_lora()
            self.pipe.set_adapters([lora], [weight])
            for layer in self._layers:
                layer.merge(adapter_names=[lora])
        elif self._layers:
            self.pipe.disable_lora()
        self._worn = (lora, weight)

    def _restore(self) -> None:
        for layer, own in zip(self._layers, self._own, strict=True):
            for name, parameter in layer.get_base_layer().named_parameters():
                parameter.data.copy_(own[name])
            layer.merged_adapters.clear()
