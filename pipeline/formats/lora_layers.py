"""LoRA files on a pipeline: all of them are compared with the models first, then all are put on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from pipeline.formats.errors import WeightsError, listed
from pipeline.formats.lora_files import LoraFile, LoraLayer, Part

Fitted = Mapping[Part, Mapping[str, LoraLayer]]
"""part -> the model's own layer name -> what is added, in the shapes that layer wants"""


def put_on(pipe: Any, files: Mapping[str, LoraFile]) -> None:
    """Every LoRA as peft layers under its name, none active before `FusedLoras` wears it.

    Raises WeightsError before the first is put on when one of them does not fit.
    """
    for name in files:
        if "." in name:
            raise WeightsError(f"a LoRA cannot be named {name!r}: peft does not take a name with a dot; rename it")
    fitted = {name: fit(file, pipe) for name, file in files.items()}
    for name, parts in fitted.items():
        for part, layers in parts.items():
            _inject(getattr(pipe, part), name, layers)


def add_for_good(pipe: Any, file: LoraFile, weight: float = 1.0) -> None:
    """``weight`` x alpha / rank x up x down added to the models' own weights: for a few-step LoRA, always worn.

    Raises WeightsError before anything is added.
    """
    parts = fit(file, pipe)
    with torch.no_grad():
        for part, layers in parts.items():
            modules = dict(_layers_of(getattr(pipe, part)))
            for name, layer in layers.items():
                own = modules[name].weight
                own += (weight * delta(layer)).to(own)


def delta(layer: LoraLayer) -> Tensor:
    """What the layer's weight gains, in float32 and in that weight's shape: alpha / rank x up x down."""
    down, up = layer.down.float(), layer.up.float()
    product = up.flatten(1) @ down.flatten(1)
    return layer.alpha / layer.rank * product.view(up.shape[0], *down.shape[1:])


def fit(file: LoraFile, pipe: Any) -> Fitted:
    """The file's layers under the model's own names. Raises WeightsError listing what does not fit."""
    out: dict[Part, dict[str, LoraLayer]] = {}
    wrong: list[str] = []
    for part, layers in file.parts.items():
        model = getattr(pipe, part, None)
        own = {} if model is None else {_flat(name): (name, layer) for name, layer in _layers_of(model)}
        for flat, layer in layers.items():
            if flat not in own:
                wrong.append(f"{part} has no layer {flat}")
                continue
            name, module = own[flat]
            shaped = _in_shape_of(module, layer)
            if (product := _product_shape(shaped)) != tuple(module.weight.shape):
                wrong.append(f"{part}.{name} is {tuple(module.weight.shape)}, the file's is {product}")
            out.setdefault(part, {})[name] = shaped
    if wrong:
        count = sum(len(layers) for layers in file.parts.values())
        said = f" The file says that it was trained on {file.trained_on!r}." if file.trained_on else ""
        raise WeightsError(
            f"{file.path}: is a LoRA for another base model; {len(wrong)} of its {count} layers do not fit: "
            f"{listed(wrong, 3)}.{said} Get one that was trained on the base model of the profile"
        )
    return out


def _layers_of(model: nn.Module) -> list[tuple[str, nn.Linear | nn.Conv2d]]:
    """Linear layers and convolutions by name, those inside peft's layers under the name they had before."""
    out: list[tuple[str, nn.Linear | nn.Conv2d]] = []
    for name, module in model.named_modules():
        if isinstance(module, BaseTunerLayer):
            out.append((name, module.get_base_layer()))
        elif isinstance(module, nn.Linear | nn.Conv2d) and ".lora_" not in name and "base_layer" not in name:
            out.append((name, module))
    return out


def _flat(name: str) -> str:
    return name.replace(".", "_").removeprefix("text_model_")


def _in_shape_of(module: nn.Module, layer: LoraLayer) -> LoraLayer:
    """A 1 x 1 convolution and a linear layer are the same numbers: with or without two axes."""
    if isinstance(module, nn.Linear) and layer.down.ndim == 4 and layer.down.shape[2:] == (1, 1):
        return LoraLayer(layer.down.flatten(1), layer.up.flatten(1), layer.alpha)
    if isinstance(module, nn.Conv2d) and layer.down.ndim == 2:
        return LoraLayer(layer.down[..., None, None], layer.up[..., None, None], layer.alpha)
    return layer


def _product_shape(layer: LoraLayer) -> tuple[int, ...]:
    return int(layer.up.shape[0]), *(int(n) for n in layer.down.shape[1:])


def _inject(model: nn.Module, name: str, layers: Mapping[str, LoraLayer]) -> None:
    """peft's layers with the file's ranks and alphas, in the model's own precision."""
    dtype = next(model.parameters()).dtype
    state = {}
    for layer, tensors in layers.items():
        state[f"{layer}.lora_A.weight"] = tensors.down.to(dtype)
        state[f"{layer}.lora_B.weight"] = tensors.up.to(dtype)
    rank, alpha = Counter((t.rank, t.alpha) for t in layers.values()).most_common(1)[0][0]
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=list(layers),
        rank_pattern={_whole(k): t.rank for k, t in layers.items() if t.rank != rank},
        alpha_pattern={_whole(k): t.alpha for k, t in layers.items() if t.alpha != alpha},
    )
    inject_adapter_in_model(config, model, adapter_name=name, low_cpu_mem_usage=True, state_dict=state)
    set_peft_model_state_dict(model, state, name, low_cpu_mem_usage=True)
    model._hf_peft_config_loaded = True  # type: ignore[assignment]  # what diffusers and transformers look at


def _whole(layer: str) -> str:
    return "^" + layer.replace(".", r"\.")
